"""What can be seen in the features without labels, as a layer over the plane on view."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from patchfield.backbones import ViT
from patchfield.explore import Foreground, PrincipalComponents
from patchfield.field import FeatureField, FeatureRecipe
from patchfield.images.colors import default_color
from patchfield.napari.explore.brush import Brush
from patchfield.napari.explore.pictures import (
    Grouping,
    Model,
    Picture,
    Search,
    Seen,
    Steps,
    Waiting,
    attention,
    clusters,
    foreground,
    pca,
    similarity,
)
from patchfield.napari.jobs import Job, Slot
from patchfield.napari.layers import roles
from patchfield.napari.layers.annotated import AnnotatedImage
from patchfield.napari.layers.camera import show_place
from patchfield.napari.layers.shown import ROLE_OF_VIEW
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.session.planes import Plane
from patchfield.napari.session.view import EXPLORATIONS, Show
from patchfield.napari.workspace import Workspace

FOREGROUND_COLOR = "#ffd60a"
MAX_IMAGES = 32
"""So many open images are explored together, the current one among them: their features stay in memory meanwhile."""
JOINT = (Show.PCA, Show.CLUSTERS, Show.SIMILARITY, Show.FOREGROUND)
"""What is made of all open images together."""
POOLED = (Show.CLUSTERS, Show.SIMILARITY, Show.FOREGROUND)
"""What is made of features that are pooled over squares."""


class Explorer:
    """Shows what the features tell apart, in a layer that is there only while it is looked at.

    It begins when one of EXPLORATIONS is chosen as the view, waits for features where there are none yet, and ends with
    another choice, or with the brush. What is made of all open images begins with those whose features are there, asks
    for the others, and is made anew once these are there.

    Parameters
    ----------
    workspace : Workspace

    Attributes
    ----------
    shown : Show or None
        What is explored now, one of EXPLORATIONS.
    side : float
        Pixels over which features are pooled for POOLED; 0 for none.
    head : int
        Which attention head, from 1; 0 for the mean of all.
    model : object or None
        What the picture was made with.
    """

    changed = Signal()
    """Another exploration, its parameters or result, its computation began or ended, or there is attention now."""

    def __init__(self, workspace: Workspace) -> None:
        self.shown: Show | None = None
        self.side = 16.0
        self.head = 0
        self.model: Model | None = None
        self._groups: int | None = None
        self._threshold: float | None = None
        self._workspace = workspace
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
        return self._transformer() is not None

    @property
    def max_groups(self) -> int:
        """How many clusters there are to be merged."""
        return self.model.tree.count if isinstance(self.model, Grouping) else 80

    @property
    def groups(self) -> int:
        """Into how many groups clusters are merged: as chosen, or as the tree proposes."""
        if not isinstance(self.model, Grouping):
            return self._groups or 2
        return min(self._groups or self.model.tree.natural, self.model.tree.count)

    @property
    def automatic(self) -> bool:
        """Whether the tree says how many groups there are."""
        return self._groups is None

    @property
    def threshold(self) -> float:
        """From which score on a pixel is foreground: as chosen, or that of the mean feature."""
        if self._threshold is None:
            return self.model.middle if isinstance(self.model, Foreground) else 0.5
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
        return np.asarray(layer.data).astype(np.int64) + 1 if isinstance(self.model, Foreground) else None

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
        workspace = self._workspace
        image = next(layer for layer in workspace.annotations.choices if str(layer.unique_id) == plane.image)
        if workspace.current is None or workspace.current.source.layer is not image:
            workspace.select(image)
        if workspace.current is not None:
            show_place(workspace.viewer, workspace.current.labels, plane.index, row, column)

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
        self._remove_layers()
        if self.shown is Show.ATTENTION:
            self._workspace.view.end_exploration()

    def _on_view(self) -> None:
        show = self._workspace.view.show
        if show not in EXPLORATIONS:
            self._leave()
        elif show is not self.shown:
            self._slot.cancel()
            self._remove_layers()
            self._forget()
            self.shown = show
            self._brush.lay_down()
            self._want()
            self._compute()
        self.changed.emit()

    def _leave(self) -> None:
        self._slot.cancel()
        self._brush.give_back()
        self._remove_layers()
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
            self._remove_layers(but=self._workspace.current)
            self._brush.lay_down()
            self._want()

    def _on_images(self) -> None:
        if self.shown is not None:
            self._want()

    def _on_plane(self, plane: Plane) -> None:
        """Show the same of another plane; attention is each plane's own."""
        if self.shown is None:
            return
        if plane != self._plane and self.shown is Show.ATTENTION:
            self.model = None
        self._compute()

    def _on_field(self, plane: Plane) -> None:
        """The features of another image that belongs to what is seen; it is made anew when the last one is there."""
        if self.shown in JOINT and plane != self._plane and self._is_behind():
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

    def _together(self) -> list[tuple[Plane, LayerStack]]:
        """The planes of all open images that are explored together, the one on view first."""
        workspace = self._workspace
        current, annotations = workspace.current, workspace.annotations
        if current is None:
            return []
        sources = [current.source]
        if self.shown in JOINT:
            others = [layer for layer in annotations.choices if layer is not current.source.layer]
            sources += [annotations.source_of(layer) for layer in others[: MAX_IMAGES - 1]]
        point = workspace.viewer.dims.point
        return [(Plane(source.id, source.index_at(point)), source) for source in sources]

    def _want(self) -> None:
        self._workspace.want(self._together()[1:])

    def _seen(self) -> tuple[Seen, ...]:
        """What of it has features; the plane on view first, and perhaps with its first views only."""
        features, target = self._workspace.features, self._workspace.target()
        seen = []
        for plane, source in self._together():
            field = features.field(plane)
            if field is not None and ((target is not None and plane == target.plane) or features.is_complete(plane)):
                seen.append(Seen(source, plane, field))
        return tuple(seen)

    def _is_behind(self) -> bool:
        """Whether what is seen is to be made anew, of all images that belong to it."""
        there = {entry.plane.image for entry in self._seen()}
        return there == {plane.image for plane, _ in self._together()} and not there <= self._made_of

    def _compute(self) -> None:
        target, current, seen = self._workspace.target(), self._workspace.current, self._seen()
        if target is None or current is None or self.shown is None or not seen:
            return
        self._plane = target.plane
        if self._is_behind() and not isinstance(self.model, FeatureField):
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
                return partial(clusters, current, seen, self.side, model if isinstance(model, Grouping) else None)
            case Show.SIMILARITY if self._asked is not None:
                known = model if isinstance(model, Search) else None
                return partial(similarity, current, seen, self.side, self._asked, known)
            case Show.FOREGROUND:
                return partial(foreground, current, seen, self.side, model if isinstance(model, Foreground) else None)
            case Show.ATTENTION:
                transformer, maps = self._transformer(), model if isinstance(model, FeatureField) else None
                return None if transformer is None else partial(attention, current, *transformer, self.head, maps)
        return None

    def _transformer(self) -> tuple[FeatureRecipe, ViT] | None:
        """The first backbone with a class token, and its recipe."""
        features = self._workspace.features
        return next(
            (
                (recipe, backbone)
                for recipe, backbone in zip(features.recipes, features.backbones, strict=False)
                if isinstance(backbone, ViT) and backbone.spec.class_token
            ),
            None,
        )

    # -- how it is shown

    def _show(self, source: LayerStack, made_of: frozenset[str], step: Waiting | Picture) -> None:
        current = self._workspace.current
        if not isinstance(step, Picture) or self.shown is None or current is None or current.source.id != source.id:
            return
        self.model, self._made_of = step.model, made_of
        values = step.values
        if isinstance(step.model, Foreground):
            self._score = values
            values = (self._score > self.threshold).astype(np.uint8)
        self._draw(values)
        self._recolor()
        self.changed.emit()

    def _draw(self, values: NDArray[Any]) -> None:
        current = self._workspace.current
        assert current is not None
        assert self.shown is not None
        role = ROLE_OF_VIEW[self.shown]
        layer = current.result(role)
        if layer is None:
            roles.create(self._workspace.viewer, current.source, role, values, **self._style(values))
        else:
            layer.data = values

    def _style(self, values: NDArray[Any]) -> dict[str, Any]:
        if self.shown in (Show.SIMILARITY, Show.ATTENTION):
            return {"contrast_limits": _limits(values)}
        return {"colormap": roles.colormap({1: FOREGROUND_COLOR})} if self.shown is Show.FOREGROUND else {}

    def _recolor(self) -> None:
        """Give all clusters of one group one colour: merging needs no other pixels."""
        current = self._workspace.current
        layer = None if current is None else current.result(roles.Role.CLUSTERS)
        if layer is not None and isinstance(self.model, Grouping):
            groups = self.model.tree.groups(self.groups)
            layer.colormap = roles.colormap({i + 1: default_color(int(group)) for i, group in enumerate(groups)})

    def _remove_layers(self, but: AnnotatedImage | None = None) -> None:
        layers = self._workspace.viewer.layers
        ours = [layer for layer in layers if roles.role(layer) in roles.TRANSIENT_ROLES]
        for layer in ours:
            if but is None or layer.metadata[roles.METADATA_KEY]["image"] != but.source.id:
                layers.remove(layer)


def _limits(values: NDArray[Any]) -> tuple[float, float]:
    low, high = np.percentile(values[::4, ::4], (1, 99.5))
    return (float(low), float(high)) if low < high else (0.0, 1.0)
