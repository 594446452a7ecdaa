"""The project: its menu, where things stand, and the offer to go on where one was."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from napari.utils.notifications import show_info
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog, QMenu, QMessageBox, QPushButton, QVBoxLayout, QWidget
from superqt import QElidingLabel

from patchfield.napari._qt.cards import Card, icon, tool
from patchfield.napari._qt.notices import notify_refusals
from patchfield.napari.controller import Controller
from patchfield.napari.project.reading import Offer
from patchfield.store import SUFFIX

RETRY = 5000
"""Milliseconds between two tries to write what could not be written."""

_MAX_OFFERS = 8


class ProjectMenu(QPushButton):
    """New, open, save as, recent and unsaved projects; images that are lost."""

    def __init__(self, controller: Controller) -> None:
        super().__init__("Project")
        self._controller = controller
        self._project = controller.project
        self.setToolTip("Everything that is painted is kept; save it under a name, or go on with another project")
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(self.fill)
        self.setMenu(menu)
        self._retrying = QTimer(self)
        self._retrying.setInterval(RETRY)
        self._retrying.timeout.connect(self._project.retry)
        self._retrying.start()
        self._project.said.connect(show_info)
        self.fill()

    def fill(self) -> None:
        """Make the menu anew, with what can be done now."""
        menu, project = self.menu(), self._project
        assert menu is not None
        menu.clear()
        menu.addAction("Save as…", self._save_as)
        menu.addAction("Open…", self._open)
        self._add_offers(menu, "Open recent", [offer for offer in project.earlier if not offer.is_unsaved])
        self._add_offers(menu, "Never saved", [offer for offer in project.earlier if offer.is_unsaved])
        menu.addAction("New", project.new)
        if project.lost:
            menu.addSeparator()
            menu.addAction("Find images…", self._find)
            menu.addAction("Take edited images as they are now…", partial(self._find, accept=True))
        if project.path is not None and project.is_unsaved:
            menu.addSeparator()
            menu.addAction("Discard…", self._discard)

    def _add_offers(self, menu: QMenu, title: str, offers: list[Offer]) -> None:
        if not offers:
            return
        inner = menu.addMenu(title)
        if inner is None:
            return
        inner.setToolTipsVisible(True)
        for offer in offers[:_MAX_OFFERS]:
            action = inner.addAction(title_of(offer), partial(self._project.open, offer.path))
            if action is not None:
                action.setToolTip(str(offer.path))

    def _open(self) -> None:
        path = QFileDialog.getExistingDirectory(self, f"Open a project (NAME{SUFFIX})", str(self._folder()))
        if path:
            self._project.open(path)

    def _save_as(self) -> None:
        # The dialog for files, for a project that is not there yet has to be given a name.
        start = str(self._folder() / f"{self._project.name or 'untitled'}{SUFFIX}")
        path, _ = QFileDialog.getSaveFileName(self, "Save the project as", start, f"Projects (*{SUFFIX})")
        if path:
            notify_refusals(self._project.save_as)(path)

    def _find(self, accept: bool = False) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Look for the images in", str(self._folder()))
        if folder:
            self._project.relocate(folder, accept)

    def _discard(self) -> None:
        if confirmed(self, "Delete this project with all strokes? It was never saved under a name.", "Discard"):
            self._project.discard()

    def _folder(self) -> Path:
        if self._project.path is not None and not self._project.is_unsaved:
            return self._project.path.parent
        return self._controller.settings.memory.last_folder or Path.home()


class ProjectLine(QElidingLabel):
    """Whether everything is kept, in a line."""

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self._project = controller.project
        self.setStyleSheet("font-size: 9pt;")
        self._project.changed.connect(self.show_project)
        self.show_project()

    def show_project(self) -> None:
        """Show where things stand now."""
        self.setText(self._project.summary)
        where = "" if self._project.path is None else f"\n{self._project.path}"
        self.setToolTip(f"{self._project.summary}{where}")


class OfferCard(QWidget):
    """Offers to go on where one was, or to find images again; takes no room while there is nothing to offer."""

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self._project = controller.project
        self._find: Callable[[], None] = lambda: None
        self.card = Card(self._accept)
        self.card.button.setToolTip("Open the project that was left, with all strokes, classes and what can be undone")
        self.dismiss = tool(icon("delete_shape"), "Not now: the Project menu has it as well", self._project.dismiss)
        self.card.line.addWidget(self.dismiss)
        self.card.show_dot("#4aa8ff")
        self.card.show_progress(None)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.card)
        self._project.changed.connect(self.show_offer)
        self.show_offer()

    def show_offer(self) -> None:
        """Show what is offered now."""
        offers = self._project.offers
        self.setVisible(bool(offers))
        if offers:
            self.card.sentence.setText(f"Continue where you were? {title_of(offers[0])}")
            self.card.sentence.setToolTip(str(offers[0].path))
            self.card.button.setText("Continue")
            self.card.button.setAccessibleName("Continue where you were")

    def _accept(self) -> None:
        if self._project.offers:
            self._project.open(self._project.offers[0].path)


def title_of(offer: Offer) -> str:
    """A project in a line: what it is called or what is in it, how much was painted, and when.

    Examples
    --------
    >>> title_of(Offer(Path("steel.patchfield"), 0.0, ("a", "b"), 3))[:25]
    'steel: 2 images, 3 stroke'
    """
    names = ", ".join(offer.images[:2]) + (" …" if len(offer.images) > 2 else "")
    name = names if offer.is_unsaved else offer.path.stem
    images = f"{len(offer.images)} image{'s' if len(offer.images) != 1 else ''}"
    strokes = f"{offer.strokes} stroke{'s' if offer.strokes != 1 else ''}"
    return f"{name}: {images}, {strokes} ({time.strftime('%d %b, %H:%M', time.localtime(offer.time))})"


def confirmed(parent: QWidget, question: str, verb: str) -> bool:
    """Whether a person agrees to something that cannot be taken back."""
    box = QMessageBox(QMessageBox.Icon.Question, "Patchfield", question, parent=parent)
    yes = box.addButton(verb, QMessageBox.ButtonRole.DestructiveRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.exec()
    return box.clickedButton() is yes
