"""One image at a time: the layers of the current image are seen, those of all other images are not."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer
from napari.utils.events import EventEmitter
from numpy.typing import NDArray
from psygnal import Signal

from patchfield.napari.jobs import Call
from patchfield.napari.layers import roles
from patchfield.napari.layers.annotations import Annotations
from patchfield.napari.layers.content import finest
from patchfield.napari.layers.roles import TRANSIENT_ROLES, Role
from patchfield.napari.layers.stack import LayerStack

MARGIN = 0.05
"""Blank space around an image that is shown whole, as a fraction of the canvas."""


class Groups:
    """An image, its labels and its results are one group; only the current image's group is visible.

    What a user shows or hides of a group stays so when other images were looked at meanwhile. Layers that are no images
    and not ours (points, shapes, other people's labels) are left alone. An image that is added becomes the current one,
    and so does the one whose layer, or a layer of ours over it, is chosen in napari's list.

    Parameters
    ----------
    viewer : ViewerModel
    annotations : Annotations
    later : callable
        Runs a call when the event that is being handled is over.
    """

    taken_up = Signal()
    """An image that came is current, and seen as a whole."""

    def __init__(self, viewer: ViewerModel, annotations: Annotations, later: Callable[[Call], None]) -> None:
        self._viewer = viewer
        self._annotations = annotations
        self._later = later
        self._wanted: dict[str, bool] = {}
        """Visibility, by the ids of layers of hidden groups, for when their group is seen again."""
        self._pictures = _pictures(roles.images(viewer)[::-1])
        self._arriving: list[Image] = []
        self._leaving = self._closed = self._is_returning = False
        self._extent: NDArray[Any] | None = None
        layers = viewer.layers
        layers.events.inserted.connect(self._on_inserted)
        layers.events.removing.connect(self._on_removing)
        layers.events.removed.connect(self._on_removed)
        layers.selection.events.active.connect(self._on_active)
        for event in self._looks():
            event.connect(self._on_look)
        viewer.dims.events.order.connect(self._on_turn)
        annotations.selected.connect(self.show_current)
        annotations.together = self._came_with

    def show_current(self) -> None:
        """Show the group of the current image, and hide all others; all of it, where it lies elsewhere than they do."""
        current = self._annotations.current
        if current is None:
            return
        shown = self._images_shown_with(current.source)
        ids = {str(image.unique_id) for image in shown}
        for layer in self._members():
            if self._image_of(layer) in ids:
                self._show(layer, always=layer is current.source.layer or layer is current.labels)
            else:
                self._hide(layer)
        self._raise(current.source, shown)
        extent = current.source.layer.extent.world
        if self._extent is not None and not np.array_equal(extent, self._extent):
            self.fit()
        self._extent = extent
        self._on_look()

    def set_visible(self, layer: Layer, visible: bool) -> None:
        """Show or hide a layer of ours: now, or once its image is the current one."""
        if self.is_shown(str(layer.metadata[roles.METADATA_KEY]["image"])):
            layer.visible = visible
        else:
            layer.visible = False
            self._wanted[str(layer.unique_id)] = visible

    def is_shown(self, image: str) -> bool:
        """Whether the group of an image, by its id, is the one that is seen."""
        current = self._annotations.current
        return current is not None and current.source.id == image

    def fit(self) -> None:
        """Show all of the current image."""
        if self._annotations.current is None:
            return
        layer, camera = self._annotations.current.source.layer, self._viewer.scene.camera
        if layer.ndim == self._viewer.dims.ndim:
            self._viewer.fit_to_view(layers=[layer])
            return
        # napari 0.9 fits only layers that have all axes of the viewer.
        low, high = layer.extent.world[:, -2:]
        camera.center = (*camera.center[:-2], *((low + high) / 2))
        camera.zoom = (1 - MARGIN) * float(np.min(np.asarray(self._viewer.canvas.size) / (high - low)))

    def close(self) -> None:
        """Stop listening, also to what is still to be handled; the layers stay as they are."""
        self._closed = True
        layers = self._viewer.layers
        layers.events.inserted.disconnect(self._on_inserted)
        layers.events.removing.disconnect(self._on_removing)
        layers.events.removed.disconnect(self._on_removed)
        layers.selection.events.active.disconnect(self._on_active)
        for event in self._looks():
            event.disconnect(self._on_look)
        self._viewer.dims.events.order.disconnect(self._on_turn)

    # -- what happens when something happens

    def _on_inserted(self, event: Any) -> None:
        """An image that comes is taken up once all that come with it are there."""
        if not isinstance(event.value, Image) or roles.is_ours(event.value):
            return
        self._arriving.append(event.value)
        if len(self._arriving) == 1:
            self._later(self._take_up)

    def _take_up(self) -> None:
        arrived = [layer for layer in self._arriving if layer in self._viewer.layers]
        self._arriving = []
        if not arrived or self._closed:
            return
        self._pictures += _pictures(arrived)
        self._annotations.select(arrived[0])
        self.fit()
        self.taken_up.emit()

    def _on_active(self, event: Any) -> None:
        """Follow who chooses a layer in napari's list, once it is clear that this is what happened."""
        layer = event.value
        if layer is None or layer in self._arriving or self._leaving:
            return
        self._later(partial(self._follow, layer))

    def _follow(self, layer: Layer) -> None:
        if (
            self._closed
            or self._leaving
            or layer in self._arriving
            or self._viewer.layers.selection.active is not layer
        ):
            return
        of = self._image_of(layer)
        image = next((image for image in self._annotations.choices if str(image.unique_id) == of), None)
        current = self._annotations.current
        if image is not None and (current is None or image not in self._images_shown_with(current.source)):
            self._annotations.select(image)

    def _looks(self) -> tuple[EventEmitter, ...]:
        """What changes the plane on view."""
        events = self._viewer.dims.events
        return events.current_step, events.order, events.ndisplay

    def _on_turn(self, event: Any) -> None:
        """napari has just shown all layers as a whole, hidden ones included."""
        self._later(self._fit_unless_closed)

    def _fit_unless_closed(self) -> None:
        if not self._closed:
            self.fit()

    def _on_look(self, event: Any = None) -> None:
        """napari's sliders reach as far as the largest image, also a hidden one: nobody is left beside what is seen."""
        if not self._is_returning:
            self._is_returning = True
            self._later(self._return)

    def _return(self) -> None:
        """Go to the nearest plane of what is visible."""
        self._is_returning = False
        if self._closed or self._annotations.current is None:
            return
        dims = self._viewer.dims
        for axis in dims.not_displayed:
            seen = _reach(self._viewer, axis)
            if seen is not None and not seen[0] <= dims.point[axis] <= seen[1]:
                dims.set_point(axis, float(np.clip(dims.point[axis], *seen)))

    def _on_removing(self, event: Any) -> None:
        """What napari makes active in the place of what goes was chosen by nobody."""
        self._leaving = True
        self._later(self._on_left)

    def _on_left(self) -> None:
        self._leaving = False

    def _on_removed(self, event: Any) -> None:
        """What was made of an image goes out of sight with it; strokes are not lost, their layer stays in the list."""
        layer = event.value
        self._wanted.pop(str(layer.unique_id), None)
        self._pictures = [[image for image in images if image is not layer] for images in self._pictures]
        # A map of ours is an Image, too; what is looked at for a while takes nothing else with it.
        gone = None if roles.role(layer) not in (None, Role.LABELS) else self._image_of(layer)
        for ours in self._viewer.layers:
            if roles.is_ours(ours) and self._image_of(ours) == gone:
                ours.visible = False

    # -- groups

    def _members(self) -> Iterator[Layer]:
        """All layers of all groups; what is just arriving has no place yet."""
        for layer in self._viewer.layers:
            if self._image_of(layer) is not None and layer not in self._arriving[1:]:
                yield layer

    def _image_of(self, layer: Layer) -> str | None:
        """The id of the image that a layer belongs to; None for layers of others."""
        if roles.is_ours(layer):
            return str(layer.metadata[roles.METADATA_KEY]["image"])
        return str(layer.unique_id) if isinstance(layer, Image) else None

    def _images_shown_with(self, source: LayerStack) -> list[Image]:
        """The image itself, what it is joined with, and the channels that came with it to be seen as one picture."""
        return [source.layer, *(part.layer for part in source.joined), *self._came_with(source.layer)]

    def _came_with(self, layer: Image) -> list[Image]:
        return next((images for images in self._pictures if layer in images), [])

    def _show(self, layer: Layer, *, always: bool) -> None:
        wanted = self._wanted.pop(str(layer.unique_id), layer.visible)
        layer.visible = wanted or always

    def _raise(self, source: LayerStack, shown: list[Image]) -> None:
        """Put what we made of the current image above all images that are seen together with it."""
        layers = self._viewer.layers
        for role in reversed(Role):
            layer = roles.find(self._viewer, source, role)
            top = max(layers.index(image) for image in shown)
            if layer is not None and layers.index(layer) < top:
                layers.move(layers.index(layer), top + 1)

    def _hide(self, layer: Layer) -> None:
        if roles.role(layer) not in TRANSIENT_ROLES:
            self._wanted.setdefault(str(layer.unique_id), layer.visible)
        layer.visible = False


def _reach(viewer: ViewerModel, axis: int) -> tuple[float, float] | None:
    """From where to where visible layers reach along an axis of the viewer; None where none of them has it."""
    reaches = [
        layer.extent.world[:, axis - viewer.dims.ndim]
        for layer in viewer.layers
        if layer.visible and axis >= viewer.dims.ndim - layer.ndim
    ]
    return (min(float(low) for low, _ in reaches), max(float(high) for _, high in reaches)) if reaches else None


def _alike(image: Image, other: Image) -> bool:
    return bool(finest(image).shape == finest(other).shape)


def _pictures(images: list[Image]) -> list[list[Image]]:
    """Images that came together, as pictures: napari adds the channels of one as layers whose colours add up."""
    pictures: list[list[Image]] = []
    for image in images:
        if pictures and image.blending == "additive" and not image.rgb and _alike(image, pictures[-1][0]):
            pictures[-1].append(image)
        else:
            pictures.append([image])
    return pictures
