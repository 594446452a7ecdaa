"""Strokes as a person paints them: by hand-placed polylines, or drawn by a program inside a mask."""

from collections.abc import Iterable, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.draw import line
from skimage.graph import route_through_array

Polyline = Iterable[tuple[int, int]]

REACH = 40
"""A program's stroke stays within this many pixels of where it starts."""


def painted(shape: tuple[int, int], strokes: Mapping[int, Iterable[Polyline]], brush: int = 3) -> NDArray[np.uint8]:
    """Labels with polylines of (row, column) points painted by a square brush of `brush` pixels.

    Examples
    --------
    >>> int(painted((9, 9), {2: [[(4, 2), (4, 6)]]}, brush=1).sum())
    10
    """
    labels = np.zeros(shape, np.uint8)
    for value, polylines in strokes.items():
        touched = np.zeros(shape, bool)
        for polyline in polylines:
            points = list(polyline)
            for start, end in pairwise(points):
                touched[line(*start, *end)] = True
        labels[ndimage.binary_dilation(touched, np.ones((brush, brush)))] = value
    return labels


def strokes_inside(mask: NDArray[np.integer], seed: int, per_class: int = 4) -> NDArray[np.uint8]:
    """About `per_class` short strokes for every class of a mask, spread out, none of which leaves its class.

    A stroke runs along the middle of its region: the cheapest path between two pixels of it, when a pixel costs
    more the closer it is to the border.

    Parameters
    ----------
    mask : ndarray (H, W) of int
        The class of every pixel; 0 gets no strokes.
    seed : int
        The same seed gives the same strokes.
    """
    return np.where(numbered_strokes(mask, seed, per_class) > 0, mask, 0).astype(np.uint8)


def numbered_strokes(mask: NDArray[np.integer], seed: int, per_class: int = 4) -> NDArray[np.uint8]:
    """The strokes of :func:`strokes_inside` by their number, from 1, within their class; 0 where there is none.

    Those up to a smaller number are as spread out as they can be with so few: fewer strokes on the same image.

    Examples
    --------
    >>> numbers = numbered_strokes(np.ones((64, 64), np.uint8), seed=1, per_class=3)
    >>> np.unique(numbers)
    array([0, 1, 2, 3], dtype=uint8)
    """
    rng = np.random.default_rng(seed)
    numbers = np.zeros(mask.shape, np.uint8)
    margin = min(mask.shape) // 16
    framed = np.pad(np.ones([side - 2 * margin for side in mask.shape], bool), margin)
    for value in np.unique(mask[mask > 0]):
        region = mask == value
        depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
        inner = depth >= min(3.0, depth.max())
        central = inner & framed
        starts = _spread_out(np.argwhere(central if central.any() else inner), per_class, rng)
        for number, start in enumerate(starts, 1):
            stroke, window = _stroke_from(start, depth, inner, rng)
            painted_now = ndimage.binary_dilation(stroke, np.ones((3, 3))) & region[window]
            numbers[window][painted_now & (numbers[window] == 0)] = number
    return numbers


def _spread_out(candidates: NDArray[np.integer], count: int, rng: np.random.Generator) -> list[NDArray[np.integer]]:
    """`count` of the candidates, each the farthest from those before among some drawn at random."""
    chosen = [rng.choice(candidates)]
    while len(chosen) < count:
        drawn = rng.choice(candidates, 20)
        distances = np.linalg.norm(drawn[:, None] - np.array(chosen), axis=-1).min(axis=1)
        chosen.append(drawn[distances.argmax()])
    return chosen


def _stroke_from(
    start: NDArray[np.integer], depth: NDArray[np.floating], inner: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[NDArray[np.bool_], tuple[slice, slice]]:
    """A path inside the region (depth > 0) from `start` to one of the farther pixels within reach.

    Returns
    -------
    stroke : (h, w) bool array
    window : (slice, slice)
        The rows and columns that it is of: all that a brush of 3 pixels can touch.
    """
    corner = np.maximum(start - REACH, 0)
    window = (slice(corner[0], start[0] + REACH), slice(corner[1], start[1] + REACH))
    near, origin = depth[window], start - corner
    connected, _ = ndimage.label(near > 0, np.ones((3, 3)))
    ends = np.argwhere((connected == connected[tuple(origin)]) & inner[window])
    far = np.linalg.norm(ends - origin, axis=1)
    end = rng.choice(ends[far >= np.median(far)])
    cost = np.where(near > 0, 1 + 20 / np.maximum(near, 1) ** 2, -1)
    path, _ = route_through_array(cost, origin, end)
    brushed = (slice(max(0, corner[0] - 1), start[0] + REACH + 1), slice(max(0, corner[1] - 1), start[1] + REACH + 1))
    stroke = np.zeros(depth[brushed].shape, bool)
    stroke[tuple((np.array(path[: 2 * REACH]) + corner - [brushed[0].start, brushed[1].start]).T)] = True
    return stroke, brushed
