"""What can be seen in the features without labels, as a layer over the plane on view."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from patchfield.backbones import AttentionMaps, ViT
from patchfield.explore import Clusters, Foreground, PrincipalComponents, Similarity
from patchfield.field import FeatureField, FeatureRecipe
from patchfield.images import model_image
from patchfield.napari.explore.brush import Brush
from patchfield.napari.jobs import Job, Slot
from patchfield.napari.layers import roles
from patchfield.napari.layers.annotated import AnnotatedImage
from patchfield.napari.layers.shown import ROLE_OF_VIEW
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.session.planes import Plane
from patchfield.napari.session.view import EXPLORATIONS, Show
from patchfield.napari.workspace import Workspace
from patchfield.pipeline import Extractor

FOREGROUND_COLOR = "#ffd60a"
Model = PrincipalComponents | Clusters | Similarity | Foreground | FeatureField
"""What a picture was made with; it is used again for other planes, heads and thresholds."""


@dataclass(frozen=True)
class Waiting:
    """Something goes on that has no picture yet; the job can be cancelled here."""


@dataclass(frozen=True)
class Picture:
    """What is shown, (H, W) or (H, W, 3), and what it was made with."""

    values: NDArray[Any]
    model: Model


Steps = Generator[Waiting | Picture, None, None]


class Explorer:
    """Shows what the features tell apart, in a layer that is there only while it is looked at.

    It begins when one of EXPLORATIONS is chosen as the view, waits for features where there are none yet, and ends with
    another choice, or with the brush.

    Parameters
    ----------
    workspace : Workspace

    Attributes
    ----------
    shown : Show or None
        What is explored now, one of EXPLORATIONS.
    clusters : int
        How many.
    head : int
        Which attention head, from 1; 0 for the mean of all.
    threshold : float
        From which score on a pixel is foreground, from 0 to 1.
    """

    changed = Signal()
    """Another exploration, or its computation began or ended, or there is attention now."""

    def __init__(self, workspace: Workspace) -> None:
        self.shown: Show | None = None
        self.clusters = 6
        self.head = 0
        self.threshold = 0.5
        self._workspace = workspace
        self._slot = Slot(workspace.runner, self.changed.emit)
        self._brush = Brush(workspace, workspace.view.end_exploration, self._on_click)
        self._plane: Plane | None = None
        self._pixel: tuple[int, int] | None = None
        self._model: Model | None = None
        self._had_attention = self.has_attention
        workspace.view.changed.connect(self._on_view)
        workspace.annotations.selected.connect(self._on_selected)
        workspace.plane_ready.connect(self._on_plane)
        workspace.features.chosen.connect(self._on_features_chosen)
        workspace.features.changed.connect(self._on_features)

    @property
    def busy(self) -> bool:
        return self._slot.busy

    @property
    def waiting(self) -> bool:
        """Whether there is something to explore only once there are features."""
        return self.shown is not None and self._workspace.target() is None

    @property
    def has_attention(self) -> bool:
        """Whether a backbone is a transformer with a class token."""
        return self._transformer() is not None

    def set_clusters(self, count: int) -> None:
        """Group pixels into another number of clusters."""
        self.clusters = count
        if self.shown is Show.CLUSTERS:
            self._model = None
            self._compute()

    def set_head(self, head: int) -> None:
        """Show the attention of another head."""
        self.head = head
        if self.shown is Show.ATTENTION:
            self._compute()

    def set_threshold(self, threshold: float) -> None:
        """Take less (1) or more (0) for foreground."""
        self.threshold = threshold
        if self.shown is Show.FOREGROUND:
            self._compute()

    def close(self) -> None:
        """Stop, and take our layers away."""
        self._leave()

    def _on_features(self) -> None:
        if self.has_attention != self._had_attention:
            self._had_attention = self.has_attention
            self.changed.emit()

    def _on_features_chosen(self) -> None:
        """What was made with other features is worth nothing; the same is shown of the new ones once they are there."""
        self._slot.cancel()
        self._model = None
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
            self._model = self._pixel = None
            self.shown = show
            self._brush.lay_down()
            self._compute()
        self.changed.emit()

    def _leave(self) -> None:
        self._slot.cancel()
        self._brush.give_back()
        self._remove_layers()
        self.shown = self._model = self._pixel = None

    def _remove_layers(self, but: AnnotatedImage | None = None) -> None:
        layers = self._workspace.viewer.layers
        ours = [layer for layer in layers if roles.role(layer) in roles.TRANSIENT_ROLES]
        for layer in ours:
            if but is None or layer.metadata[roles.METADATA_KEY]["image"] != but.source.id:
                layers.remove(layer)

    def _compute(self) -> None:
        target, current = self._workspace.target(), self._workspace.current
        if target is None or current is None or self.shown is None:
            return
        self._plane = target.plane
        work = self._work(current.source, target.plane, target.field)
        if work is not None:
            self._slot.submit(Job(work, partial(self._show, current.source), self._on_error), interrupt=True)
            self.changed.emit()

    def _work(self, source: LayerStack, plane: Plane, field: FeatureField) -> Callable[[], Steps] | None:
        model = self._model
        match self.shown:
            case Show.PCA:
                return partial(_pca, field, model if isinstance(model, PrincipalComponents) else None)
            case Show.CLUSTERS:
                return partial(_clusters, field, model if isinstance(model, Clusters) else None, self.clusters)
            case Show.SIMILARITY if self._pixel is not None:
                return partial(_similarity, field, model if isinstance(model, Similarity) else None, self._pixel)
            case Show.FOREGROUND:
                known = model if isinstance(model, Foreground) else None
                return partial(_foreground, source, plane, field, known, self.threshold)
            case Show.ATTENTION:
                transformer = self._transformer()
                if isinstance(model, FeatureField):
                    return partial(_attention_of_head, model, self.head)
                if transformer is not None:
                    recipe, backbone = transformer
                    return partial(_attention, recipe, source, plane, backbone, self.head)
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

    def _on_selected(self) -> None:
        """Another image: what was seen over the one before goes, and its features may be there already."""
        if self.shown is not None:
            self._remove_layers(but=self._workspace.current)
            self._brush.lay_down()

    def _on_plane(self, plane: Plane) -> None:
        """Show the same exploration of another plane; a clicked pixel and its attention belong to the old one."""
        if self.shown is None:
            return
        if plane != self._plane and self.shown in (Show.SIMILARITY, Show.ATTENTION):
            self._model = self._pixel = None
        self._compute()

    def _show(self, source: LayerStack, step: Waiting | Picture) -> None:
        current = self._workspace.current
        if not isinstance(step, Picture) or self.shown is None or current is None or current.source.id != source.id:
            return
        values, self._model = step.values, step.model
        role = ROLE_OF_VIEW[self.shown]
        layer = roles.find(self._workspace.viewer, source, role)
        if layer is None:
            roles.create(self._workspace.viewer, source, role, values, **self._style(values))
        else:
            layer.data = values
        self.changed.emit()

    def _style(self, values: NDArray[Any]) -> dict[str, Any]:
        if self.shown in (Show.SIMILARITY, Show.ATTENTION):
            return {"contrast_limits": _limits(values)}
        return {"colormap": roles.colormap({1: FOREGROUND_COLOR})} if self.shown is Show.FOREGROUND else {}

    def _on_error(self, error: Exception) -> None:
        self._workspace.view.end_exploration()
        self._workspace.on_error(error)

    def _on_click(self, row: int, column: int) -> None:
        if self.shown is Show.SIMILARITY:
            self._pixel = (row, column)
            self._compute()


def _limits(values: NDArray[Any]) -> tuple[float, float]:
    low, high = np.percentile(values[::4, ::4], (1, 99.5))
    return (float(low), float(high)) if low < high else (0.0, 1.0)


def _pca(field: FeatureField, model: PrincipalComponents | None) -> Steps:
    components = model or PrincipalComponents.fit(field)
    yield Picture(components.rgb(field), components)


def _clusters(field: FeatureField, model: Clusters | None, count: int) -> Steps:
    clusters = model or Clusters.fit(field, count)
    yield Picture(clusters.assign(field), clusters)


def _similarity(field: FeatureField, model: Similarity | None, pixel: tuple[int, int]) -> Steps:
    similarity = model if model is not None and model.field is field else Similarity.from_field(field)
    yield Picture(similarity.to_pixel(*pixel), similarity)


def _foreground(
    source: LayerStack, plane: Plane, field: FeatureField, model: Foreground | None, threshold: float
) -> Steps:
    foreground = model
    if foreground is None:
        grey = model_image(source, source.settings, plane.index).whole().mean(-1)
        foreground = Foreground.from_first_component([field], [grey])
    yield Picture((foreground.score(field) > threshold).astype(np.uint8), foreground)


def _attention(recipe: FeatureRecipe, source: LayerStack, plane: Plane, backbone: ViT, head: int) -> Steps:
    maps = None
    extractor = Extractor.from_backbone(AttentionMaps(backbone), recipe.sampling, recipe.interpolation, source.settings)
    for step in extractor.steps(source, plane.index):
        maps = step.field or maps
        yield Waiting()
    assert maps is not None
    yield from _attention_of_head(maps, head)


def _attention_of_head(maps: FeatureField, head: int) -> Steps:
    """Attention of one head, counted from 1, or the mean over the heads when `head` is 0."""
    heads = maps.channels
    weights = np.full((heads, 1), 1 / heads) if head == 0 else np.eye(heads)[:, [min(head, heads) - 1]]
    yield Picture(maps.project(weights.astype(np.float32))[0], maps)
