"""The dialog with all backbones: search, what each is good for, licence and size, and one button."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from patchfield.backbones import TIMM_PREFIX
from patchfield.napari._qt.cards import GAP, wrapping
from patchfield.napari.segment.catalogue import Catalogue
from patchfield.napari.session.choices import BackboneChoice, download_of_weight, matching

SIZE = (560, 520)
OFFLINE = "Nothing is downloaded: “offline” is chosen on the settings page"
HOW = "Words of a name, of what it is good for, of a licence; “timm: resnet” looks among the models of timm, too."


class BackboneDialog(QDialog):
    """Finds a backbone; `chosen` is its name once the button was pressed.

    Parameters
    ----------
    catalogue : Catalogue
    parent : QWidget
    offline : bool
        Whether nothing may be downloaded.
    """

    def __init__(self, catalogue: Catalogue, parent: QWidget, *, offline: bool = False) -> None:
        super().__init__(parent)
        self.setWindowTitle("Features")
        self.resize(*SIZE)
        self.chosen = ""
        self._catalogue = catalogue
        self._offline = offline
        self._shown: list[BackboneChoice] = []
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search")
        self.search.setAccessibleName("Search")
        self.search.setToolTip(HOW)
        self.search.setClearButtonEnabled(True)
        self.list = QListWidget()
        self.list.setAccessibleName("Backbones")
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.about = wrapping("")
        self.about.setMinimumHeight(4 * self.about.fontMetrics().lineSpacing())
        self.about.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.take = QPushButton("Use")
        self.buttons.addButton(self.take, QDialogButtonBox.ButtonRole.AcceptRole)
        layout = QVBoxLayout(self)
        layout.setSpacing(GAP)
        for widget in (self.search, QLabel(HOW), self.list, self.about, self.buttons):
            if isinstance(widget, QLabel):
                widget.setWordWrap(True)
            layout.addWidget(widget)
        self.search.textChanged.connect(self.show_found)
        self.list.currentRowChanged.connect(lambda _: self.show_about())
        self.buttons.accepted.connect(self._take)
        self.buttons.rejected.connect(self.reject)
        catalogue.changed.connect(self._on_catalogue)
        self.finished.connect(lambda _: catalogue.changed.disconnect(self._on_catalogue))
        self.show_found()

    def show_found(self) -> None:
        """List what matches the search."""
        words = self.search.text().strip()
        if words:
            self._catalogue.list_timm()
        found = matching(words, self._catalogue.timm_names)
        if words.startswith(TIMM_PREFIX) and not found and len(words) > len(TIMM_PREFIX):
            # What timm does not list may be a name all the same, or a name with a file: it is looked up below.
            found = [BackboneChoice(words, words, "")]
        self._shown = found
        self.list.clear()
        for choice in found:
            item = QListWidgetItem(choice.title)
            item.setToolTip(choice.description or choice.title)
            self.list.addItem(item)
        if found:
            self.list.setCurrentRow(0)
        self.show_about()

    def show_about(self) -> None:
        """Say what is known of the selected one, and what the button does."""
        row = self.list.currentRow()
        choice = self._shown[row] if 0 <= row < len(self._shown) else None
        weight = None if choice is None else self._catalogue.weight(choice.backbone)
        local = choice is not None and not choice.backbone.startswith(TIMM_PREFIX)
        offer = None if weight is None else download_of_weight(weight)
        barred = offer is not None and self._offline
        self.take.setEnabled(choice is not None and (weight is not None or local) and not barred)
        self.take.setToolTip(OFFLINE if barred else "")
        self.take.setText("Use" if offer is None else offer.title)
        if choice is None:
            waiting = "Asking timm for its models…" if self._catalogue.listing else "Nothing is called like that."
            self.about.setText(waiting)
        elif weight is None:
            self.about.setText(choice.description or self._catalogue.problem or f"Asking timm about {choice.backbone}…")
        else:
            size = f"{weight.parameters / 1e6:.1f} million parameters, {weight.channels} channels"
            about = [weight.summary, size, f"Licence: {weight.licence_text}", weight.paper]
            self.about.setText("\n".join(part for part in about if part))

    def _on_catalogue(self) -> None:
        if len(self._shown) <= 1 or self.search.text().strip():
            chosen = self.list.currentRow()
            names = [choice.backbone for choice in self._shown]
            found = matching(self.search.text().strip(), self._catalogue.timm_names)
            if found and [choice.backbone for choice in found] != names:
                self.show_found()
                return
            self.list.setCurrentRow(chosen)
        self.show_about()

    def _take(self) -> None:
        self.chosen = self._shown[self.list.currentRow()].backbone
        self.accept()
