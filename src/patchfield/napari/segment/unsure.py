"""Where a stroke would help most: the places a probe is least sure of."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max

from patchfield.field import FeatureField
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import Job, Slot
from patchfield.napari.layers.stack import Plane
from patchfield.probe import LinearProbe

PATCH = 16
"""Side in pixels of the patches whose mean uncertainty is compared: a place, not a noisy pixel."""


def unsure_places(uncertainty: np.ndarray, painted: np.ndarray | None = None, count: int = 20) -> list[tuple[int, int]]:
    """Places of high uncertainty that lie apart, the most uncertain first.

    Parameters
    ----------
    uncertainty : (H, W) float array
        0 sure to 1 unsure.
    painted : (H, W) array, optional
        Labels; patches with strokes are left out, for they were judged already.
    count : int
        At most so many.

    Returns
    -------
    list of (row, column)
        Middles of patches.

    Examples
    --------
    >>> maps = np.zeros((64, 64)); maps[32:48, 16:32] = 1
    >>> unsure_places(maps, count=1)
    [(39, 23)]
    """
    height, width = uncertainty.shape
    grid = (-(-height // PATCH), -(-width // PATCH))
    patch = (np.arange(height) // PATCH)[:, None] * grid[1] + np.arange(width) // PATCH
    numbers = np.arange(grid[0] * grid[1])
    means = ndimage.mean(uncertainty, patch, numbers).reshape(grid)
    if painted is not None:
        means[ndimage.maximum(painted, patch, numbers).reshape(grid) > 0] = 0
    peaks = peak_local_max(means, min_distance=1, exclude_border=False, num_peaks=count)
    return [
        (int(min(i * PATCH + PATCH // 2 - 1, height - 1)), int(min(j * PATCH + PATCH // 2 - 1, width - 1)))
        for i, j in peaks
    ]


VIEW = 256
"""Image pixels that the canvas shows across at the least, when a place is visited."""


class UnsureTour:
    """Moves the view to the most uncertain places, the worst first; a new probe makes a new tour."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._slot = Slot(controller.runner)
        self._made_for: tuple[LinearProbe, Plane] | None = None
        self._places: list[tuple[int, int]] = []

    def next(self) -> None:
        """Go to the next place; nothing happens while there is nothing to be unsure of."""
        probe, target = self._controller.live.probe, self._controller.target()
        if probe is None or target is None:
            return
        if self._places and self._made_for == (probe, target.plane):
            self._visit()
            return
        self._made_for = (probe, target.plane)
        painted = self._controller.current.snapshots.get(target.plane.index)
        work = partial(_places, probe, target.field, painted)
        self._slot.submit(Job(work, self._begin, self._controller.on_error), interrupt=True)

    def close(self) -> None:
        self._slot.cancel()

    def _begin(self, places: list[tuple[int, int]]) -> None:
        self._places = places
        self._visit()

    def _visit(self) -> None:
        current = self._controller.current
        if not self._places or current is None:
            return
        place = self._places.pop(0)
        layer, viewer = current.labels, self._controller.viewer
        index = self._made_for[1].index
        viewer.scene.camera.center = tuple(layer.data_to_world((*index, *place)))[-3:]
        # In canvas pixels per unit of the world, such that VIEW image pixels fit.
        close_up = min(viewer.canvas.size) / (VIEW * abs(layer.scale[-1]))
        viewer.scene.camera.zoom = max(viewer.scene.camera.zoom, close_up)
        viewer.status = f"In the middle: an unsure place, {len(self._places)} more"


def _places(probe: LinearProbe, field: FeatureField, painted: np.ndarray | None) -> Iterator[list[tuple[int, int]]]:
    yield unsure_places(probe.uncertainty(field), painted)
