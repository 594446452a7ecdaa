"""A few confident strokes of each group: what a person would paint who agrees with what was found."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

RADIUS = 2
"""Of the dabs, in pixels; smaller ones where a group is narrower."""
_FAR_ENOUGH = 6.0
"""Pixels from the border of a group beyond which a place counts no more for being deeper inside."""


def confident_strokes(
    groups: NDArray[np.integer], confidence: NDArray[np.floating], count: int = 12
) -> NDArray[np.int64]:
    """Sparse labels in place of a segmentation: dabs where each group is surest of itself, spread over the image.

    Painting goes on from there: few pixels, so that one's own strokes count, and none near a border, where clusters are
    wrong most often.

    Parameters
    ----------
    groups : (H, W) int array
        From 1; 0 gets no strokes.
    confidence : (H, W) float array
        Larger where it is surer, such as :meth:`Clusters.margin`.
    count : int
        Dabs for each group, at most.

    Returns
    -------
    (H, W) int64
        The group of each painted pixel, 0 elsewhere.

    Examples
    --------
    >>> halves = np.repeat([[1, 2]], 60, axis=0).repeat(40, axis=1)
    >>> strokes = confident_strokes(halves, np.ones((60, 80)), count=4)
    >>> sorted(set(strokes.ravel().tolist())), bool((strokes > 0).mean() < 0.05)
    ([0, 1, 2], True)
    >>> bool((halves[strokes > 0] == strokes[strokes > 0]).all())
    True
    """
    strokes = np.zeros(groups.shape, np.int64)
    for group in np.unique(groups[groups > 0]):
        inside = groups == group
        # Beyond the edge of the image a group may go on.
        depth = distance_transform_edt(np.pad(inside, 1, mode="edge"))[1:-1, 1:-1]
        depth = np.where(np.isfinite(depth) & inside, depth, 0)
        ranks = np.zeros(groups.shape)
        ranks[inside] = confidence[inside].argsort().argsort() / inside.sum()
        score = (1 + ranks) * np.minimum(depth, _FAR_ENOUGH)
        for row, column in _spread(score, count):
            _dab(strokes, inside, int(group), (row, column), min(RADIUS, depth[row, column] - 1))
    return strokes


def _spread(score: NDArray[np.floating], count: int) -> list[tuple[int, int]]:
    """The best places of the best cells of a lattice, with about four times as many cells as places are wanted."""
    height, width = score.shape
    side = max(1, int(np.sqrt(height * width / (4 * count))))
    found = []
    for top in range(0, height, side):
        for left in range(0, width, side):
            cell = score[top : top + side, left : left + side]
            row, column = np.unravel_index(cell.argmax(), cell.shape)
            if cell[row, column] > 0:
                found.append((cell[row, column], top + int(row), left + int(column)))
    found.sort(reverse=True)
    return [(row, column) for _, row, column in found[:count]]


def _dab(
    strokes: NDArray[np.int64], inside: NDArray[np.bool_], value: int, place: tuple[int, int], radius: float
) -> None:
    reach = int(max(0, radius))
    rows = np.arange(max(0, place[0] - reach), min(strokes.shape[0], place[0] + reach + 1))
    columns = np.arange(max(0, place[1] - reach), min(strokes.shape[1], place[1] + reach + 1))
    near = (rows[:, None] - place[0]) ** 2 + (columns - place[1]) ** 2 <= max(0, radius) ** 2
    box = np.ix_(rows, columns)
    strokes[box] = np.where(near & inside[box], value, strokes[box])
