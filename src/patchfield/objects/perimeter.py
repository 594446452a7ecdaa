"""The lengths of outlines on pixels of any shape."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def perimeters(instances: NDArray[Any], height: float = 1, width: float = 1) -> NDArray[np.float64]:
    """The lengths of the outlines of all objects, holes and edges of the image included.

    Crofton's formula on lines in four directions (rows, columns, and what comes next to both diagonals), each weighted
    by the angle that it stands for. Unlike the length of the pixels' outline it is right within a few percent for
    outlines in any direction. scikit-image has the same for square pixels (`perimeter_crofton`).

    Parameters
    ----------
    instances : ndarray (H, W) of int
        0 outside, objects from 1.
    height, width : float
        Of a pixel.

    Returns
    -------
    ndarray (N,) of float64
        For objects 1 to N, in the unit of `height` and `width`.

    Examples
    --------
    >>> rows, columns = np.mgrid[:81, :81]
    >>> disc = (np.hypot(rows - 40, columns - 40) < 30).astype(int)
    >>> bool(abs(perimeters(disc)[0] / (2 * np.pi * 30) - 1) < 0.02)
    True
    """
    # The diagonal step that comes next to 45 degrees: (1, 1) for square pixels, (1, 3) for those three times as high.
    rise, run = max(1, round(width / height)), max(1, round(height / width))
    padded = np.pad(instances, max(rise, run))
    angle = np.arctan2(rise * height, run * width)
    oblique = height * width / np.hypot(rise * height, run * width)
    # Of each direction: where the next pixel lies, the distance of its lines, and the angles that it stands for.
    directions = (
        ((0, 1), height, angle),
        ((1, 0), width, np.pi / 2 - angle),
        ((rise, run), oblique, np.pi / 4),
        ((rise, -run), oblique, np.pi / 4),
    )
    total = np.zeros(int(instances.max(initial=0)) + 1)
    for (down, right), distance, weight in directions:
        here = padded[: padded.shape[0] - down, max(0, -right) : padded.shape[1] - max(0, right)]
        there = padded[down:, max(0, right) : padded.shape[1] - max(0, -right)]
        crossed = here != there
        crossings = np.bincount(here[crossed], minlength=len(total)) + np.bincount(there[crossed], minlength=len(total))
        total += crossings * distance * weight / 2
    return total[1:]
