"""Where a stroke would help most: the positions at which a probe is least sure."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.feature import peak_local_max
from skimage.measure import block_reduce

from patchfield.field import FeatureField
from patchfield.napari.jobs import Job, Slot
from patchfield.napari.layers.places import Places
from patchfield.napari.session.places import Place
from patchfield.napari.session.planes import Plane
from patchfield.napari.workspace import Workspace
from patchfield.probe import LinearProbe

PATCH = 16
"""Side in pixels of the patches whose mean uncertainty is compared: an area, not a noisy pixel."""


def unsure_positions(
    uncertainty: NDArray[Any], painted: NDArray[Any] | None = None, count: int = 20
) -> list[tuple[int, int]]:
    """Positions of high uncertainty that lie apart, the most uncertain first.

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
    >>> unsure_positions(maps, count=1)
    [(39, 23)]
    """
    height, width = uncertainty.shape
    # NaN fills up what the last patches lack, and does not count.
    means = block_reduce(uncertainty, PATCH, np.nanmean, cval=np.nan)
    if painted is not None:
        means[block_reduce(painted, PATCH, np.max) > 0] = 0
    peaks = peak_local_max(means, min_distance=1, exclude_border=False, num_peaks=count)
    return [
        (int(min(i * PATCH + PATCH // 2 - 1, height - 1)), int(min(j * PATCH + PATCH // 2 - 1, width - 1)))
        for i, j in peaks
    ]


class UnsureTour:
    """Goes to the most uncertain positions, the worst first; a new probe, or another plane, makes a new tour.

    Parameters
    ----------
    workspace : Workspace
    places : Places
        Moves the view.
    """

    def __init__(self, workspace: Workspace, places: Places) -> None:
        self._workspace = workspace
        self._places = places
        self._slot = Slot(workspace.runner)
        self._made_for: tuple[LinearProbe, Plane] | None = None
        self._positions: list[tuple[int, int]] = []
        self._next = 0

    def next(self) -> None:
        """Go to the next position; nothing happens while there is nothing to be unsure of."""
        probe, target, current = self._workspace.live.probe, self._workspace.target(), self._workspace.current
        if probe is None or target is None or current is None:
            return
        if self._next < len(self._positions) and self._made_for == (probe, target.plane):
            self._visit(target.plane)
            return
        self._made_for = (probe, target.plane)
        painted = current.snapshots.get(target.plane.index)
        work = partial(_positions, probe, target.field, painted)
        begin = partial(self._begin, target.plane)
        self._slot.submit(Job(work, begin, self._workspace.on_error), interrupt=True)

    def back(self) -> None:
        """Go back to what was seen before; the next position is then the one that was left."""
        if self._places.back():
            self._next = max(0, self._next - 1)

    def close(self) -> None:
        """Stop looking."""
        self._slot.cancel()

    def _begin(self, plane: Plane, positions: list[tuple[int, int]]) -> None:
        self._positions, self._next = positions, 0
        if positions:
            self._visit(plane)
        else:
            self._workspace.viewer.status = "There is no unsure place left in this plane"

    def _visit(self, plane: Plane) -> None:
        current = self._workspace.current
        if current is None or current.source.id != plane.image:
            return
        row, column = self._positions[self._next]
        if self._places.visit(Place(plane, row, column, extent=float(PATCH))):
            self._next += 1
            left = len(self._positions) - self._next
            self._workspace.viewer.status = f"In the ring: an unsure place, {left} more (N; Shift+N goes back)"


def _positions(
    probe: LinearProbe, field: FeatureField, painted: NDArray[Any] | None
) -> Iterator[list[tuple[int, int]]]:
    yield unsure_positions(probe.uncertainty(field), painted)
