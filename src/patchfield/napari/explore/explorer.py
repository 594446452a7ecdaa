"""What can be seen in the features without labels, as a layer over the plane on view."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from patchfield.explore import Foreground, PrincipalComponents
from patchfield.field import FeatureField
from patchfield.napari.explore.brush import Brush
from patchfield.napari.explore.drawing import draw, recolor, remove_all
from patchfield.napari.explore.pictures import (
    Attended,
    Grouping,
    Model,
    Picture,
    Search,
    Seen,
    Steps,
    Waiting,
    attended,
    attention,
    clusters,
    foreground,
    pca,
    similarity,
)
from patchfield.napari.explore.together import planes_together, transformer, with_features
from patchfield.napari.jobs import Job, Slot
from patchfield.napari.layers.places import Places
from patchfield.napari.layers.shown import ROLE_OF_VIEW
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.session.places import Place
from patchfield.napari.session.planes import Plane
from patchfield.napari.session.view import EXPLORATIONS, Show
from patchfield.napari.workspace import Workspace

JOINT = (Show.PCA, Show.CLUSTERS, Show.SIMILARITY, Show.FOREGROUND)
"""What is made of all open images together."""
POOLED = (Show.CLUSTERS, Show.SIMILARITY, Show.FOREGROUND)
"""What is made of features that are pooled over squares."""
BY_ATTENTION = (Show.CLUSTERS, Show.FOREGROUND)
"""What a transformer's attention can decide."""


