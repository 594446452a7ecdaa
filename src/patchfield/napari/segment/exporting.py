"""Results as files: of one probe throughout, all planes, whole or not at all."""

import os
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from patchfield.batch.areas import AreaTable, class_areas
from patchfield.batch.job import Job as Batch
from patchfield.batch.names import output_names
from patchfield.batch.outputs import check_folder, check_ours
from patchfield.batch.results import ResultFolder
from patchfield.errors import LabelError
from patchfield.images import PlaneIndex, check_writable, write_labels, write_map
from patchfield.napari.jobs import Job
from patchfield.napari.layers.roles import Role, find
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.segment.apply import Applied, Task, Using, Waiting, tasks_of
from patchfield.napari.segment.background import Background
from patchfield.napari.session.results import Made
from patchfield.probe import ClassInfo, LinearProbe

TABLE = "areas.csv"
_IN_MEMORY = 2**29
"""Bytes of probability maps that are held in memory until they are written; more are held in a temporary file."""


@dataclass(frozen=True)
class Wanted:
    """What is to be written of an image, and where.

    Attributes
    ----------
    source : LayerStack
    name : str
        What the image is called in a table.
    segmentation, probabilities, areas : Path or None
    """

    source: LayerStack
    name: str
    segmentation: Path | None = None
    probabilities: Path | None = None
    areas: Path | None = None

    @property
    def files(self) -> list[Path]:
        return [path for path in (self.segmentation, self.probabilities, self.areas) if path is not None]


@dataclass(frozen=True)
class Written:
    """Files that are there now."""

    files: tuple[Path, ...]


@dataclass(frozen=True, eq=False)
class Order:
    """An image to be written: its planes, those among them that the probe has segmented, names and colours."""

    wanted: Wanted
    tasks: list[Task]
    known: Mapping[PlaneIndex, NDArray[Any]]
    classes: Mapping[int, ClassInfo]
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> list[Task]:
        """What is to be computed: all planes where features are asked for, else those that are not segmented."""
        if self.wanted.probabilities is not None:
            return self.tasks
        return [task for task in self.tasks if task.plane.index not in self.known]


class Exporting(Background):
    """Writes segmentations, probabilities and areas of images.

    What is missing of a segmentation, or was made by an earlier probe, is segmented first: a file is of one probe.
    Painting goes on meanwhile and changes nothing of what is written.
    """

    written = Signal(tuple)
    """These files were written."""
    title = "Saving"

    def save(self, wanted: Sequence[Wanted]) -> None:
        """Write results of some images with the probe as it is now.

        Raises
        ------
        ProbeError
            When there is no probe.
        ImageError
            When a format cannot hold a result.
        """
        using = Using.of(self._workspace)
        orders = [self._order(each, using.probe) for each in wanted]
        planes = sum(len(order.missing) for order in orders)
        work = partial(_export, using, orders)
        self._begin(planes, "planes", Job(work, self._on_step, self._fail))

    def of_all_images(self, folder: Path, suffix: str = "tif", *, probabilities: bool = False) -> list[Wanted]:
        """Segmentations of all open images in a folder, named after them, and a table of their areas.

        Raises
        ------
        OutputError
            When the folder cannot be written to, or a file would be replaced that is not ours.
        """
        annotations = self._workspace.annotations
        sources = [annotations.source_of(layer) for layer in reversed(annotations.choices)]
        check_folder(folder)
        wanted = []
        for source, name in zip(sources, names_of(sources), strict=True):
            maps = folder / f"{name}_probability.{suffix}" if probabilities else None
            wanted.append(Wanted(source, name, folder / f"{name}_segmentation.{suffix}", maps, folder / TABLE))
        check_ours(path for each in wanted for path in each.files if path.name != TABLE)
        return wanted

    def _order(self, wanted: Wanted, probe: LinearProbe) -> Order:
        source, workspace = wanted.source, self._workspace
        tasks, whole = tasks_of(workspace, source), Made(probe.identity)
        for path in (wanted.segmentation, wanted.probabilities):
            if path is not None:
                check_writable(path, len(tasks), int(probe.values.max()))
        layer = find(workspace.viewer, source, Role.SEGMENTATION)
        current = [index for index, made in workspace.results.made(source).items() if made == whole]
        # Copies, because painting goes on.
        known = {index: np.array(layer.data[index]) for index in current} if layer is not None else {}
        infos = workspace.classes.infos
        classes = {value: infos.get(value, info) for value, info in probe.classes.items()}
        return Order(wanted, tasks, known, classes, _provenance(wanted, probe.named(classes)))

    def _on_step(self, step: Waiting | Applied | Written) -> None:
        match step:
            case Applied(task, values, probe) if self.progress is not None:
                if probe is self._workspace.live.probe:
                    self._workspace.results.draw_plane(task.source, task.plane.index, values, probe)
                self._step()
            case Written(files):
                self._set_progress(None)
                self.written.emit(files)


