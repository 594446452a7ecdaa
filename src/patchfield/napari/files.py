"""Probe, labels and segmentations as files."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from patchfield.errors import LabelError, PatchfieldError, ProbeError
from patchfield.images import (
    LabelStack,
    PlaneIndex,
    Stack,
    check_writable,
    labels_of_planes,
    read_label_stack,
    write_labels,
)
from patchfield.napari.jobs import Job
from patchfield.napari.layers.annotated import AnnotatedImage
from patchfield.napari.segment.arriving import question_about, seen_alike
from patchfield.napari.segment.exporting import Exporting, Wanted, names_of
from patchfield.napari.session.questions import Ask, without_asking
from patchfield.napari.workspace import Workspace
from patchfield.probe import ClassInfo, LinearProbe

R = TypeVar("R")
Endings = tuple[str, ...]
"""What a file may end with; the first one is appended to a name without."""

PROBE_ENDINGS: Endings = (".probe",)
LABEL_ENDINGS: Endings = (".tif", ".tiff", ".png", ".zarr")
MAP_ENDINGS: Endings = (".tif", ".tiff", ".png", ".zarr")
TABLE_ENDINGS: Endings = (".csv",)
LabelledPlanes = dict[PlaneIndex, NDArray[Any]]


class Files:
    """Reads and writes beside the painting; everything is written whole or not at all.

    No file that an open layer was read from is ever replaced.

    Parameters
    ----------
    workspace : Workspace

    Attributes
    ----------
    ask : callable
        Asks a :class:`patchfield.napari.session.questions.Question`; goes on without asking at first.
    exporting : Exporting
        Writes results.
    """

    written = Signal(Path)
    """A file was written."""

    def __init__(self, workspace: Workspace) -> None:
        self.ask: Ask = without_asking
        self.exporting = Exporting(workspace)
        self.exporting.written.connect(self._on_written)
        self._workspace = workspace
        self._read_from: set[Path] = set()

    def close(self) -> None:
        """Stop writing; what is half done is not there."""
        self.exporting.close()

    def save_probe(self, path: str | Path) -> None:
        """Write the probe with the names and colours that the classes have now.

        Raises
        ------
        ProbeError
            When there is none, or when no file can say how the images are seen that it was trained on.
        """
        probe = self.named_probe()
        path = with_ending(path, PROBE_ENDINGS)
        self._write(path, partial(probe.save, path))

    def named_probe(self) -> LinearProbe:
        """The probe as it is to be saved, with the names and colours that the classes have now.

        Raises
        ------
        ProbeError
            As :meth:`save_probe`.
        """
        probe = self._workspace.live.probe
        if probe is None:
            raise ProbeError("There is no probe yet: paint two classes, then save it.")
        if probe is not self._workspace.live.loaded:
            self._check_that_one_recipe_says_it_all()
        return probe.named(self._workspace.classes.infos)

    def load_probe(self, path: str | Path) -> None:
        """Read a probe, ask if it changes how images are seen, make features in its way, and segment with it."""
        self._run(partial(LinearProbe.load, path), self._arrive)

    def save_labels(self, path: str | Path) -> None:
        """Write the strokes of the current image."""
        path, source = with_ending(path, LABEL_ENDINGS), self._current.source
        # A copy, because painting goes on.
        labels, classes = np.array(self._current.labels.data), self._workspace.classes.infos
        check_writable(path, len(source.indices()), int(labels.max(initial=0)))
        write = partial(write_labels, path, labels, source.calibration, source.axes, classes)
        self._write(path, write)

    def save_segmentation(self, path: str | Path) -> None:
        """Write the segmentation of the current image; planes that are missing or outdated are segmented first.

        Raises
        ------
        LabelError
            When there is no probe, or a file would be replaced that is open here.
        ImageError
            When the format cannot hold it.
        """
        path = self._checked(path, LABEL_ENDINGS, "segmentation")
        self.exporting.save([Wanted(self._current.source, self.name, segmentation=path)])

    def save_probabilities(self, path: str | Path) -> None:
        """Write one probability map per class, of all planes of the current image.

        Raises
        ------
        LabelError, ImageError
            As :meth:`save_segmentation`.
        """
        path = self._checked(path, MAP_ENDINGS, "probabilities")
        if path.suffix.lower() == ".png":
            raise LabelError(f"{path}: a PNG holds one map, and there is one for each class: choose TIFF or OME-Zarr.")
        self.exporting.save([Wanted(self._current.source, self.name, probabilities=path)])

    def save_areas(self, path: str | Path) -> None:
        """Write what each class covers of the current image, plane by plane, as the command line does; CSV.

        Raises
        ------
        LabelError, OutputError
            As :meth:`save_segmentation`; when the file is another table.
        """
        path = self._checked(path, TABLE_ENDINGS, "areas")
        self.exporting.save([Wanted(self._current.source, self.name, areas=path)])

    def save_all(self, folder: str | Path, suffix: str = "tif", *, probabilities: bool = False) -> None:
        """Write segmentations of all open images into a folder, named after them, and a table of their areas.

        Raises
        ------
        OutputError, ProbeError, ImageError
            As :meth:`Exporting.of_all_images` and :meth:`Exporting.save`.
        """
        wanted = self.exporting.of_all_images(Path(folder), suffix, probabilities=probabilities)
        for path in (path for each in wanted for path in each.files):
            self._check_that_nothing_is_lost(path)
        self.exporting.save(wanted)

    @property
    def name(self) -> str:
        """What results of the current image are called: ``NAME_segmentation.tif``."""
        return names_of([self._current.source])[0]

    def load_labels(self, path: str | Path) -> None:
        """Replace the strokes of the current image by those of a file, matched with the image by their axes.

        Labels of a single plane replace those of the plane on view.
        """
        annotated = self._current
        shown = annotated.source.index_at(self._workspace.viewer.dims.point)
        self._read_from.add(Path(path).resolve())
        self._run(partial(_read_labels, path, annotated.source, shown), partial(self._take_labels, annotated))

    @property
    def _current(self) -> AnnotatedImage:
        if self._workspace.current is None:
            raise LabelError("There is no image: open one, or choose one in the Images section.")
        return self._workspace.current

    def _take_labels(self, annotated: AnnotatedImage, read: tuple[LabelStack, LabelledPlanes]) -> None:
        labels, planes = read
        annotated.replace_planes(planes, others=len(planes) < len(annotated.source.indices()))
        if labels.classes:
            known = self._workspace.classes.infos
            kept = {int(value): known[int(value)] for value in self._workspace.live.kept.values if value in known}
            self._workspace.classes.replace(kept | {v: ClassInfo(c.name, c.color) for v, c in labels.classes.items()})

    def _check_that_one_recipe_says_it_all(self) -> None:
        """A probe remembers one way to see images: all that it was trained on have to be seen in it."""
        sources = [annotated.source for annotated in self._workspace.annotations if annotated.snapshots]
        for source in sources:
            if source.joined:
                raise ProbeError(
                    f"The colours of {source.name} come from several layers, which a probe cannot say: save them as "
                    "one image and paint on that, or choose a channel of the layer itself."
                )
            if not seen_alike(source.settings, sources[0].settings):
                raise ProbeError(
                    f"{source.name} and {sources[0].name} are seen in different contrasts or channels, and a probe "
                    "remembers one: choose the same for both in the Images section, then save it."
                )

    def _arrive(self, probe: LinearProbe) -> None:
        question = question_about(probe, self._workspace)
        if question is None:
            self._workspace.adopt(probe)
        else:
            self.ask(question, partial(self._refusing, self._workspace.adopt, probe))

    def _checked(self, path: str | Path, endings: Endings, what: str) -> Path:
        if self._workspace.live.probe is None:
            raise LabelError(f"There are no {what} yet: paint two classes, then save them.")
        path = with_ending(path, endings)
        self._check_that_nothing_is_lost(path)
        return path

    def _on_written(self, files: tuple[Path, ...]) -> None:
        for file in files:
            self.written.emit(file)

    def _write(self, path: str | Path, write: Callable[[], None]) -> None:
        self._check_that_nothing_is_lost(Path(path))
        self._run(write, lambda _: self.written.emit(Path(path)))

    def _check_that_nothing_is_lost(self, path: Path) -> None:
        opened = {Path(layer.source.path).resolve() for layer in self._workspace.viewer.layers if layer.source.path}
        if path.resolve() in opened | self._read_from:
            raise LabelError(f"{path} is open here, and writing would replace it: choose another name.")

    def _refusing(self, call: Callable[[R], None], value: R) -> None:
        try:
            call(value)
        except PatchfieldError as refusal:
            self._workspace.on_error(refusal)

    def _run(self, call: Callable[[], R], take: Callable[[R], None]) -> None:
        def work() -> Iterator[R]:
            yield call()

        deliver = partial(self._refusing, take)
        self._workspace.runner.start(Job(work, deliver, self._workspace.on_error))


def _read_labels(path: str | Path, stack: Stack, shown: PlaneIndex) -> tuple[LabelStack, LabelledPlanes]:
    """Labels of a file, and what belongs to which plane of an image."""
    labels = read_label_stack(path, stack)
    single = all(length == 1 for length in labels.lengths)
    return labels, labels_of_planes(labels, stack, shown if single else None)


def with_ending(path: str | Path, endings: Endings) -> Path:
    """A path that ends as its format does.

    Raises
    ------
    LabelError
        When a file is there under the completed name: nobody was asked whether it may be replaced.

    Examples
    --------
    >>> with_ending("results/steel.v2", (".tif", ".png")).name, with_ending("a.PNG", (".tif", ".png")).name
    ('steel.v2.tif', 'a.PNG')
    """
    path = Path(path)
    if path.suffix.lower() in endings:
        return path
    completed = path.with_name(f"{path.name}{endings[0]}")
    if completed.exists():
        raise LabelError(f"{completed} is there already: choose that name itself to replace it.")
    return completed