class Explorer:
    """Shows what the features tell apart, in a layer that is there only while it is looked at.

    It begins when one of EXPLORATIONS is chosen as the view, waits for features where there are none yet, and ends with
    another choice, or with the brush. What is made of all open images begins with those whose features are there, asks
    for the others, and is made anew once these are there.

    Parameters
    ----------
    workspace : Workspace
    places : Places
        Goes to what was found.

    Attributes
    ----------
    shown : Show or None
        What is explored now, one of EXPLORATIONS.
    side : float
        Pixels over which features are pooled for POOLED; 0 for none.
    head : int
        Which attention head, from 1; 0 for the mean of all.
    by_attention : bool
        Whether a transformer's attention says what is foreground, and how clusters are merged.
    model : object or None
        What the picture was made with.
    """

    changed = Signal()
    """Another exploration, its parameters or result, its computation began or ended, or there is attention now."""

    def __init__(self, workspace: Workspace, places: Places) -> None:
        self.shown: Show | None = None
        self.side = 16.0
        self.head = 0
        self.by_attention = False
        self.model: Model | None = None
        self._groups: int | None = None
        self._threshold: float | None = None
        self._workspace = workspace
        self._places = places
        self._slot = Slot(workspace.runner, self.changed.emit)
        self._brush = Brush(workspace, workspace.view.end_exploration, self._on_click)
        self._plane: Plane | None = None
        self._asked: tuple[Plane, int, int] | None = None
        self._made_of: frozenset[str] = frozenset()
        self._score: NDArray[Any] | None = None
        self._had_attention = self.has_attention
        workspace.view.changed.connect(self._on_view)
        workspace.annotations.selected.connect(self._on_selected)
        workspace.annotations.images_changed.connect(self._on_images)
        workspace.plane_ready.connect(self._on_plane)
        workspace.features.chosen.connect(self._on_features_chosen)
        workspace.features.changed.connect(self._on_features)
        workspace.features.ready.connect(self._on_field)

    # -- what is known

    @property
    def busy(self) -> bool:
        return self._slot.busy

    @property
    def waiting(self) -> bool:
        """Whether there is something to explore only once there are features."""
        return self.shown is not None and self._workspace.target() is None

    @property
    def images(self) -> tuple[int, int]:
        """Of how many images what is seen was made, and of how many it will be."""
        return len(self._made_of), len(self._together())

    @property
    def has_attention(self) -> bool:
        """Whether one of the backbones is a transformer with a class token."""
        return transformer(self._workspace) is not None

    @property
    def max_groups(self) -> int:
        """How many clusters there are to be merged."""
        return self.model.tree.count if isinstance(self.model, Grouping) else 80

    @property
    def groups(self) -> int:
        """Into how many groups clusters are merged: as chosen, or as the tree proposes."""
        if not isinstance(self.model, Grouping):
            return self._groups or 2
        return min(self._groups or self.model.proposed, self.model.tree.count)

    @property
    def automatic(self) -> bool:
        """Whether the tree says how many groups there are."""
        return self._groups is None

    @property
    def threshold(self) -> float:
        """From which score on a pixel is foreground: as chosen, or that of the mean feature."""
        if self._threshold is None:
            return self.model.middle if isinstance(self.model, Foreground | Attended) else 0.5
        return self._threshold

    @property
    def places(self) -> list[tuple[Plane, int, int, float]]:
        """Where the open images look most like the place that was clicked at, the best first: plane, row, column."""
        if not isinstance(self.model, Search):
            return []
        return [(plane, place.row, place.column, place.similarity) for plane, place in self.model.places]

    def group_map(self) -> NDArray[np.int64] | None:
        """The group of every pixel of the plane on view, (H, W); foreground is 2, background 1; None without either."""
        current = self._workspace.current
        layer = None if current is None or self.shown is None else current.result(ROLE_OF_VIEW[self.shown])
        if layer is None:
            return None
        if isinstance(self.model, Grouping):
            return np.append(0, self.model.tree.groups(self.groups))[np.asarray(layer.data)]
        return np.asarray(layer.data).astype(np.int64) + 1 if self.shown is Show.FOREGROUND else None

    # -- what the user can do

    def set_groups(self, count: int | None) -> None:
        """Merge clusters into so many groups; None for the number that the tree proposes."""
        self._groups = count
        self._recolor()
        self.changed.emit()

    def set_side(self, side: float) -> None:
        """Pool features over squares of so many pixels."""
        self.side = side
        if self.shown in POOLED:
            self.model = None
            self._compute()

    def set_by_attention(self, by_attention: bool) -> None:
        """Let a transformer's attention say what is foreground, and how clusters are merged; or the features alone."""
        self.by_attention = by_attention
        if self.shown in BY_ATTENTION:
            self._forget()
            self._want()
            self._compute()

    def set_head(self, head: int) -> None:
        """Show the attention of another head."""
        self.head = head
        if self.shown is Show.ATTENTION:
            self._compute()

    def set_threshold(self, threshold: float) -> None:
        """Take less (1) or more (0) for foreground."""
        self._threshold = threshold
        if self.shown is Show.FOREGROUND and self._score is not None:
            self._draw((self._score > threshold).astype(np.uint8))
        self.changed.emit()

    def visit(self, number: int) -> None:
        """Go to one of the places, which may be on another image."""
        plane, row, column, _ = self.places[number]
        self._places.visit(Place(plane, row, column, extent=max(16.0, self.side)))

    def close(self) -> None:
        """Stop, and take our layers away."""
        self._leave()

    # -- what happens when something happens

    def _on_features(self) -> None:
        if self.has_attention != self._had_attention:
            self._had_attention = self.has_attention
            self.changed.emit()

    def _on_features_chosen(self) -> None:
        """What was made with other features is worth nothing; the same is shown of the new ones once they are there."""
        self._slot.cancel()
        self._forget()
        remove_all(self._workspace.viewer)
        if self.shown is Show.ATTENTION:
            self._workspace.view.end_exploration()

    def _on_view(self) -> None:
        show = self._workspace.view.show
        if show not in EXPLORATIONS:
            self._leave()
        elif show is not self.shown:
            self._slot.cancel()
            remove_all(self._workspace.viewer)
            self._forget()
            self.shown = show
            self._brush.lay_down()
            self._want()
            self._compute()
        self.changed.emit()

    def _leave(self) -> None:
        self._slot.cancel()
        self._brush.give_back()
        remove_all(self._workspace.viewer)
        if self.shown is not None:
            self.shown = None
            self._forget()
            self._workspace.want(())

    def _forget(self) -> None:
        self.model = self._asked = self._score = self._groups = self._threshold = None
        self._made_of = frozenset()

    def _on_selected(self) -> None:
        """Another image: what was seen over the one before goes, and its features may be there already."""
        if self.shown is not None:
            remove_all(self._workspace.viewer, but=self._workspace.current)
            self._brush.lay_down()
            self._want()

    def _on_images(self) -> None:
        if self.shown is not None:
            self._want()

    def _on_plane(self, plane: Plane) -> None:
        """Show the same of another plane; attention is each plane's own."""
        if self.shown is None:
            return
        if plane != self._plane and isinstance(self.model, FeatureField | Attended):
            self.model = None
        self._compute()

    def _on_field(self, plane: Plane) -> None:
        """The features of another image that belongs to what is seen; it is made anew when the last one is there."""
        if self._is_joint and plane != self._plane and self._is_behind():
            self._compute()

    def _on_error(self, error: Exception) -> None:
        self._workspace.view.end_exploration()
        self._workspace.on_error(error)

    def _on_click(self, row: int, column: int) -> None:
        target = self._workspace.target()
        if self.shown is Show.SIMILARITY and target is not None:
            self._asked = (target.plane, row, column)
            self._compute()

    # -- what is computed of what

    @property
    def _is_joint(self) -> bool:
        return self.shown in JOINT and not (self.shown is Show.FOREGROUND and self._attends)

    @property
    def _attends(self) -> bool:
        return self.by_attention and self.has_attention

    def _together(self) -> list[tuple[Plane, LayerStack]]:
        """The planes of all open images that are explored together, the one on view first."""
        return planes_together(self._workspace, joint=self._is_joint)

    def _want(self) -> None:
        self._workspace.want(self._together()[1:])

    def _seen(self) -> tuple[Seen, ...]:
        """What of it has features; the plane on view first, and perhaps with its first views only."""
        return with_features(self._workspace, self._together())

    def _is_behind(self) -> bool:
        """Whether what is seen is to be made anew, of all images that belong to it."""
        there = {entry.plane.image for entry in self._seen()}
        return there == {plane.image for plane, _ in self._together()} and not there <= self._made_of

    def _compute(self) -> None:
        target, current, seen = self._workspace.target(), self._workspace.current, self._seen()
        if target is None or current is None or self.shown is None or not seen:
            return
        self._plane = target.plane
        if self._is_joint and self._is_behind():
            self.model = None
        work = self._work(seen[0], seen)
        if work is not None:
            made_of = frozenset(entry.plane.image for entry in seen) if self.model is None else self._made_of
            on_step = partial(self._show, current.source, made_of)
            self._slot.submit(Job(work, on_step, self._on_error), interrupt=True)
            self.changed.emit()

    def _work(self, current: Seen, seen: tuple[Seen, ...]) -> Callable[[], Steps] | None:
        model = self.model
        match self.shown:
            case Show.PCA:
                return partial(pca, current, seen, model if isinstance(model, PrincipalComponents) else None)
            case Show.CLUSTERS:
                known = model if isinstance(model, Grouping) else None
                network = transformer(self._workspace) if self._attends else None
                return partial(clusters, current, seen, self.side, network, known)
            case Show.SIMILARITY if self._asked is not None:
                search = model if isinstance(model, Search) else None
                return partial(similarity, current, seen, self.side, self._asked, search)
            case Show.FOREGROUND if self._attends:
                network, score = transformer(self._workspace), model if isinstance(model, Attended) else None
                return None if network is None else partial(attended, current, *network, score)
            case Show.FOREGROUND:
                first = model if isinstance(model, Foreground) else None
                return partial(foreground, current, seen, self.side, first)
            case Show.ATTENTION:
                network, maps = transformer(self._workspace), model if isinstance(model, FeatureField) else None
                return None if network is None else partial(attention, current, *network, self.head, maps)
        return None

    # -- how it is shown

    def _show(self, source: LayerStack, made_of: frozenset[str], step: Waiting | Picture) -> None:
        current = self._workspace.current
        if not isinstance(step, Picture) or self.shown is None or current is None or current.source.id != source.id:
            return
        self.model, self._made_of = step.model, made_of
        values = step.values
        if isinstance(step.model, Foreground | Attended):
            self._score = values
            values = (self._score > self.threshold).astype(np.uint8)
        self._draw(values)
        self._recolor()
        self.changed.emit()

    def _draw(self, values: NDArray[Any]) -> None:
        current = self._workspace.current
        if current is not None and self.shown is not None:
            draw(current, self.shown, values)

    def _recolor(self) -> None:
        current = self._workspace.current
        if current is not None and isinstance(self.model, Grouping):
            recolor(current, self.model.tree.groups(self.groups))
