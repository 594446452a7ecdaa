"""One probe on many planes: the other images that are open, or the whole stack."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from patchfield.errors import ProbeError
from patchfield.field import FeatureField, FeatureRecipe
from patchfield.napari.jobs import Job, Slot
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.segment.extraction import Loaded, load_extractor
from patchfield.napari.session.planes import Plane
from patchfield.napari.session.status import Progress
from patchfield.napari.workspace import Workspace
from patchfield.pipeline import Extractor
from patchfield.probe import LinearProbe
from patchfield.probe.planes import PlaneTask, segment_planes


@dataclass(frozen=True, eq=False)
class Task:
    """A plane to segment, and its field where that is known already."""

    source: LayerStack
    plane: Plane
    field: FeatureField | None


@dataclass(frozen=True)
class Waiting:
    """Something goes on that has no result yet; the job can be cancelled here."""


@dataclass(frozen=True, eq=False)
class Applied:
    """A plane and its segmentation, (H, W), by a probe."""

    task: Task
    values: NDArray[np.unsignedinteger]
    probe: LinearProbe


class Applying:
    """Segments planes in the background with the probe as it is now; painting goes on meanwhile.

    Attributes
    ----------
    progress : Progress or None
        Of the planes, while it goes on.
    """

    changed = Signal()
    """Progress."""
    finished = Signal(int)
    """So many planes were segmented."""

    def __init__(self, workspace: Workspace) -> None:
        self.progress: Progress | None = None
        self._workspace = workspace
        self._slot = Slot(workspace.runner)

    def to_other_images(self) -> None:
        """Segment every other image that is open, all planes of each.

        Raises
        ------
        ProbeError
            When there is no probe, or no other image.
        """
        current, annotations = self._workspace.current, self._workspace.annotations
        others = [layer for layer in annotations.choices if current is None or layer is not current.source.layer]
        self._start([annotations.source_of(layer) for layer in others])

    def to_all_planes(self) -> None:
        """Segment every plane of the current image.

        Raises
        ------
        ProbeError
            When there is no probe.
        """
        if self._workspace.current is not None:
            self._start([self._workspace.current.source])

    def cancel(self) -> None:
        """Stop after the tile that is being computed."""
        self._slot.cancel()
        self._set_progress(None)

    def close(self) -> None:
        """Stop without another word."""
        self._slot.cancel()

    def _start(self, sources: Sequence[LayerStack]) -> None:
        probe, features = self._workspace.live.probe, self._workspace.features
        if probe is None:
            raise ProbeError("There is nothing to apply yet: paint two classes, or load a probe.")
        if not sources:
            raise ProbeError("No other image is open: add the images that this probe should segment to napari.")
        planes = [(source, Plane(source.id, index)) for source in sources for index in source.indices()]
        tasks = [
            Task(source, plane, features.field(plane) if features.is_complete(plane) else None)
            for source, plane in planes
        ]
        self._set_progress(Progress(0, len(tasks), "planes"))
        work = partial(_apply, probe, features.recipes, features.device, features.extractor, tasks)
        self._slot.submit(Job(work, self._on_step, self._on_error), interrupt=True)

    def _on_step(self, step: Waiting | Applied) -> None:
        match step:
            case Applied(task, values, probe) if self.progress is not None:
                self._workspace.results.draw_plane(task.source, task.plane.index, values, probe)
                self._count(self.progress)

    def _count(self, progress: Progress) -> None:
        done = progress.done + 1
        if done < progress.total:
            self._set_progress(Progress(done, progress.total, "planes"))
        else:
            self._set_progress(None)
            self.finished.emit(done)

    def _on_error(self, error: Exception) -> None:
        self._set_progress(None)
        self._workspace.on_error(error)

    def _set_progress(self, progress: Progress | None) -> None:
        self.progress = progress
        self.changed.emit()


def _apply(
    probe: LinearProbe,
    recipes: Sequence[FeatureRecipe],
    device: str,
    extractor: Extractor | None,
    tasks: Sequence[Task],
) -> Generator[Waiting | Applied, None, None]:
    if extractor is None:
        for loading in load_extractor(recipes, device):
            extractor = loading.extractor if isinstance(loading, Loaded) else extractor
            yield Waiting()
    assert extractor is not None
    for task in tasks:
        planes = [PlaneTask(task.source, task.plane.index, task.field)]
        for step in segment_planes(planes, probe, extractor.seen_with(task.source.settings)):
            yield Waiting() if step.labels is None else Applied(task, step.labels, probe)
