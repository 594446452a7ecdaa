"""Where one looks: the plane of an image, and what of it is in the middle."""

from napari.components import ViewerModel

from patchfield.images import PlaneIndex
from patchfield.napari.layers.stack import LayerStack


def place(viewer: ViewerModel, source: LayerStack) -> tuple[PlaneIndex, tuple[float, float], float]:
    """The plane of an image on view, the centre of the camera as (row, column) of the world, and its zoom."""
    camera = viewer.scene.camera
    row, column = (float(position) for position in camera.center[-2:])
    return source.index_at(viewer.dims.point), (row, column), float(camera.zoom)


def go_to(viewer: ViewerModel, source: LayerStack, index: PlaneIndex) -> None:
    """Bring a plane of an image on view."""
    layer = source.layer
    position = [0.0] * layer.ndim
    for axis, at in zip(source.layer_axes, index, strict=False):
        position[axis] = at
    world = layer.data_to_world(position)
    first = viewer.dims.ndim - layer.ndim
    for axis, _ in zip(source.layer_axes, index, strict=False):
        viewer.dims.set_point(first + axis, float(world[axis]))


def look_at(viewer: ViewerModel, center: tuple[float, ...], zoom: float) -> None:
    """Put the camera where it was."""
    camera = viewer.scene.camera
    camera.center = (*camera.center[:-2], *center[-2:])
    camera.zoom = zoom
