"""Where one looks: the plane of an image, and what of it is in the middle."""

from napari.components import ViewerModel

from patchfield.field import Region
from patchfield.images import PlaneIndex
from patchfield.napari.layers.annotated import AnnotatedImage
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


def region_in_view(annotated: AnnotatedImage) -> Region:
    """The rows and columns that the canvas shows."""
    (top, left), (bottom, right) = annotated.labels.corner_pixels[:, -2:]
    height, width = annotated.source.shape
    rows = slice(max(0, int(top)), min(height, int(bottom) + 1))
    return rows, slice(max(0, int(left)), min(width, int(right) + 1))


def step_in_view(view: Region, canvas: tuple[int, int]) -> int:
    """How many pixels of the image fall on one of the canvas, along each axis; 1 where they are larger."""
    sizes = (part.stop - part.start for part in view)
    return max(1, int(max(size / pixels for size, pixels in zip(sizes, canvas, strict=True))))
