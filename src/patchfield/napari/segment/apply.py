"""One probe on many planes: the other images that are open, or the whole stack."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from psygnal import Signal

from patchfield.backbones import Backbone
from patchfield.errors import ProbeError
from patchfield.field import FeatureField
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import Job, Slot
from patchfield.napari.layers.stack import ImageSource, Plane
from patchfield.napari.segment.features import FeatureSpec
from patchfield.napari.session.status import Progress
from patchfield.probe import LinearProbe


@dataclass(frozen=True)
class Task:
    """A plane to segment, and its field where that is known already."""

    source: ImageSource
    plane: Plane
    field: FeatureField | None


@dataclass(frozen=True)
class Applied:
    """A plane and its segmentation; None while its features are still being computed."""

    task: Task
    values: np.ndarray | None


class Applying:
    """Segments planes in the background with the probe as it is now; painting goes on meanwhile."""

    changed = Signal()
    """Progress."""
    finished = Signal(int)
    """So many planes were segmented."""

    def __init__(self, controller: Controller) -> None:
        self.progress: Progress | None = None
        self._controller = controller
        self._slot = Slot(controller.runner)

    def to_other_images(self) -> None:
        """Segment every other image that is open, all planes of each."""
        current = self._controller.current
        others = [
            layer
            for layer in self._controller.annotations.choices
            if current is None or layer is not current.source.layer
        ]
        self._start([self._controller.annotations.source_of(layer) for layer in others])

    def to_all_planes(self) -> None:
        """Segment every plane of the current image."""
        if self._controller.current is not None:
            self._start([self._controller.current.source])

    def cancel(self) -> None:
        self._slot.cancel()
        self._tell(None)

    def _start(self, sources: Sequence[ImageSource]) -> None:
        probe, features = self._controller.live.probe, self._controller.features
        if probe is None:
            raise ProbeError("There is nothing to apply yet: paint two classes, or load a probe.")
        if not sources:
            raise ProbeError("No other image is open: add the images that this probe should segment to napari.")
        planes = [(source, Plane(source.id, index)) for source in sources for index in source.indices()]
        tasks = [
            Task(source, plane, features.field(plane) if features.is_complete(plane) else None)
            for source, plane in planes
        ]
        self._tell(Progress(0, len(tasks), "planes"))
        work = partial(_apply, probe, features.spec, features.backbone, tasks)
        self._slot.submit(Job(work, self._on_step, self._on_error), interrupt=True)

    def _on_step(self, applied: Applied) -> None:
        if applied.values is None or self.progress is None:
            return
        self._controller.results.paint_plane(applied.task.source, applied.task.plane.index, applied.values)
        done = self.progress.done + 1
        if done == self.progress.total:
            self._tell(None)
            self.finished.emit(done)
        else:
            self._tell(Progress(done, self.progress.total, "planes"))

    def _on_error(self, error: Exception) -> None:
        self._tell(None)
        self._controller.on_error(error)

    def _tell(self, progress: Progress | None) -> None:
        self.progress = progress
        self.changed.emit()


def _apply(
    probe: LinearProbe, spec: FeatureSpec, backbone: Backbone | None, tasks: Sequence[Task]
) -> Iterator[Applied]:
    backbone = backbone or spec.load()
    for task in tasks:
        field = task.field
        if field is None:
            steps = spec.extraction(task.source, task.plane.index, backbone)
            for step in steps:
                field = step.field
                yield Applied(task, None)
        yield Applied(task, probe.segment(field))
