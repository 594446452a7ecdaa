"""The bottom of the panel: save, load, apply."""

import importlib.util
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from napari.utils.notifications import show_info, show_warning
from qtpy.QtWidgets import QFileDialog, QMenu, QProgressBar, QPushButton, QVBoxLayout, QWidget

from patchfield.batch.job import Results
from patchfield.napari._qt.asking import FolderDialog, ask
from patchfield.napari._qt.cards import GAP, row
from patchfield.napari._qt.notices import notify_refusals
from patchfield.napari.controller import Controller
from patchfield.napari.files import with_ending
from patchfield.napari.segment.background import Background
from patchfield.napari.segment.folder import FolderOrder, summary

NO_PROBE = "Paint two classes first, or load a probe"
NO_STROKES = "Paint on this image first"
NO_IMAGE = "Open an image first"
ONE_PLANE = "This image has one plane"
PROBES = "Probes (*.probe)"
TABLES = "Tables (*.csv)"
TIFF, ZARR, PNG = "TIFF (*.tif *.tiff)", "OME-Zarr (*.ome.zarr)", "PNG (*.png)"
ENDINGS = {PROBES: ".probe", TABLES: ".csv", TIFF: ".tif", ZARR: ".ome.zarr", PNG: ".png"}
READABLE_LABELS = "Labels (*.tif *.tiff *.png *.npy *.h5 *.hdf5 *.geojson);;All files (*)"


