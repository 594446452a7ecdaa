"""The bottom of the panel: save, load, apply."""

from collections.abc import Callable
from pathlib import Path

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QFileDialog, QMenu, QProgressBar, QPushButton, QVBoxLayout, QWidget

from patchfield.napari._qt.cards import GAP, row, told
from patchfield.napari.controller import Controller
from patchfield.napari.files import Files
from patchfield.napari.segment.apply import Applying

PROBES = "Probes (*.probe)"
LABELS = "Label images (*.tif *.tiff *.png)"


class Menus(QWidget):
    """Menus for files and for other images, and the progress of applying."""

    def __init__(self, controller: Controller, files: Files, applying: Applying) -> None:
        super().__init__()
        self._controller, self._files, self._applying = controller, files, applying
        save = self._menu(
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
        load = self._menu(
            "Load",
            {
                "Probe…": self._open(files.load_probe, "Load a probe", PROBES),
                "Labels (strokes)…": self._open(files.load_labels, "Load labels", LABELS),
            },
        )
        apply = self._menu(
            "Apply to",
            {
                "Other open images": told(lambda: applying.to_other_images()),
                "All planes of this stack": told(lambda: applying.to_all_planes()),
            },
        )
        self.progress = QProgressBar()
        self.progress.setFixedHeight(14)
        self.stop = QPushButton("Stop")
        self.stop.clicked.connect(applying.cancel)
        buttons = row(save, load, apply)
        for place in range(3):
            buttons.setStretch(place, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        layout.addLayout(row(self.progress, self.stop, stretch=0))
        layout.addLayout(buttons)
        files.written.connect(lambda path: show_info(f"Written: {path}"))
        applying.changed.connect(self.show_progress)
        applying.finished.connect(lambda planes: show_info(f"Segmented {planes} plane{'s' if planes > 1 else ''}."))
        self.show_progress()

    def show_progress(self) -> None:
        progress = self._applying.progress
        self.progress.setVisible(progress is not None)
        self.stop.setVisible(progress is not None)
        if progress is not None:
            self.progress.setRange(0, progress.total)
            self.progress.setValue(progress.done)
            self.progress.setFormat(f"Applying: {progress}")

    def _menu(self, title: str, actions: dict[str, Callable[[], None]]) -> QPushButton:
        button = QPushButton(title)
        menu = QMenu(button)
        for name, action in actions.items():
            menu.addAction(name, action)
        button.setMenu(menu)
        return button

    def _save(self, write: Callable[[str], None], title: str, name: str, kinds: str) -> Callable[[], None]:
        @told
        def ask() -> None:
            path, _ = QFileDialog.getSaveFileName(self, title, str(self._folder() / name), kinds)
            if path:
                write(path)

        return ask

    def _open(self, read: Callable[[str], None], title: str, kinds: str) -> Callable[[], None]:
        @told
        def ask() -> None:
            path, _ = QFileDialog.getOpenFileName(self, title, str(self._folder()), kinds)
            if path:
                read(path)

        return ask

    def _folder(self) -> Path:
        """Where the image lies, for that is where its results belong."""
        current = self._controller.current
        path = None if current is None else current.source.layer.source.path
        return Path(path).parent if path else Path.home()
