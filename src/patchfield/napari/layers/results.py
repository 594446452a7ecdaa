"""The layers that show predictions: made when first needed, updated in place, coloured like the classes."""

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer
from numpy.typing import NDArray
from psygnal import Signal

from patchfield.images import PlaneIndex
from patchfield.napari.jobs import Runner
from patchfield.napari.layers import roles
from patchfield.napari.layers.counting import Counting
from patchfield.napari.layers.groups import Groups
from patchfield.napari.layers.roles import Role
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.segment.updates import Drawn
from patchfield.napari.session.classes import ClassTable
from patchfield.napari.session.fractions import Fractions
from patchfield.napari.session.planes import Plane
from patchfield.napari.session.view import Show, ViewState

ROLES = {
    Show.SEGMENTATION: Role.SEGMENTATION,
    Show.PROBABILITY: Role.PROBABILITY,
    Show.UNCERTAINTY: Role.UNCERTAINTY,
}


class Results:
    """Draws predictions into layers.

    A segmentation has the image's planes, each as it was when last seen. Probability and uncertainty are of the
    plane on view only: float maps of a whole stack would not fit in memory.

    Parameters
    ----------
    viewer : ViewerModel
    classes : ClassTable
    view : ViewState
    groups : Groups
        Says whose results are seen now.
    runner : Runner
        Counts what was drawn.
    """

    measured = Signal(LayerStack)
    """The fractions of an image are others."""

    def __init__(
        self, viewer: ViewerModel, classes: ClassTable, view: ViewState, groups: Groups, runner: Runner
    ) -> None:
        self._counting = Counting(viewer, runner, self._is_whole)
        self._counting.changed.connect(self.measured)
        self._viewer = viewer
        self._groups = groups
        self._classes = classes
        self._view = view

    def draw(self, source: LayerStack, drawn: Drawn) -> None:
        """Put a piece of a result in its layer; a new layer is visible if it is what is to be shown."""
        layer = self._layer(source, drawn, visible=drawn.show is self._view.show)
        index = drawn.plane.index if layer.data.ndim > 2 else ()
        layer.data[(*index, *drawn.region)] = drawn.values
        # Neither the extent nor the highlight of the layer can have changed, and they cost more than the pixels.
        layer.refresh(extent=False, highlight=False)
        if drawn.show is Show.SEGMENTATION:
            self._counting.count(source, drawn.plane, layer.data[index])

    def fractions(self, source: LayerStack) -> Fractions | None:
        """What each class covers of the plane on view, or of all planes; None while that is not known."""
        return self._counting.fractions(source)

    def forget(self, image: str) -> None:
        """What was known of an image, by its id, is worthless."""
        self._counting.forget(image)

    def close(self) -> None:
        """Stop counting; the layers stay."""
        self._counting.close()

    def draw_plane(self, source: LayerStack, index: PlaneIndex, values: NDArray[Any]) -> None:
        """Put the segmentation of a whole plane, (H, W), in its layer."""
        rows, columns = values.shape
        piece = (slice(0, rows), slice(0, columns))
        self.draw(source, Drawn(Plane(source.id, index), Show.SEGMENTATION, piece, values))

    def arrange(self, source: LayerStack) -> None:
        """Show the layer of the result that is to be shown, where it exists, and hide the others."""
        for candidate, role in ROLES.items():
            layer = roles.find(self._viewer, source, role)
            if layer is not None:
                self._groups.set_visible(layer, candidate is self._view.show)

    def hide(self, source: LayerStack) -> None:
        """Hide all results, because something else is shown."""
        for role in ROLES.values():
            layer = roles.find(self._viewer, source, role)
            if layer is not None:
                layer.visible = False

    def withdraw(self, source: LayerStack) -> None:
        """Clear predictions that nothing stands behind any more."""
        self._clear(source, Role.SEGMENTATION)
        self._counting.forget(source.id)
        self.withdraw_maps(source)

    def withdraw_maps(self, source: LayerStack) -> None:
        """Clear the maps of a plane that is no longer on view."""
        self._clear(source, Role.PROBABILITY)
        self._clear(source, Role.UNCERTAINTY)

    def recolor(self) -> None:
        """Colour all strokes and segmentations like the classes, and note the classes in the labels layers."""
        for layer in self._viewer.layers:
            role = roles.role(layer)
            if role is Role.LABELS:
                layer.colormap = roles.colormap(self._classes.colors())
                layer.metadata[roles.METADATA_KEY]["classes"] = self._classes.infos
            elif role is Role.SEGMENTATION:
                layer.colormap = roles.colormap(self._classes.colors(only_visible=True))

    def _is_whole(self, source: LayerStack) -> bool:
        return False

    def _clear(self, source: LayerStack, role: Role) -> None:
        layer = roles.find(self._viewer, source, role)
        if layer is not None:
            layer.data[...] = 0
            layer.refresh(extent=False, highlight=False)

    def _layer(self, source: LayerStack, drawn: Drawn, *, visible: bool) -> Layer:
        role = ROLES[drawn.show]
        layer = roles.find(self._viewer, source, role)
        whole = role is Role.SEGMENTATION
        shape = source.labels_shape if whole else source.shape
        if layer is None:
            style = {"colormap": roles.colormap(self._classes.colors(only_visible=True))} if whole else {}
            blank = np.zeros(shape, drawn.values.dtype)
            layer = roles.create(self._viewer, source, role, blank, visible=False, **style)
            self._groups.set_visible(layer, visible)
            return layer
        if layer.data.shape != shape:
            layer.data = np.zeros(shape, drawn.values.dtype)
        elif drawn.values.dtype.itemsize > layer.data.dtype.itemsize:
            layer.data = layer.data.astype(drawn.values.dtype)
        return layer
