"""The layers that show predictions: made when first needed, updated in place, coloured like the classes."""

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from patchfield.napari.layers import Role, roles
from patchfield.napari.layers.stack import ImageSource, Plane, PlaneIndex
from patchfield.napari.segment.updates import Drawn, Show
from patchfield.napari.session.classes import ClassTable

ROLES = {
    Show.SEGMENTATION: Role.SEGMENTATION,
    Show.PROBABILITY: Role.PROBABILITY,
    Show.UNCERTAINTY: Role.UNCERTAINTY,
}


class Results:
    """Draws predictions into layers.

    A segmentation has the image's planes, each as it was when last seen. Probability and uncertainty are of the
    plane on view only: float maps of a whole stack would not fit in memory.
    """

    def __init__(self, viewer: ViewerModel, classes: ClassTable) -> None:
        self._viewer, self._classes = viewer, classes

    def draw(self, source: ImageSource, drawn: Drawn, show: Show) -> None:
        """Put a piece of a result in its layer; a new layer is visible if it is the one of `show`."""
        layer = self._layer(source, drawn, visible=drawn.show is show)
        index = drawn.plane.index if layer.data.ndim > 2 else ()
        layer.data[(*index, *drawn.region)] = drawn.values
        # Neither the extent nor the highlight of the layer can have changed, and they cost more than the pixels.
        layer.refresh(extent=False, highlight=False)

    def paint_plane(self, source: ImageSource, index: PlaneIndex, values: np.ndarray) -> None:
        """Put the segmentation of a whole plane in its layer."""
        rows, columns = values.shape
        piece = (slice(0, rows), slice(0, columns))
        self.draw(source, Drawn(Plane(source.id, index), Show.SEGMENTATION, piece, values), Show.SEGMENTATION)

    def arrange(self, source: ImageSource, show: Show) -> None:
        """Show the layer of `show`, where it exists, and hide the others."""
        for candidate, role in ROLES.items():
            layer = roles.find(self._viewer, source, role)
            if layer is not None:
                layer.visible = candidate is show

    def withdraw(self, source: ImageSource) -> None:
        """Clear predictions that nothing stands behind any more."""
        segmentation = roles.find(self._viewer, source, Role.SEGMENTATION)
        if segmentation is not None:
            segmentation.data[...] = 0
            segmentation.refresh(extent=False, highlight=False)
        self.withdraw_maps(source)

    def withdraw_maps(self, source: ImageSource) -> None:
        """Clear the maps of a plane that is no longer on view."""
        for role in (Role.PROBABILITY, Role.UNCERTAINTY):
            layer = roles.find(self._viewer, source, role)
            if layer is not None:
                layer.data[...] = 0
                layer.refresh(extent=False, highlight=False)

    def recolor(self) -> None:
        """Colour all strokes and segmentations like the classes, and note the classes in the labels layers."""
        names = {entry.value: (entry.name, entry.color) for entry in self._classes}
        for layer in self._viewer.layers:
            role = roles.role(layer)
            if role is Role.LABELS:
                layer.colormap = roles.colormap(self._classes.colors())
                layer.metadata[roles.METADATA_KEY]["classes"] = names
            elif role is Role.SEGMENTATION:
                layer.colormap = roles.colormap(self._classes.colors(only_visible=True))

    def _layer(self, source: ImageSource, drawn: Drawn, *, visible: bool) -> Layer:
        role = ROLES[drawn.show]
        layer = roles.find(self._viewer, source, role)
        whole = role is Role.SEGMENTATION
        shape = source.labels_shape if whole else source.shape
        if layer is None:
            looks = {"colormap": roles.colormap(self._classes.colors(only_visible=True))} if whole else {}
            blank = np.zeros(shape, drawn.values.dtype)
            return roles.create(self._viewer, source, role, blank, visible=visible, **looks)
        if layer.data.shape != shape:
            layer.data = np.zeros(shape, drawn.values.dtype)
        elif drawn.values.dtype.itemsize > layer.data.dtype.itemsize:
            layer.data = layer.data.astype(drawn.values.dtype)
        return layer