class FilesBar(QWidget):
    """Menus for files and for other images, and the progress of what goes on there."""

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self._controller = controller
        self._saved_to: Path | None = None
        self._output = Path()
        self.progress = QProgressBar()
        self.progress.setFixedHeight(14)
        self.stop = QPushButton("Stop")
        self.stop.setToolTip("Stop what goes on in the background; what is done stays")
        self._lay_out()
        controller.files.ask = partial(ask, self)
        controller.files.written.connect(_say_written)
        controller.applying.finished.connect(_say_applied)
        controller.folder.finished.connect(self._say_folder)
        self.stop.clicked.connect(self._stop)
        for work in self._works:
            work.changed.connect(self.show_progress)
        controller.status_changed.connect(self.show_what_can_be_done)
        controller.classes.counted.connect(self.show_what_can_be_done)
        controller.annotations.selected.connect(self.show_what_can_be_done)
        controller.annotations.images_changed.connect(self.show_what_can_be_done)
        self.show_what_can_be_done()
        self.show_progress()

    def show_progress(self) -> None:
        """Show how far the background work is, while there is any."""
        going_on = [work for work in self._works if work.progress is not None]
        self.progress.setVisible(bool(going_on))
        self.stop.setVisible(bool(going_on))
        if going_on and going_on[0].progress is not None:
            progress = going_on[0].progress
            # A total of 0 makes Qt show that something goes on without saying how far it is.
            self.progress.setRange(0, progress.total)
            self.progress.setValue(progress.done)
            said = f"{going_on[0].title}: {progress}" if progress.total else going_on[0].title
            self.progress.setFormat(said)
            self.progress.setToolTip(said)

    def show_what_can_be_done(self, *_: object) -> None:
        """Enable what there is something for; the others say what it takes."""
        controller = self._controller
        current, probe = controller.current, controller.live.probe
        painted = current is not None and bool(current.snapshots)
        stack = current is not None and len(current.source.indices()) > 1
        probing = "" if probe is not None else NO_PROBE
        of_image = probing or ("" if current is not None else NO_IMAGE)
        _enable(self.save, (probing, of_image, of_image, of_image, "" if painted else NO_STROKES, of_image))
        _enable(self.apply, (probing or ("" if stack else ONE_PLANE), of_image, probing))

    @property
    def _works(self) -> tuple[Background, ...]:
        controller = self._controller
        return controller.files.exporting, controller.applying, controller.folder

    def _lay_out(self) -> None:
        files, applying = self._controller.files, self._controller.applying
        self.save = _menu_button(
            "Save",
            "Write the probe, the strokes or results to files",
            {
                "Probe…": self._save(files.save_probe, "Save the probe", "", [PROBES]),
                "Segmentation…": self._save(files.save_segmentation, "Save the segmentation", "_segmentation", [TIFF]),
                "Probabilities…": self._save(files.save_probabilities, "Save probabilities", "_probability", [TIFF]),
                "Areas of the classes…": self._save(files.save_areas, "Save the areas", "_areas", [TABLES]),
                "Labels (strokes)…": self._save(files.save_labels, "Save the labels", "_labels", [TIFF]),
                "Segmentations of all open images…": self._save_all,
            },
        )
        load = _menu_button(
            "Load",
            "Go on with a probe, or with strokes, from a file",
            {
                "Probe…": self._open(files.load_probe, "Load a probe", PROBES),
                "Labels (strokes)…": self._open(files.load_labels, "Load labels", READABLE_LABELS),
            },
        )
        self.apply = _menu_button(
            "Apply to",
            "Segment all planes, other images or a folder with the probe as it is now",
            {
                "All planes of this stack": notify_refusals(applying.to_all_planes),
                "All open images": notify_refusals(applying.to_all_images),
                "A folder of files…": notify_refusals(self._apply_to_folder),
            },
        )
        self.buttons = row(self.save, load, self.apply)
        for index in range(3):
            self.buttons.setStretch(index, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        layout.addLayout(row(self.progress, self.stop, stretch=0))
        layout.addLayout(self.buttons)

    def _save(self, write: Callable[[Path], None], title: str, what: str, kinds: list[str]) -> Callable[[], None]:
        def save() -> None:
            offered = kinds if kinds != [TIFF] else self._formats(with_png=what != "_probability")
            name = f"{self._controller.files.name}{what}{ENDINGS[offered[0]]}"
            # Qt asks before an existing file is replaced.
            path, kind = QFileDialog.getSaveFileName(self, title, str(self._target() / name), ";;".join(offered))
            if path:
                self._remember(Path(path).parent)
                chosen = ENDINGS.get(kind, ENDINGS[offered[0]])
                known = tuple(ENDINGS[each] for each in offered)
                write(with_ending(path, (chosen, *known, *((".tiff", ".zarr") if TIFF in offered else ()))))

        return notify_refusals(save)

    def _formats(self, *, with_png: bool) -> list[str]:
        """What the image's results can be written as."""
        current = self._controller.current
        plane = current is not None and len(current.source.indices()) == 1
        zarr = [ZARR] if importlib.util.find_spec("zarr") is not None else []
        return [TIFF, *zarr, *([PNG] if plane and with_png else [])]

    def _save_all(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Save all segmentations in a folder", str(self._target()))
        if folder:
            self._remember(Path(folder))
            notify_refusals(self._controller.files.save_all)(folder)

    def _open(self, read: Callable[[str], None], title: str, kinds: str) -> Callable[[], None]:
        def choose() -> None:
            path, _ = QFileDialog.getOpenFileName(self, title, str(self._source()), kinds)
            if path:
                self._controller.settings.remember_folder(Path(path).parent)
                read(path)

        return notify_refusals(choose)

    def _apply_to_folder(self) -> None:
        # Refused now rather than when all is chosen.
        self._controller.files.named_probe()
        FolderDialog(self, self._source(), notify_refusals(self._start_folder)).open()

    def _start_folder(self, order: FolderOrder) -> None:
        self._remember(order.output)
        self._controller.folder.start(order, self._controller.files.named_probe())
        self._output = order.output

    def _say_folder(self, results: Results) -> None:
        said = summary(results, self._output)
        (show_warning if results.failures.sentences else show_info)(said)

    def _stop(self) -> None:
        for work in self._works:
            if work.progress is not None:
                work.cancel()
                return

    def _remember(self, folder: Path) -> None:
        self._saved_to = folder
        self._controller.settings.remember_folder(folder)

    def _source(self) -> Path:
        """Where the image lies; else where a file was opened or saved last."""
        current = self._controller.current
        path = None if current is None else current.source.layer.source.path
        return Path(path).parent if path else self._controller.settings.memory.last_folder or Path.home()

    def _target(self) -> Path:
        """Where something was saved last, as long as the window is open; at first where the image lies."""
        return self._saved_to or self._source()


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
    show_info(f"Segmented {planes} plane{'s' if planes > 1 else ''}." if planes else "All planes are segmented by it.")
