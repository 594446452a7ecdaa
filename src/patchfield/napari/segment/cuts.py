"""Views that cut through many planes: rolled, transposed, or in three dimensions."""

from collections.abc import Iterator, Sequence
from functools import partial

from napari.components import ViewerModel

from patchfield.images import PlaneIndex
from patchfield.napari.jobs import Job, Slot
from patchfield.napari.segment.drawing import Drawn, Target, Waiting, draw_rest, draw_view
from patchfield.napari.session.planes import Plane
from patchfield.napari.session.view import Show
from patchfield.napari.workspace import Workspace
from patchfield.probe import LinearProbe


class CutPlanes:
    """Keeps segmented what a view shows of other planes than the one that is live, as far as they have features.

    Where the canvas shows rows and columns, one plane is in view, and it follows every stroke. Any other view shows a
    row of each plane: of these, those with features (all that were painted or looked at) are brought up to date after
    every stroke, the nearest first. All others are segmented on request, as a whole stack.

    Parameters
    ----------
    workspace : Workspace
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._slot = Slot(workspace.runner)
        self._asked: tuple[str, list[Plane]] | None = None
        workspace.live.changed.connect(self._update)
        dims = workspace.viewer.dims.events
        dims.order.connect(self._update)
        dims.ndisplay.connect(self._update)

    def close(self) -> None:
        """Stop, and stop listening."""
        self._slot.cancel()
        dims = self._workspace.viewer.dims.events
        dims.order.disconnect(self._update)
        dims.ndisplay.disconnect(self._update)

    def _update(self, event: object = None) -> None:
        live = self._workspace.live
        if not cuts(self._workspace.viewer) or live.probe is None:
            self._asked = None
            self._slot.cancel()
            return
        if live.updating or live.stale:
            return
        targets = self._outdated(live.probe.identity)
        asked = (live.probe.identity, [target.plane for target in targets])
        if targets and asked != self._asked and not (self._slot.busy and self._continues(asked)):
            self._asked = asked
            job = Job(partial(_draw, live.probe, targets), self._on_step, self._workspace.on_error)
            self._slot.submit(job, interrupt=True)

    def _on_step(self, step: Drawn | Waiting) -> None:
        if isinstance(step, Drawn):
            self._workspace.draw(step)

    def _continues(self, asked: tuple[str, list[Plane]]) -> bool:
        """Whether what is under way is the same work, of which some is done by now."""
        return self._asked is not None and self._asked[0] == asked[0] and set(asked[1]) <= set(self._asked[1])

    def _outdated(self, identity: str) -> list[Target]:
        """The planes of the current image that have features and another probe's segmentation, or none."""
        workspace, current = self._workspace, self._workspace.current
        if current is None:
            return []
        source, made = current.source, workspace.results.made(current.source)
        here = source.index_at(workspace.viewer.dims.point)
        everything = (slice(0, source.shape[0]), slice(0, source.shape[1]))
        targets = []
        for index in source.indices():
            plane = current.plane(index)
            field = workspace.features.field(plane) if workspace.features.is_complete(plane) else None
            known = made.get(index)
            if field is not None and (known is None or known.probe != identity or not known.whole):
                targets.append(Target(plane, field, everything, complete=True))
        return sorted(targets, key=lambda target: _distance(target.plane.index, here))


def cuts(viewer: ViewerModel) -> bool:
    """Whether the canvas shows anything else than rows and columns of one plane.

    Examples
    --------
    >>> import numpy as np
    >>> viewer = ViewerModel()
    >>> layer = viewer.add_image(np.zeros((4, 32, 32)))
    >>> cuts(viewer)
    False
    >>> viewer.dims.order = (1, 0, 2)
    >>> cuts(viewer)
    True
    """
    dims = viewer.dims
    return dims.ndim > 2 and set(dims.displayed) != {dims.ndim - 2, dims.ndim - 1}


def _distance(index: PlaneIndex, other: PlaneIndex) -> int:
    return sum(abs(a - b) for a, b in zip(index, other, strict=True))


def _draw(probe: LinearProbe, targets: Sequence[Target]) -> Iterator[Drawn | Waiting]:
    for target in targets:
        draw = draw_view if target.is_small else draw_rest
        yield from draw(probe, target, Show.SEGMENTATION, 0)