def names_of(sources: Sequence[LayerStack]) -> list[str]:
    """A different name for the results of every image: that of its file or layer, where these repeat with a number."""
    files = [_file(source) for source in sources]
    of_files = output_names([file for file in dict.fromkeys(files) if file is not None])
    names: list[str] = []
    for source, file in zip(sources, files, strict=True):
        name = of_files[file] if file is not None else plain_name(source.title)
        number, unique = 2, name
        while unique.casefold() in {other.casefold() for other in names}:
            number, unique = number + 1, f"{name}_{number}"
        names.append(unique)
    return names


def plain_name(title: str) -> str:
    """The name of a layer as that of a file.

    Examples
    --------
    >>> plain_name("steel: 40 x/2 [1]"), plain_name("..")
    ('steel_ 40 x_2 [1]', 'image')
    """
    plain = "".join("_" if letter in '<>:"/\\|?*' or not letter.isprintable() else letter for letter in title)
    return plain.strip(" .")[:100] or "image"


def _file(source: LayerStack) -> Path | None:
    return Path(source.layer.source.path) if source.layer.source.path else source.file


def _provenance(wanted: Wanted, probe: LinearProbe) -> dict[str, str]:
    """What is said of a result: as the command line does, where that would make the same of the image's file."""
    source, path = wanted.source, wanted.segmentation or wanted.probabilities
    seen = probe.recipes[0].image
    if path is None or source.file is None or source.settings != seen:
        return {"image": source.title, "probe": probe.fingerprint}
    batch = Batch((source.file,), path.parent, axes=seen.axes)
    return ResultFolder(path.parent, ()).provenance(source.file, {"probe": probe.fingerprint, **batch.made_with})


def _export(using: Using, orders: Sequence[Order]) -> Generator[Waiting | Applied | Written, None, None]:
    files: list[Path] = []
    for order in orders:
        yield from _export_image(using, order)
        files += [path for path in order.wanted.files if path not in files]
    yield Written(tuple(files))


def _export_image(using: Using, order: Order) -> Iterator[Waiting | Applied]:
    wanted, source = order.wanted, order.wanted.source
    planes, maps = dict(order.known), _Maps(source, len(using.probe.values))
    for step in using.segment(order.missing):
        if isinstance(step, Applied):
            index = step.task.plane.index
            planes.setdefault(index, step.values)
            if wanted.probabilities is not None:
                maps.add(index, using.probe.probabilities(step.field))
        yield step
    if wanted.segmentation is not None:
        values = np.stack([planes[index] for index in source.indices()]).reshape(source.labels_shape)
        write_labels(wanted.segmentation, values, source.calibration, source.axes, order.classes, order.provenance)
    if wanted.probabilities is not None:
        write_map(wanted.probabilities, maps.values, source.calibration, source.axes, order.provenance)
    if wanted.areas is not None:
        names = {value: info.name for value, info in order.classes.items()}
        path = _file(source) or Path(source.title)
        rows = [
            row
            for index in source.indices()
            for row in class_areas(wanted.name, path, index, planes[index], names, source.calibration)
        ]
        AreaTable(wanted.areas).replace(wanted.name, rows)


class _Maps:
    """Probability maps of all planes, (*lengths, K, H, W) float32, in memory or, if large, in a nameless file."""

    def __init__(self, source: LayerStack, count: int) -> None:
        self._shape = (*source.lengths, count, *source.shape)
        self._values: NDArray[np.float32] | None = None

    @property
    def values(self) -> NDArray[np.float32]:
        if self._values is None:
            self._values = _room(self._shape)
        return self._values

    def add(self, index: PlaneIndex, maps: NDArray[np.float32]) -> None:
        self.values[index] = maps


def _room(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Zeros of some shape.

    Raises
    ------
    LabelError
        When the folder for temporary files has no room for them.
    """
    nbytes = 4 * int(np.prod(shape))
    if nbytes <= _IN_MEMORY:
        return np.zeros(shape, np.float32)
    with tempfile.TemporaryFile(prefix="patchfield-") as file:  # the mapping keeps the nameless file alive
        try:
            os.truncate(file.fileno(), nbytes)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, nbytes)
        except OSError as error:
            raise LabelError(
                f"The folder for temporary files, {tempfile.gettempdir()}, has no room for {nbytes / 2**30:.1f} GiB of "
                f"probabilities ({error.strerror}): make room, or set TMPDIR to a folder on a larger disk."
            ) from error
        return np.memmap(file, np.float32, "r+", shape=shape)
