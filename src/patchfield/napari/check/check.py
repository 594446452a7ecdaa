"""What the strokes themselves say about the probe: agreement, strokes that disagree, and what it goes by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from psygnal import Signal

from patchfield.backbones import Backbone
from patchfield.errors import ProbeError
from patchfield.field import FeatureField
from patchfield.napari.jobs import Job
from patchfield.napari.layers.places import Places
from patchfield.napari.segment.background import Background
from patchfield.napari.segment.updates import training_pairs
from patchfield.napari.session.places import Place
from patchfield.napari.session.planes import Plane
from patchfield.napari.session.status import Progress
from patchfield.napari.workspace import Workspace
from patchfield.probe import (
    Agreement,
    ChannelGroup,
    Importance,
    LinearProbe,
    PaintedPixels,
    StrokeResult,
    channel_groups,
)
from patchfield.probe.importance import importance_steps

EXPLANATION = (
    "Whole strokes are held out and predicted from the others; the share of a class's pixels that are right. It says "
    "nothing about places that nobody painted."
)
MIN_STROKES = "Paint at least three strokes of each class to see how well they agree."
NO_GROUPS = "These features are one group: join several backbones, or use filters, to see what counts."


@dataclass(frozen=True)
class Doubt:
    """A stroke that a probe which did not know it takes for another class.

    Attributes
    ----------
    result : StrokeResult
    plane : Plane or None
        Where it is; None for a stroke of an image that is not open.
    name : str
        Of its image.
    """

    result: StrokeResult
    plane: Plane | None
    name: str


class Check(Background):
    """How far the probe can be trusted, and where to look.

    Parameters
    ----------
    workspace : Workspace
    places : Places
        Goes to a stroke.

    Attributes
    ----------
    importance : tuple of Importance
        What each group of features is worth, the most important first; empty until it was asked for, and once the
        strokes are others.
    progress : Progress or None
        Of the groups, while their importance is computed.
    """

    changed = Signal()
    """The agreement, the importance or its progress is another one."""
    title = "What the probe goes by"

    def __init__(self, workspace: Workspace, places: Places) -> None:
        super().__init__(workspace)
        self.importance: tuple[Importance, ...] = ()
        self._places = places
        self._shown: Agreement | None = None
        workspace.live.changed.connect(self._on_live)
        workspace.annotations.images_changed.connect(self._on_images)

    @property
    def agreement(self) -> Agreement | None:
        """How well strokes that were held out are predicted; None while there are too few, or they just changed."""
        return self._workspace.live.agreement

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Strokes that disagree, the worst first."""
        if self.agreement is None:
            return ()
        return tuple(self._doubt(result) for result in self.agreement.disagreeing)

    def go_to(self, doubt: Doubt) -> bool:
        """Center a stroke, with a ring around it; False where its image is not open."""
        if doubt.plane is None:
            return False
        row, column = doubt.result.centre
        return self._places.visit(Place(doubt.plane, row, column, extent=24.0))

    def back(self) -> None:
        """Go back to what was seen before."""
        self._places.back()

    def weigh(self) -> None:
        """Compute, in the background, how much worse unseen strokes are predicted without each group of features.

        Raises
        ------
        ProbeError
            When there is no probe, or its features are one group.
        """
        probe, groups = self._workspace.live.probe, self.groups()
        if probe is None:
            raise ProbeError("There is no probe yet: paint two classes first, or load a probe.")
        if not groups:
            raise ProbeError(NO_GROUPS)
        pairs = training_pairs(self._workspace.labelled())
        self._set_progress(Progress(0, len(groups), "groups"))
        work = partial(_weigh, pairs, groups, probe)
        self._slot.submit(Job(work, self._on_step, self._fail), interrupt=True)

    def groups(self) -> tuple[ChannelGroup, ...]:
        """The groups of features that can be left out; none while nothing was loaded."""
        extractor = self._workspace.features.extractor
        backbones: Sequence[Backbone] = () if extractor is None else extractor.backbones
        return channel_groups(backbones)

    def _doubt(self, result: StrokeResult) -> Doubt:
        judged, annotations = self._workspace.live.judged, self._workspace.annotations
        plane = None if result.pair is None or result.pair >= len(judged) else judged[result.pair]
        if plane is None or plane.image not in annotations:
            return Doubt(result, None, result.image.name or "an image of an earlier day")
        index = " ".join(map(str, plane.index))
        name = annotations[plane.image].source.title
        return Doubt(result, plane, f"{name}, plane {index}" if index else name)

    def _on_live(self) -> None:
        if self.agreement is not self._shown:
            self._shown = self.agreement
            if self.agreement is None and (self.importance or self.progress is not None):
                self._slot.cancel()
                self.importance, self.progress = (), None
            self.changed.emit()

    def _on_images(self) -> None:
        self.changed.emit()

    def _on_step(self, step: Progress | tuple[Importance, ...] | None) -> None:
        if isinstance(step, Progress):
            self._set_progress(step)
        else:
            self.importance = step or ()
            self._set_progress(None)
            if step is None:
                self._workspace.on_error(ProbeError(MIN_STROKES))


def _weigh(
    pairs: list[tuple[FeatureField, PaintedPixels]], groups: Sequence[ChannelGroup], probe: LinearProbe
) -> Iterator[Progress | tuple[Importance, ...] | None]:
    """Each group is a step after which it can be cancelled; None where there are too few strokes."""
    found: list[Importance] = []
    for step in importance_steps(pairs, groups, probe):
        if step is None:
            yield None
            return
        found.append(step)
        yield Progress(len(found), len(groups), "groups")
    yield tuple(sorted(found, key=lambda entry: -entry.loss))
