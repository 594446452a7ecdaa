"""Questions and windows of their own: asked beside the painting, which goes on."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from patchfield.napari._qt.cards import hint, row
from patchfield.napari.segment.folder import FORMATS, FolderOrder
from patchfield.napari.session.questions import Question

FORMAT_NAMES = {"tiff": "TIFF", "ome-zarr": "OME-Zarr", "png": "PNG (images of one plane)"}


def ask(parent: QWidget, question: Question, then: Callable[[], None]) -> None:
    """Ask a question; nothing waits for the answer."""
    box = QMessageBox(QMessageBox.Icon.Question, "Patchfield", question.title, parent=parent)
    box.setInformativeText("\n".join(question.facts))
    go_on = box.addButton(question.go_on, QMessageBox.ButtonRole.AcceptRole)
    keep = box.addButton(question.keep, QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(keep)
    box.setEscapeButton(keep)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.buttonClicked.connect(lambda button: then() if button is go_on else None)
    box.open()


class FolderDialog(QDialog):
    """Which folder of images is to be segmented, where results go, and the command line that does the same.

    Parameters
    ----------
    parent : QWidget
    folder : Path
        To begin with.
    start : callable
        Called with the order.
    """

    def __init__(self, parent: QWidget, folder: Path, start: Callable[[FolderOrder], None]) -> None:
        super().__init__(parent)
        self.setWindowTitle("Segment a folder of images")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._start = start
        self.images, self.output = QLineEdit(str(folder)), QLineEdit(str(folder / "segmented"))
        self.file_format = QComboBox()
        for name in FORMATS:
            self.file_format.addItem(FORMAT_NAMES[name], name)
        self.probabilities = QCheckBox("Probabilities of each class as well (--probabilities)")
        self.resample = QCheckBox("Resample images of another magnification than the probe knows (--resample)")
        self.overwrite = QCheckBox("Replace results of another probe (--overwrite)")
        self.command = QLineEdit()
        self.command.setReadOnly(True)
        self.copy = QPushButton("Copy")
        self.copy.setToolTip("Copy the command line, to do the same elsewhere or at night")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        begin = self.buttons.addButton("Segment", QDialogButtonBox.ButtonRole.AcceptRole)
        assert begin is not None
        self.begin = begin
        self._lay_out()
        self._connect()
        self._show()

    @property
    def order(self) -> FolderOrder:
        """What is chosen now."""
        return FolderOrder(
            Path(self.images.text()),
            Path(self.output.text()),
            self.file_format.currentData(),
            self.probabilities.isChecked(),
            self.resample.isChecked(),
            self.overwrite.isChecked(),
        )

    def _lay_out(self) -> None:
        grid = QGridLayout()
        lines = (("Images", self.images), ("Results", self.output))
        for line, (title, edit) in enumerate(lines):
            choose = QPushButton("Choose…")
            choose.setAccessibleName(f"Choose the folder of {title.lower()}")
            choose.setToolTip(f"Choose the folder of {title.lower()}")
            choose.clicked.connect(partial(self._choose, edit, title))
            label = QLabel(title)
            label.setBuddy(edit)
            edit.setAccessibleName(f"Folder of {title.lower()}")
            edit.setMinimumWidth(420)
            for column, widget in enumerate((label, edit, choose)):
                grid.addWidget(widget, line, column)
        label = QLabel("Format")
        label.setBuddy(self.file_format)
        grid.addWidget(label, 2, 0)
        grid.addWidget(self.file_format, 2, 1)
        layout = QVBoxLayout(self)
        layout.addLayout(grid)
        for box in (self.probabilities, self.resample, self.overwrite):
            layout.addWidget(box)
        layout.addWidget(
            hint(
                "Written are NAME_segmentation for every image, areas.csv with what each class covers, and the probe. "
                "What this probe has finished is left as it is: stopped, it goes on where it was."
            )
        )
        layout.addLayout(row(QLabel("Command line"), self.command, self.copy, stretch=1))
        layout.addWidget(self.buttons)

    def _connect(self) -> None:
        for edit in (self.images, self.output):
            edit.textChanged.connect(self._show)
        self.file_format.currentIndexChanged.connect(self._show)
        for box in (self.probabilities, self.resample, self.overwrite):
            box.toggled.connect(self._show)
        self.copy.clicked.connect(lambda: _copy(self.command.text()))
        self.buttons.accepted.connect(self._accept)
        self.buttons.rejected.connect(self.reject)

    def _choose(self, edit: QLineEdit, title: str) -> None:
        chosen = QFileDialog.getExistingDirectory(self, title, edit.text())
        if not chosen:
            return
        edit.setText(chosen)
        if edit is self.images:
            self.output.setText(str(Path(chosen) / "segmented"))

    def _show(self) -> None:
        self.begin.setEnabled(bool(self.images.text().strip() and self.output.text().strip()))
        self.command.setText(self.order.command)
        self.command.setCursorPosition(0)
        self.command.setToolTip(self.order.command)

    def _accept(self) -> None:
        self._start(self.order)
        self.accept()


def _copy(text: str) -> None:
    clipboard = QApplication.clipboard()
    if clipboard is not None:
        clipboard.setText(text)
