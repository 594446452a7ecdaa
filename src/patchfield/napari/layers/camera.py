"""The view moved to a place of an image."""

from napari.components import ViewerModel
from napari.layers import Layer

from patchfield.images import PlaneIndex


def show_place(viewer: ViewerModel, layer: Layer, index: PlaneIndex, row: int, column: int) -> None:
    """Show the plane `index` of a layer with (row, column) in the middle of the canvas, as close as the view is."""
    world = layer.data_to_world((*index, row, column))
    first = viewer.dims.ndim - len(world)
    for axis, position in enumerate(world[:-2]):
        viewer.dims.set_point(first + axis, position)
    camera = viewer.scene.camera
    camera.center = (*camera.center[:-2], *world[-2:])
