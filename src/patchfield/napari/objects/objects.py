"""The objects of a class in the image that is painted on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Labels
from psygnal import Signal

from patchfield.batch.objects import COLUMNS
from patchfield.batch.tables import SharedTable
from patchfield.errors import LabelError
from patchfield.images import LabelStack, PlaneIndex
from patchfield.napari.jobs import Job
from patchfield.napari.layers import roles
from patchfield.napari.layers.annotated import AnnotatedImage
from patchfield.napari.layers.instances import show_instances
from patchfield.napari.layers.places import Places
from patchfield.napari.layers.roles import Role
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.objects.finding import Finding, Found, find, pixels_of
from patchfield.napari.objects.options import ObjectOptions
from patchfield.napari.segment.background import Background
from patchfield.napari.session.places import Place
from patchfield.napari.session.planes import Plane
from patchfield.napari.session.results import ResultState
from patchfield.napari.session.status import Progress
from patchfield.napari.workspace import Workspace
from patchfield.objects import ObjectTable, size_distribution
from patchfield.probe import ClassInfo

Made = Mapping[PlaneIndex, object]


@dataclass(frozen=True, eq=False)
class Measured:
    """Objects that were found in an image.

    Attributes
    ----------
    source : LayerStack
    index : tuple of int or None
        The plane; None for all of them.
    options : ObjectOptions
    classes : dict of int to ClassInfo
        As they were called then.
    made : mapping
        By which probe the planes of the segmentation were made.
    table : ObjectTable
    fractions : dict of int to float
        Share of each class in what was measured.
    """

    source: LayerStack
    index: PlaneIndex | None
    options: ObjectOptions
    classes: Mapping[int, ClassInfo]
    made: Made
    table: ObjectTable
    fractions: Mapping[int, float]

    @property
    def class_name(self) -> str:
        """The class whose objects they are."""
        value = self.options.value
        return self.classes[value].name if value in self.classes else str(value)

    def sentence(self) -> str:
        """How many, how much, and how large."""
        sizes = size_distribution(self.table)
        share = 100 * self.fractions.get(self.options.value, 0)
        objects = "1 object" if self.table.rows == 1 else f"{self.table.rows:,} objects"
        median = f", median diameter {sizes.median:.3g} {sizes.unit}" if sizes.count else ""
        return f"{objects} of {self.class_name} ({share:.1f} % of the pixels){median}"


class Objects(Background):
    """Finds and measures the objects of a class in the background, and keeps what was found last.

    Parameters
    ----------
    workspace : Workspace
    places : Places
        Goes to an object.

    Attributes
    ----------
    options : ObjectOptions
        What is counted as an object.
    progress : Progress or None
        Of the planes, while it goes on.
    measured : Measured or None
        What was found last; None once its image is gone.
    outdated : bool
        Whether the segmentation is another one since.
    """

    changed = Signal()
    """Progress, what was found, or whether it still holds."""
    written = Signal(Path)
    """A table was written."""
    title = "Finding objects"

    def __init__(self, workspace: Workspace, places: Places) -> None:
        super().__init__(workspace)
        self.options = ObjectOptions()
        self.measured: Measured | None = None
        self.outdated = False
        self._places = places
        workspace.results.changed.connect(self._compare)
        workspace.results.measured.connect(self._compare)
        workspace.annotations.images_changed.connect(self._on_images)

    def find(self, options: ObjectOptions | None = None) -> None:
        """Find the objects of a class of the current image's segmentation.

        Parameters
        ----------
        options : ObjectOptions, optional
            Those that were chosen last, where left out.

        Raises
        ------
        LabelError
            When there is no segmentation, planes of it are missing or not of one probe, or the class is not there.
        """
        self.options = options or self.options
        annotated, layer = self._segmented()
        whole = self.options.all_planes or self.options.volume
        source = annotated.source
        if whole and self._workspace.results.state(source) is not ResultState.CURRENT and len(source.indices()) > 1:
            raise LabelError(
                "Not all planes are segmented by the probe as it is now: apply it to all planes first (Apply to, All "
                "planes), or find the objects of the plane on view."
            )
        if self.options.value not in self._workspace.classes:
            raise LabelError(f"There is no class {self.options.value}: choose another in the Objects section.")
        shown = source.index_at(self._workspace.viewer.dims.point)
        index = None if whole or not source.lengths else shown
        finding = self._finding(source, layer, index)
        measured = partial(self._on_step, finding, source, dict(self._workspace.results.made(source)))
        self._set_progress(Progress(0, 0, "planes"))
        self._slot.submit(Job(partial(find, finding), measured, self._fail), interrupt=True)

    def go_to(self, row: int) -> None:
        """Center an object, given its row in the table, with a ring around it."""
        if self.measured is None or not 0 <= row < self.measured.table.rows:
            return
        table, source = self.measured.table, self.measured.source
        index = () if not source.lengths else self._index_of(row)
        extents = [int(table[f"last {axis}"][row] - table[f"first {axis}"][row]) + 1 for axis in ("row", "column")]
        middle = [float(table[f"first {axis}"][row] + table[f"last {axis}"][row]) / 2 for axis in ("row", "column")]
        place = Place(Plane(source.id, index), middle[0], middle[1], extent=float(max(extents)))
        if self._places.visit(place):
            layer = roles.find(self._workspace.viewer, source, Role.OBJECTS)
            if isinstance(layer, Labels):
                layer.selected_label = int(table["object"][row])

    def write(self, path: str | Path) -> None:
        """Write what was measured to a CSV file, as ``patchfield objects`` does: rows of other images in it stay.

        Raises
        ------
        LabelError
            When nothing was measured.
        """
        measured = self.measured
        if measured is None:
            raise LabelError("There is nothing to write yet: find objects first.")
        name = measured.source.title
        begin = {
            "image": name,
            "path": str(measured.source.file or ""),
            "label": str(measured.options.value),
            "name": measured.class_name,
            "made with": measured.options.job(measured.class_name).made_with,
        }
        work = partial(_write, Path(path), name, begin, measured.table)
        self._workspace.runner.start(Job(work, self.written.emit, self._workspace.on_error))

    @property
    def command(self) -> str:
        """The command that finds the same objects in the segmentation, once that is saved."""
        current, value = self._workspace.current, self.options.value
        name = "image" if current is None else Path(current.source.title).stem
        class_name = self._workspace.classes[value].name if value in self._workspace.classes else str(value)
        return self.options.command(class_name, f"{name}_segmentation.tif")

    def close(self) -> None:
        """Stop without another word."""
        super().close()
        self.measured = None

    def _segmented(self) -> tuple[AnnotatedImage, Labels]:
        current = self._workspace.current
        if current is None:
            raise LabelError("There is no image: open one, or choose one in the Images section.")
        layer = current.result(Role.SEGMENTATION)
        if not isinstance(layer, Labels) or self._workspace.results.state(current.source) is ResultState.NONE:
            raise LabelError("There is no segmentation to find objects in: paint two classes first, or load a probe.")
        return current, layer

    def _finding(self, source: LayerStack, layer: Labels, index: PlaneIndex | None) -> Finding:
        values = np.array(layer.data if index is None else layer.data[index])
        classes = self._workspace.classes.infos
        axes = source.axes if index is None else ""
        labels = LabelStack("The segmentation", values, axes, source.calibration, classes)
        indices = source.indices() if index is None else [index]
        pixels = pixels_of(source, indices, labels.lengths) if self.options.intensity else None
        return Finding(labels, index, pixels, self.options)

    def _on_step(self, finding: Finding, source: LayerStack, made: Made, step: Progress | Found) -> None:
        if isinstance(step, Progress):
            self._set_progress(step)
            return
        self.progress = None
        # The image may be gone, or another one, by now.
        if source.id in self._workspace.annotations and self._source(source.id) is source:
            classes = finding.labels.classes
            infos = {value: ClassInfo(info.name, info.color) for value, info in classes.items()}
            options = finding.options
            self.measured = Measured(source, finding.index, options, infos, made, step.table, step.fractions)
            show_instances(self._workspace.viewer, source, step.instances, finding.index, step.table)
            self.outdated = self._is_outdated(self.measured)
        self.changed.emit()

    def _source(self, image: str) -> LayerStack:
        return self._workspace.annotations[image].source

    def _index_of(self, row: int) -> PlaneIndex:
        """The plane of an object; of a body in a volume the one of its middle."""
        assert self.measured is not None
        measured, source = self.measured, self.measured.source
        text = str(measured.table["plane"][row])
        index = tuple(int(part) for part in text.split())
        if "centroid slice (px)" in measured.table:
            slices = source.axes.index("Z") if "Z" in source.axes else len(source.lengths) - 1
            rest = index if len(source.lengths) > 1 else ()
            index = (*rest[:slices], round(float(measured.table["centroid slice (px)"][row])), *rest[slices:])
        return index

    def _compare(self, source: Any = None) -> None:
        """Mark what was found when the segmentation is another one since."""
        if self.measured is not None:
            outdated = self._is_outdated(self.measured)
            if outdated != self.outdated:
                self.outdated = outdated
                self.changed.emit()

    def _is_outdated(self, measured: Measured) -> bool:
        now = self._workspace.results.made(measured.source)
        planes = measured.source.indices() if measured.index is None else [measured.index]
        return any(now.get(index) != measured.made.get(index) for index in planes)

    def _on_images(self) -> None:
        if self.measured is not None and self.measured.source.layer not in self._workspace.viewer.layers:
            self.measured = None
            self.outdated = False
            self.changed.emit()


def _write(path: Path, name: str, begin: Mapping[str, str], table: ObjectTable) -> Iterator[Path]:
    SharedTable(path, COLUMNS, "objects", grows=True).replace(name, [{**begin, **row} for row in table.cells()])
    yield path
