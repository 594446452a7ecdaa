"""Going to a place of an image, with a ring around it, and back to where one was."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer, Points
from numpy.typing import NDArray
from psygnal import Signal

from patchfield.napari.layers import roles
from patchfield.napari.layers.annotations import Annotations
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.session.places import Place

MIN_VIEW = 256
"""The canvas shows at least so many image pixels across when a place is visited, as far as the image has them."""

RING_COLOR = "#ff2fd6"
_RING = 1.5
"""Diameter of the ring, as a multiple of what it is around."""

_ROOM = 3.0
"""Side of what is shown at least, as a multiple of what is to be seen."""

_LONGEST_WAY = 200


@dataclass(frozen=True)
class _View:
    """What the canvas showed before a place was visited."""

    image: str
    point: tuple[float, ...]
    center: tuple[float, ...]
    zoom: float
    marked: Place | None


class Places:
    """Moves the view of a viewer to places, and back.

    The view never goes beyond the image where the image fills it. The ring goes when something is painted, and when
    another image is looked at.

    Parameters
    ----------
    viewer : ViewerModel
    annotations : Annotations

    Attributes
    ----------
    marked : Place or None
        Where the ring is.
    """

    changed = Signal()
    """The ring, or whether there is a way back, is another one."""

    def __init__(self, viewer: ViewerModel, annotations: Annotations) -> None:
        self.marked: Place | None = None
        self._viewer = viewer
        self._annotations = annotations
        self._way: list[_View] = []
        self._ring: Points | None = None
        annotations.strokes_changed.connect(self.unmark)
        annotations.selected.connect(self._on_selected)

    @property
    def has_way_back(self) -> bool:
        """Whether there is a view to go back to."""
        return bool(self._way)

    def visit(self, place: Place) -> bool:
        """Go to a place; False where its image, or that plane of it, is there no more."""
        source = self._source_of(place)
        if source is None:
            return False
        view = self._view()
        self._select(source)
        self._show_plane(source, place)
        self._look_at(source, place)
        self._mark(source, place)
        if view is not None:
            self._way = [*self._way[1 - _LONGEST_WAY :], view]
        self.changed.emit()
        return True

    def back(self) -> bool:
        """Go back to what was seen before the last visit; False where there is nothing to go back to."""
        while self._way:
            view = self._way.pop()
            image = next((layer for layer in self._annotations.choices if str(layer.unique_id) == view.image), None)
            if image is None or len(view.point) != self._viewer.dims.ndim:
                continue
            source = self._annotations.source_of(image)
            self._select(source)
            self._viewer.dims.point = view.point
            self._viewer.scene.camera.center = view.center
            self._viewer.scene.camera.zoom = view.zoom
            self.unmark()
            if view.marked is not None:
                self._mark(source, view.marked)
            self.changed.emit()
            return True
        self.changed.emit()
        return False

    def unmark(self) -> None:
        """Take the ring away."""
        if self._ring is not None and self._ring in self._viewer.layers:
            self._viewer.layers.remove(self._ring)
        if self.marked is not None:
            self._ring = self.marked = None
            self.changed.emit()

    def close(self) -> None:
        """Take the ring away, and stop listening."""
        self._annotations.strokes_changed.disconnect(self.unmark)
        self._annotations.selected.disconnect(self._on_selected)
        self.unmark()

    def _on_selected(self) -> None:
        current = self._annotations.current
        if self.marked is not None and (current is None or current.source.id != self.marked.plane.image):
            self.unmark()

    def _source_of(self, place: Place) -> LayerStack | None:
        for layer in self._annotations.choices:
            if str(layer.unique_id) == place.plane.image:
                source = self._annotations.source_of(layer)
                inside = place.row < source.shape[0] and place.column < source.shape[1]
                return source if inside and place.plane.index in source.indices() else None
        return None

    def _select(self, source: LayerStack) -> None:
        current = self._annotations.current
        if current is None or current.source.id != source.id:
            self._annotations.select(source.layer)

    def _view(self) -> _View | None:
        """What the canvas shows now."""
        current, camera = self._annotations.current, self._viewer.scene.camera
        if current is None:
            return None
        point = tuple(float(x) for x in self._viewer.dims.point)
        return _View(current.source.id, point, tuple(camera.center), float(camera.zoom), self.marked)

    def _show_plane(self, source: LayerStack, place: Place) -> None:
        """Move the sliders to the plane."""
        layer, dims = source.layer, self._viewer.dims
        position = np.asarray(layer.world_to_data(tuple(dims.point)[-layer.ndim :]), float)
        position[list(source.layer_axes)] = (*place.plane.index, place.row, place.column)
        world = layer.data_to_world(tuple(position))
        first = dims.ndim - layer.ndim
        for axis in source.layer_axes[:-2]:
            dims.set_point(first + axis, float(world[axis]))

    def _look_at(self, source: LayerStack, place: Place) -> None:
        """Center the place, as near as it takes to see it; never beyond the edge of an image that fills the view."""
        camera, canvas = self._viewer.scene.camera, np.asarray(self._viewer.canvas.size, float)
        middle = _in_world(source, place.row, place.column)
        side = float(abs(source.layer.scale[-1]))
        close_up = canvas.min() / (min(MIN_VIEW, max(source.shape)) * side)
        zoom = min(max(camera.zoom, close_up), canvas.min() / (_ROOM * max(place.extent, 1) * side))
        corners = [(r, c) for r in (-0.5, source.shape[0] - 0.5) for c in (-0.5, source.shape[1] - 0.5)]
        world = np.array([_in_world(source, *corner) for corner in corners])
        camera.zoom = zoom
        camera.center = (*camera.center[:-2], *_clamped(middle, world.min(axis=0), world.max(axis=0), canvas / zoom))

    def _mark(self, source: LayerStack, place: Place) -> None:
        """Draw the ring."""
        if self._ring is not None and self._ring in self._viewer.layers:
            self._viewer.layers.remove(self._ring)
        diameter = _RING * max(place.extent, 1)
        self._ring = roles.create_ring(
            self._viewer, source, (*place.plane.index, place.row, place.column), diameter, RING_COLOR
        )
        self.marked = place


def _in_world(source: LayerStack, row: float, column: float) -> NDArray[np.float64]:
    """Rows and columns of the world at a pixel."""
    layer: Layer = source.layer
    position = np.zeros(layer.ndim)
    position[-2:] = row, column
    return np.asarray(layer.data_to_world(tuple(position)), float)[-2:]


def _clamped(
    middle: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64], view: Sequence[Any] | NDArray[Any]
) -> tuple[float, ...]:
    """The middle of a view of some size, as near to `middle` as can be without a look beyond `low` and `high`.

    Examples
    --------
    >>> ends = np.array([0.0, 0.0]), np.array([100.0, 10.0])
    >>> _clamped(np.array([95.0, 9.0]), *ends, (30.0, 30.0))
    (85.0, 5.0)
    """
    half = np.asarray(view, float) / 2
    inner_low, inner_high = low + half, high - half
    fits = inner_low <= inner_high
    center = np.where(fits, np.clip(middle, inner_low, np.maximum(inner_low, inner_high)), (low + high) / 2)
    return tuple(float(x) for x in center)
