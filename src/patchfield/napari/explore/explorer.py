"""What can be seen in the features without labels, as a layer over the plane on view."""

from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Labels
from psygnal import Signal

from patchfield.backbones import AttentionMaps, Backbone, ViT
from patchfield.errors import FieldError
from patchfield.explore import Clusters, PrincipalComponents, Similarity
from patchfield.field import FeatureField
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import Job, Slot
from patchfield.napari.layers import Role, roles
from patchfield.napari.layers.roles import LABEL_ROLES
from patchfield.napari.layers.stack import ImageSource, Plane
from patchfield.napari.segment.features import FeatureSpec

LOOKS = (Role.PCA, Role.CLUSTERS, Role.SIMILARITY, Role.ATTENTION)
Picture = tuple[np.ndarray, Any]
"""What is shown, and what it was made with: that is used again for other planes."""


class Explorer:
    """Shows one look at a time, in place of the segmentation; choosing a result again ends the look.

    Parameters
    ----------
    controller : Controller
    """

    changed = Signal()
    """Another look, or its making began or ended."""

    def __init__(self, controller: Controller) -> None:
        self.look: Role | None = None
        self.clusters, self.head = 6, 0
        self._controller = controller
        self._slot = Slot(controller.runner, self.changed.emit)
        self._plane: Plane | None = None
        self._pixel: tuple[int, int] | None = None
        self._model: Any = None
        self._clicked: Labels | None = None
        controller.shown.connect(self._forget_look)
        controller.annotations.selected.connect(self.end)
        controller.plane_ready.connect(self._on_plane)
        controller.features.chosen.connect(self.end)

    @property
    def busy(self) -> bool:
        return self._slot.busy

    @property
    def has_attention(self) -> bool:
        """Whether the backbone is a transformer with a class token."""
        backbone = self._controller.features.backbone
        return isinstance(backbone, ViT) and backbone.spec.class_token

    def begin(self, look: Role) -> None:
        """Look at the features in another way.

        Raises
        ------
        FieldError
            When there are no features to look at.
        """
        if self._controller.target() is None:
            raise FieldError("There is nothing to look at yet: open an image and wait for its features.")
        self._leave()
        self.look, self._model, self._pixel = look, None, None
        if look is Role.SIMILARITY:
            self._listen_for_clicks()
        else:
            self._make()
        self.changed.emit()

    def again(self) -> None:
        """Make the look anew, because the number of clusters or the head is another."""
        if self.look is Role.CLUSTERS:
            self._model = None
        if self.look is not None:
            self._make()

    def end(self) -> None:
        """Show the segmentation again."""
        if self.look is not None:
            self._leave()
            self.look = None
            for annotated in self._controller.annotations:
                self._controller.results.arrange(annotated.source, self._controller.live.show)
            self.changed.emit()

    def close(self) -> None:
        self._leave()

    def _forget_look(self) -> None:
        """A result was chosen; it is arranged already."""
        if self.look is not None:
            self._leave()
            self.look = None
            self.changed.emit()

    def _leave(self) -> None:
        self._slot.cancel()
        if self._clicked is not None:
            self._controller.viewer.mouse_drag_callbacks.remove(self._pick)
            self._clicked.mode = "paint"
            self._clicked = None
        for annotated in self._controller.annotations:
            for role in LOOKS:
                layer = annotated.result(role)
                if layer is not None:
                    layer.visible = False

    def _make(self) -> None:
        target = self._controller.target()
        if target is None or self._controller.current is None:
            return
        self._plane = target.plane
        source = self._controller.current.source
        work = self._work(source, target.field)
        if work is not None:
            self._slot.submit(Job(work, partial(self._show, source), self._on_error), interrupt=True)
            self.changed.emit()

    def _work(self, source: ImageSource, field: FeatureField) -> Callable[[], Generator] | None:
        model = self._model
        if self.look is Role.PCA:
            return partial(_pca, field, model)
        if self.look is Role.CLUSTERS:
            return partial(_clusters, field, model, self.clusters)
        if self.look is Role.ATTENTION:
            features = self._controller.features
            return partial(_attention, features.spec, source, self._plane, features.backbone, model, self.head)
        return None if self._pixel is None else partial(_similarity, field, model, self._pixel)

    def _on_plane(self, plane: Plane) -> None:
        """Show the same look of another plane; a clicked pixel and its attention belong to the old one."""
        if self.look is None or plane == self._plane:
            return
        if self.look in (Role.SIMILARITY, Role.ATTENTION):
            self._model = self._pixel = None
        self._make()

    def _show(self, source: ImageSource, picture: Picture | None) -> None:
        if picture is None or self.look is None:
            return
        values, self._model = picture
        layer = roles.find(self._controller.viewer, source, self.look)
        if layer is None:
            looks = {} if self.look in LABEL_ROLES or self.look is Role.PCA else {"contrast_limits": _limits(values)}
            roles.create(self._controller.viewer, source, self.look, values, **looks)
        else:
            layer.data = values
            layer.visible = True
        for role in roles.RESULT_ROLES:
            result = roles.find(self._controller.viewer, source, role)
            if result is not None:
                result.visible = False

    def _on_error(self, error: Exception) -> None:
        self.end()
        self._controller.on_error(error)

    def _listen_for_clicks(self) -> None:
        self._clicked = self._controller.current.labels
        self._clicked.mode = "pan_zoom"
        self._controller.viewer.mouse_drag_callbacks.append(self._pick)

    def _pick(self, viewer: Any, event: Any) -> Generator[None, None, None]:
        """A click (not a drag, which moves the view) chooses the pixel that others are compared with."""
        position = event.position
        yield
        if event.type == "mouse_move":
            return
        current = self._controller.current
        row, column = (round(x) for x in current.labels.world_to_data(position)[-2:])
        height, width = current.source.shape
        if 0 <= row < height and 0 <= column < width:
            self._pixel = (row, column)
            self._make()


def _limits(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values[::4, ::4], (1, 99.5))
    return (float(low), float(high)) if low < high else (0.0, 1.0)


def _pca(field: FeatureField, model: PrincipalComponents | None) -> Generator[Picture, None, None]:
    components = model or PrincipalComponents.fit(field)
    yield components.rgb(field), components


def _clusters(field: FeatureField, model: Clusters | None, count: int) -> Generator[Picture, None, None]:
    clusters = model or Clusters.fit(field, count)
    yield clusters.assign(field), clusters


def _similarity(
    field: FeatureField, model: Similarity | None, pixel: tuple[int, int]
) -> Generator[Picture, None, None]:
    similarity = model if model is not None and model.field is field else Similarity.from_field(field)
    yield similarity.to_pixel(*pixel), similarity


def _attention(
    spec: FeatureSpec, source: ImageSource, plane: Plane, backbone: Backbone, model: FeatureField | None, head: int
) -> Generator[Picture | None, None, None]:
    """Attention of one head, or the mean over the heads when `head` is 0."""
    maps = model
    if maps is None:
        for step in spec.extraction(source, plane.index, AttentionMaps(backbone)):
            maps = step.field or maps
            yield None
    heads = maps.channels
    weights = np.full((heads, 1), 1 / heads) if head == 0 else np.eye(heads)[:, [min(head, heads) - 1]]
    yield maps.project(weights.astype(np.float32))[0], maps
