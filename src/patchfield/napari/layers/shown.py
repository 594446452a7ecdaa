"""The layer of the view that is chosen, and how opaque it is."""

from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer

from patchfield.napari.layers import roles
from patchfield.napari.layers.annotations import Annotations
from patchfield.napari.layers.roles import Role
from patchfield.napari.session.view import Show, ViewState

ROLE_OF_VIEW = {
    Show.SEGMENTATION: Role.SEGMENTATION,
    Show.BORDERS: Role.SEGMENTATION,
    Show.PROBABILITY: Role.PROBABILITY,
    Show.UNCERTAINTY: Role.UNCERTAINTY,
    Show.PCA: Role.PCA,
    Show.CLUSTERS: Role.CLUSTERS,
    Show.SIMILARITY: Role.SIMILARITY,
    Show.ATTENTION: Role.ATTENTION,
    Show.FOREGROUND: Role.FOREGROUND,
}
"""What kind of layer shows a view; the image needs none."""


class Shown:
    """The layer over the current image that shows what is chosen; its opacity is that of all layers of its kind.

    Parameters
    ----------
    viewer : ViewerModel
    annotations : Annotations
    view : ViewState
    """

    def __init__(self, viewer: ViewerModel, annotations: Annotations, view: ViewState) -> None:
        self._viewer = viewer
        self._annotations = annotations
        self._view = view
        self._opacities: dict[Role, float] = {}
        viewer.layers.events.inserted.connect(self._on_inserted)

    @property
    def layer(self) -> Layer | None:
        """The layer on view; None where the image is looked at, or nothing was computed yet."""
        role, current = ROLE_OF_VIEW.get(self._view.show), self._annotations.current
        return None if role is None or current is None else current.result(role)

    @property
    def opacity(self) -> float | None:
        """From 0 to 1; None while there is no layer."""
        return None if self.layer is None else float(self.layer.opacity)

    def set_opacity(self, opacity: float) -> None:
        """Make the layer on view, and those of the same kind over all other images, so opaque."""
        role = ROLE_OF_VIEW.get(self._view.show)
        if role is None:
            return
        self._opacities[role] = opacity
        for layer in self._viewer.layers:
            if roles.role(layer) is role:
                layer.opacity = opacity

    def close(self) -> None:
        """Stop listening."""
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)

    def _on_inserted(self, event: Any) -> None:
        role = roles.role(event.value)
        if role in self._opacities:
            event.value.opacity = self._opacities[role]
