"""One probe on many planes: the whole stack, or all images that are open."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from patchfield.errors import ProbeError
from patchfield.field import FeatureField, FeatureRecipe
from patchfield.napari.jobs import Job
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.segment.background import Background
from patchfield.napari.segment.extraction import Loaded, load_extractor
from patchfield.napari.session.planes import Plane
from patchfield.napari.session.results import Made
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
    """A plane and its segmentation, (H, W), by a probe of its whole field."""

    task: Task
    values: NDArray[np.unsignedinteger]
    probe: LinearProbe
    field: FeatureField


@dataclass(frozen=True)
class Using:
    """A probe as it is at some moment, and what makes its features."""

    probe: LinearProbe
    recipes: tuple[FeatureRecipe, ...]
    device: str
    extractor: Extractor | None

    @classmethod
    def of(cls, workspace: Workspace) -> "Using":
        """What segments now.

        Raises
        ------
        ProbeError
            When nothing does.
        """
        probe, features = workspace.live.probe, workspace.features
        if probe is None:
            raise ProbeError("There is nothing to segment with yet: paint two classes, or load a probe.")
        return cls(probe, features.recipes, features.device, features.extractor)

    def segment(self, tasks: Iterable[Task]) -> Generator[Waiting | Applied, None, None]:
        """Segment planes, the backbones being loaded first where that is still to do."""
        extractor = self.extractor
        if extractor is None:
            for loading in load_extractor(self.recipes, self.device):
                extractor = loading.extractor if isinstance(loading, Loaded) else extractor
                yield Waiting()
        assert extractor is not None
        for task in tasks:
            plane = PlaneTask(task.source, task.plane.index, task.field, task.source.settings)
            for step in segment_planes([plane], self.probe, extractor):
                if step.labels is None or step.field is None:
                    yield Waiting()
                else:
                    yield Applied(task, step.labels, self.probe, step.field)


def tasks_of(workspace: Workspace, source: LayerStack) -> list[Task]:
    """All planes of an image."""
    features, planes = workspace.features, [Plane(source.id, index) for index in source.indices()]
    return [Task(source, plane, features.field(plane) if features.is_complete(plane) else None) for plane in planes]


class Applying(Background):
    """Segments planes in the background with the probe as it is now; painting goes on meanwhile.

    Planes that this very probe has segmented are left as they are.
    """

    finished = Signal(int)
    """So many planes were segmented."""
    title = "Segmenting"

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

    def to_all_images(self) -> None:
        """Segment every image that is open, all planes of each.

        Raises
        ------
        ProbeError
            When there is no probe, or no image.
        """
        annotations = self._workspace.annotations
        self._start([annotations.source_of(layer) for layer in reversed(annotations.choices)])

    def to_all_planes(self) -> None:
        """Segment every plane of the current image.

        Raises
        ------
        ProbeError
            When there is no probe.
        """
        if self._workspace.current is not None:
            self._start([self._workspace.current.source])

    def _start(self, sources: Sequence[LayerStack]) -> None:
        using, results = Using.of(self._workspace), self._workspace.results
        if not sources:
            raise ProbeError("No other image is open: add the images that this probe should segment to napari.")
        whole = Made(using.probe.identity)
        tasks = []
        for source in sources:
            made = results.made(source)
            tasks += [task for task in tasks_of(self._workspace, source) if made.get(task.plane.index) != whole]
        if tasks:
            work = partial(using.segment, tasks)
            self._begin(len(tasks), "planes", Job(work, self._on_step, self._fail))
        else:
            self.finished.emit(0)

    def _on_step(self, step: Waiting | Applied) -> None:
        if not isinstance(step, Applied) or self.progress is None:
            return
        self._workspace.results.draw_plane(step.task.source, step.task.plane.index, step.values, step.probe)
        self._step()
        if self.progress.done == self.progress.total:
            done = self.progress.total
            self._set_progress(None)
            self.finished.emit(done)
