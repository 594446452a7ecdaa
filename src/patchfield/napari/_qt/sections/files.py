"""The bottom of the panel: save, load, apply."""

from collections.abc import Callable
from pathlib import Path

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QFileDialog, QMenu, QProgressBar, QPushButton, QVBoxLayout, QWidget

from patchfield.napari._qt.cards import GAP, row
from patchfield.napari._qt.notices import notify_refusals
from patchfield.napari.controller import Controller

PROBES = "Probes (*.probe)"
LABELS = "Label images (*.tif *.tiff *.png)"
READABLE_LABELS = "Labels (*.tif *.tiff *.png *.npy *.h5 *.hdf5 *.geojson);;All files (*)"


class FilesBar(QWidget):
    """Menus for files and for other images, and the progress of applying."""

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self._controller = controller
        self.progress = QProgressBar()
        self.progress.setFixedHeight(14)
        self.stop = QPushButton("Stop")
        self._lay_out()
        applying = controller.applying
        self.stop.clicked.connect(applying.cancel)
        controller.files.written.connect(_say_written)
        applying.changed.connect(self.show_progress)
        applying.finished.connect(_say_applied)
        self.show_progress()

    def show_progress(self) -> None:
        """Show how many planes are segmented, while that goes on."""
        progress = self._controller.applying.progress
        self.progress.setVisible(progress is not None)
        self.stop.setVisible(progress is not None)
        if progress is not None:
            self.progress.setRange(0, progress.total)
            self.progress.setValue(progress.done)
            self.progress.setFormat(f"Applying: {progress}")

    def _lay_out(self) -> None:
        files, applying = self._controller.files, self._controller.applying
        save = _menu_button(
            "Save",
            {
                "Probe…": self._save(files.save_probe, "Save the probe", "segmentation.probe", PROBES),
                "Segmentation…": self._save(
                    files.save_segmentation, "Save the segmentation", "segmentation.tif", LABELS
                ),
                "Probabilities…": self._save(
                    files.save_probabilities, "Save probabilities", "probabilities.tif", LABELS
                ),
                "Labels (strokes)…": self._save(files.save_labels, "Save the labels", "labels.tif", LABELS),
            },
        )
        load = _menu_button(
            "Load",
            {
                "Probe…": self._open(files.load_probe, "Load a probe", PROBES),
                "Labels (strokes)…": self._open(files.load_labels, "Load labels", READABLE_LABELS),
            },
        )
        apply = _menu_button(
            "Apply to",
            {
                "Other open images": notify_refusals(applying.to_other_images),
                "All planes of this stack": notify_refusals(applying.to_all_planes),
            },
        )
        buttons = row(save, load, apply)
        for index in range(3):
            buttons.setStretch(index, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        layout.addLayout(row(self.progress, self.stop, stretch=0))
        layout.addLayout(buttons)

    def _save(self, write: Callable[[str], None], title: str, name: str, kinds: str) -> Callable[[], None]:
        def ask() -> None:
            # Qt asks before an existing file is replaced.
            path, _ = QFileDialog.getSaveFileName(self, title, str(self._folder() / name), kinds)
            if path:
                write(path)

        return notify_refusals(ask)

    def _open(self, read: Callable[[str], None], title: str, kinds: str) -> Callable[[], None]:
        def ask() -> None:
            path, _ = QFileDialog.getOpenFileName(self, title, str(self._folder()), kinds)
            if path:
                read(path)

        return notify_refusals(ask)

    def _folder(self) -> Path:
        """Where the image lies, for that is where its results belong."""
        current = self._controller.current
        path = None if current is None else current.source.layer.source.path
        return Path(path).parent if path else Path.home()


def _menu_button(title: str, actions: dict[str, Callable[[], None]]) -> QPushButton:
    button = QPushButton(title)
    menu = QMenu(button)
    for name, action in actions.items():
        menu.addAction(name, action)
    button.setMenu(menu)
    return button


def _say_written(path: Path) -> None:
    show_info(f"Written: {path}")


def _say_applied(planes: int) -> None:
    show_info(f"Segmented {planes} plane{'s' if planes > 1 else ''}.")
