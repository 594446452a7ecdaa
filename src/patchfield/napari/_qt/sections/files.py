"""The bottom of the panel: save, load, apply."""

from collections.abc import Callable, Sequence
from pathlib import Path

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QFileDialog, QMenu, QProgressBar, QPushButton, QVBoxLayout, QWidget

from patchfield.napari._qt.cards import GAP, row
from patchfield.napari._qt.notices import notify_refusals
from patchfield.napari.controller import Controller
from patchfield.napari.layers import Role

NO_PROBE = "Paint two classes first, or load a probe"
NO_STROKES = "Paint on this image first"
ONE_IMAGE = "Open other images first"
ONE_PLANE = "This image has one plane"
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
        self.stop.setToolTip("Stop segmenting other planes; those that are done stay")
        self._lay_out()
        applying = controller.applying
        self.stop.clicked.connect(applying.cancel)
        controller.files.written.connect(_say_written)
        applying.changed.connect(self.show_progress)
        applying.finished.connect(_say_applied)
        controller.status_changed.connect(self.show_what_can_be_done)
        controller.classes.counted.connect(self.show_what_can_be_done)
        controller.annotations.selected.connect(self.show_what_can_be_done)
        controller.annotations.images_changed.connect(self.show_what_can_be_done)
        self.show_what_can_be_done()
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

    def show_what_can_be_done(self, *_: object) -> None:
        """Enable what there is something for; the others say what it takes."""
        controller = self._controller
        current, probe = controller.current, controller.live.probe
        result = None if current is None else current.result(Role.SEGMENTATION)
        painted = current is not None and bool(current.snapshots)
        several = len(controller.annotations.choices) > 1
        stack = current is not None and len(current.source.indices()) > 1
        probing = "" if probe is not None else NO_PROBE
        segmented = "" if result is not None and probe is not None else NO_PROBE
        _enable(self.save, (probing, segmented, probing, "" if painted else NO_STROKES))
        _enable(self.apply, (probing or ("" if several else ONE_IMAGE), probing or ("" if stack else ONE_PLANE)))

    def _lay_out(self) -> None:
        files, applying = self._controller.files, self._controller.applying
        self.save = _menu_button(
            "Save",
            "Write the probe, the strokes or results to files",
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
            "Segment with a probe, or go on with strokes, from a file",
            {
                "Probe…": self._open(files.load_probe, "Load a probe", PROBES),
                "Labels (strokes)…": self._open(files.load_labels, "Load labels", READABLE_LABELS),
            },
        )
        self.apply = _menu_button(
            "Apply to",
            "Segment other images, or all planes, with the probe as it is now",
            {
                "Other open images": notify_refusals(applying.to_other_images),
                "All planes of this stack": notify_refusals(applying.to_all_planes),
            },
        )
        buttons = row(self.save, load, self.apply)
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
                self._controller.settings.remember_folder(Path(path).parent)
                write(path)

        return notify_refusals(ask)

    def _open(self, read: Callable[[str], None], title: str, kinds: str) -> Callable[[], None]:
        def ask() -> None:
            path, _ = QFileDialog.getOpenFileName(self, title, str(self._folder()), kinds)
            if path:
                self._controller.settings.remember_folder(Path(path).parent)
                read(path)

        return notify_refusals(ask)

    def _folder(self) -> Path:
        """Where the image lies, for that is where its results belong; else where a file was opened or saved last."""
        current = self._controller.current
        path = None if current is None else current.source.layer.source.path
        return Path(path).parent if path else self._controller.settings.memory.last_folder or Path.home()


def _menu_button(title: str, tip: str, actions: dict[str, Callable[[], None]]) -> QPushButton:
    button = QPushButton(title)
    button.setToolTip(tip)
    menu = QMenu(button)
    menu.setToolTipsVisible(True)
    for name, action in actions.items():
        menu.addAction(name, action)
    button.setMenu(menu)
    return button


def _enable(button: QPushButton, refusals: Sequence[str]) -> None:
    """Enable the entries of a menu that nothing speaks against; the others say in their tooltips what does."""
    menu = button.menu()
    assert menu is not None
    for action, refusal in zip(menu.actions(), refusals, strict=True):
        action.setEnabled(not refusal)
        action.setToolTip(refusal or action.text())


def _say_written(path: Path) -> None:
    show_info(f"Written: {path}")


def _say_applied(planes: int) -> None:
    show_info(f"Segmented {planes} plane{'s' if planes > 1 else ''}.")
