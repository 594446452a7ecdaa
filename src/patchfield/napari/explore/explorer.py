"""What can be seen in the features without labels, as a layer over the plane on view."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from psygnal import Signal

from patchfield.backbones import AttentionMaps, ViT
from patchfield.errors import FieldError
from patchfield.explore import Clusters, PrincipalComponents, Similarity
from patchfield.field import FeatureField, FeatureRecipe
from patchfield.napari.jobs import Job, Slot
from patchfield.napari.layers import Role, roles
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.session.planes import Plane
from patchfield.napari.workspace import Workspace
from patchfield.pipeline import Extractor

EXPLORATIONS = roles.TRANSIENT_ROLES
Model = PrincipalComponents | Clusters | Similarity | FeatureField
"""What a picture was made with; it is used again for other planes and heads."""


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
    """Shows one exploration at a time, in place of the segmentation; choosing a result again ends it.

    Parameters
    ----------
    workspace : Workspace

    Attributes
    ----------
    shown : Role or None
        What is explored now, one of EXPLORATIONS.
    clusters : int
        How many.
    head : int
        Which attention head, from 1; 0 for the mean of all.
    """

    changed = Signal()
    """Another exploration, or its computation began or ended, or there is attention now."""

    def __init__(self, workspace: Workspace) -> None:
        self.shown: Role | None = None
        self.clusters = 6
        self.head = 0
        self._workspace = workspace
        self._slot = Slot(workspace.runner, self.changed.emit)
        self._plane: Plane | None = None
        self._pixel: tuple[int, int] | None = None
        self._model: Model | None = None
        self._clicked: Labels | None = None
        self._had_attention = self.has_attention
        workspace.view.changed.connect(self._on_view)
        workspace.annotations.selected.connect(self.end)
        workspace.plane_ready.connect(self._on_plane)
        workspace.features.chosen.connect(self.end)
        workspace.features.changed.connect(self._on_features)

    @property
    def busy(self) -> bool:
        return self._slot.busy

    @property
    def has_attention(self) -> bool:
        """Whether a backbone is a transformer with a class token."""
        return self._transformer() is not None

    def begin(self, exploration: Role) -> None:
        """Show one of EXPLORATIONS.

        Raises
        ------
        FieldError
            When there are no features to be explored.
        """
        if self._workspace.target() is None or self._workspace.current is None:
            raise FieldError("There is nothing to explore yet: open an image and wait for its features.")
        self._leave()
        self.shown, self._model, self._pixel = exploration, None, None
        if exploration is Role.SIMILARITY:
            self._listen_for_clicks(self._workspace.current.labels)
        else:
            self._compute()
        self.changed.emit()

    def set_clusters(self, count: int) -> None:
        """Group pixels into another number of clusters."""
        self.clusters = count
        if self.shown is Role.CLUSTERS:
            self._model = None
            self._compute()

    def set_head(self, head: int) -> None:
        """Show the attention of another head."""
        self.head = head
        if self.shown is Role.ATTENTION:
            self._compute()

    def end(self) -> None:
        """Show the segmentation again."""
        if self.shown is not None:
            self._leave()
            self.shown = None
            for annotated in self._workspace.annotations:
                self._workspace.results.arrange(annotated.source)
            self.changed.emit()

    def close(self) -> None:
        """Stop, and take our layers out of view."""
        self._leave()

    def _on_features(self) -> None:
        if self.has_attention != self._had_attention:
            self._had_attention = self.has_attention
            self.changed.emit()

    def _on_view(self) -> None:
        """A result was chosen; it is arranged already."""
        if self.shown is not None:
            self._leave()
            self.shown = None
            self.changed.emit()

    def _leave(self) -> None:
        self._slot.cancel()
        if self._clicked is not None:
            self._workspace.viewer.mouse_drag_callbacks.remove(self._pick)
            self._clicked.mode = "paint"
            self._clicked = None
        for annotated in self._workspace.annotations:
            for role in EXPLORATIONS:
                layer = annotated.result(role)
                if layer is not None:
                    layer.visible = False

    def _compute(self) -> None:
        target, current = self._workspace.target(), self._workspace.current
        if target is None or current is None:
            return
        self._plane = target.plane
        work = self._work(current.source, target.plane, target.field)
        if work is not None:
            self._slot.submit(Job(work, partial(self._show, current.source), self._on_error), interrupt=True)
            self.changed.emit()

    def _work(self, source: LayerStack, plane: Plane, field: FeatureField) -> Callable[[], Steps] | None:
        model = self._model
        match self.shown:
            case Role.PCA:
                return partial(_pca, field, model if isinstance(model, PrincipalComponents) else None)
            case Role.CLUSTERS:
                return partial(_clusters, field, model if isinstance(model, Clusters) else None, self.clusters)
            case Role.SIMILARITY if self._pixel is not None:
                return partial(_similarity, field, model if isinstance(model, Similarity) else None, self._pixel)
            case Role.ATTENTION:
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

    def _on_plane(self, plane: Plane) -> None:
        """Show the same exploration of another plane; a clicked pixel and its attention belong to the old one."""
        if self.shown is None or plane == self._plane:
            return
        if self.shown in (Role.SIMILARITY, Role.ATTENTION):
            self._model = self._pixel = None
        self._compute()

    def _show(self, source: LayerStack, step: Waiting | Picture) -> None:
        if not isinstance(step, Picture) or self.shown is None:
            return
        values, self._model = step.values, step.model
        layer = roles.find(self._workspace.viewer, source, self.shown)
        if layer is None:
            stretched = self.shown in (Role.SIMILARITY, Role.ATTENTION)
            style = {"contrast_limits": _limits(values)} if stretched else {}
            roles.create(self._workspace.viewer, source, self.shown, values, **style)
        else:
            layer.data = values
            layer.visible = True
        self._workspace.results.hide(source)

    def _on_error(self, error: Exception) -> None:
        self.end()
        self._workspace.on_error(error)

    def _listen_for_clicks(self, labels: Labels) -> None:
        self._clicked = labels
        self._clicked.mode = "pan_zoom"
        self._workspace.viewer.mouse_drag_callbacks.append(self._pick)

    def _pick(self, viewer: Any, event: Any) -> Generator[None, None, None]:
        """A click (not a drag, which moves the view) chooses the pixel that others are compared with."""
        position = event.position
        yield
        current = self._workspace.current
        if event.type == "mouse_move" or current is None:
            return
        row, column = (round(x) for x in current.labels.world_to_data(position)[-2:])
        height, width = current.source.shape
        if 0 <= row < height and 0 <= column < width:
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
