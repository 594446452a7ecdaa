"""Where a stroke would help most: the places a probe is least sure of."""

import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max

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
