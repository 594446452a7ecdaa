"""Class maps without specks: smoothing, holes and small pieces. All steps are off unless they are asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes
from skimage.measure import label

from patchfield.errors import LabelError


@dataclass(frozen=True)
class Cleaning:
    """How a class map is cleaned; the default changes nothing.

    The steps follow one another in this order. Pixels that are unlabelled (0) stay so, count for no class, and no
    other pixel becomes unlabelled. The result depends on nothing but the map and these settings.

    Attributes
    ----------
    smoothing : float
        Radius in pixels of a disc; every pixel gets the class that is most frequent in it. A tie keeps the pixel's
        class if that is among the most frequent, and gives the smallest value otherwise. In volumes it works slice by
        slice. 0 is off.
    fill_holes : tuple of int
        Classes that take over what they enclose (in volumes: from all sides), in this order. What touches the edge of
        the image is no hole.
    min_size : int
        Pieces, connected pixels of one class with 8 neighbours (26 in volumes), of fewer pixels go to the class that
        they have the longest border with, the smallest value on a tie. Pieces with nothing but unlabelled pixels
        around them stay. 0 is off.

    Raises
    ------
    LabelError
        When a setting makes no sense.
    """

    smoothing: float = 0
    fill_holes: tuple[int, ...] = ()
    min_size: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing <= MAX_RADIUS:
            raise LabelError(f"A smoothing radius of {self.smoothing} makes no sense: give 0 to {MAX_RADIUS} pixels.")
        if self.min_size < 0:
            raise LabelError(f"A smallest size of {self.min_size} makes no sense: give a number of pixels from 0.")
        if any(value < 1 for value in self.fill_holes):
            raise LabelError("Holes are filled by classes, which are numbered from 1.")


MAX_RADIUS = 100
_CHUNK = 2**20
"""Pixels."""


def clean(segmentation: NDArray[Any], settings: Cleaning) -> NDArray[Any]:
    """A class map without specks, holes and small pieces, as the settings say.

    Parameters
    ----------
    segmentation : ndarray (H, W), or (Z, H, W) for a volume
        Whole numbers, 0 where unlabelled.
    settings : Cleaning

    Returns
    -------
    ndarray
        A new array of the same shape and dtype.

    Examples
    --------
    >>> spotted = np.ones((5, 5), np.uint8)
    >>> spotted[2, 2] = 2
    >>> np.unique(clean(spotted, Cleaning(min_size=2)))
    array([1], dtype=uint8)
    """
    *_, cleaned = cleaning_steps(segmentation, settings)
    return cleaned


def cleaning_steps(segmentation: NDArray[Any], settings: Cleaning) -> Iterator[NDArray[Any]]:
    """As :func:`clean`, with a yield after every part of the work, so that it can be given up there.

    Yields
    ------
    ndarray
        The map as far as it is cleaned; only the last one is the result.
    """
    cleaned = segmentation.copy()
    yield cleaned
    if settings.smoothing > 0:
        for plane in cleaned.reshape(-1, *cleaned.shape[-2:]):
            smoothed = plane
            for step in _smoothing_steps(plane, settings.smoothing):
                smoothed = step
                yield cleaned
            plane[...] = smoothed
    for value in settings.fill_holes:
        cleaned[binary_fill_holes(cleaned == value) & (cleaned != 0)] = value
        yield cleaned
    if settings.min_size > 1:
        for _ in _absorbing_rounds(cleaned, settings.min_size):
            yield cleaned
    yield cleaned


def _smoothing_steps(plane: NDArray[Any], radius: float) -> Iterator[NDArray[Any]]:
    """The most frequent class in a disc around every pixel of a plane; class by class, the last one is the result."""
    best = np.zeros(plane.shape, np.int32)
    winner = plane.copy()
    own = np.zeros(plane.shape, np.int32)
    for value in _values(plane):
        is_value = plane == value
        count = _disc_sum(is_value, radius)
        np.copyto(own, count, where=is_value)
        np.copyto(winner, value, where=count > best)
        np.maximum(best, count, out=best)
        yield winner
    np.copyto(winner, plane, where=(own == best) | (plane == 0))
    yield winner


def _disc_sum(mask: NDArray[np.bool_], radius: float) -> NDArray[np.int32]:
    """How many pixels of a mask lie within a radius of every pixel: running sums, one row of the disc at a time."""
    height, width = mask.shape
    reach = int(radius)
    padded = np.zeros((height + 2 * reach, width + 2 * reach + 1), np.int32)
    padded[reach : reach + height, reach + 1 : reach + 1 + width] = mask
    sums = np.cumsum(padded, axis=1, out=padded)
    total = np.zeros(mask.shape, np.int32)
    for row in range(-reach, reach + 1):
        half = int(np.sqrt(radius**2 - row**2))
        rows = sums[reach + row : reach + row + height]
        total += rows[:, reach + half + 1 : reach + half + 1 + width]
        total -= rows[:, reach - half : reach - half + width]
    return total


def _values(segmentation: NDArray[Any]) -> NDArray[Any]:
    """The classes that occur, ascending; 0 is none."""
    found: NDArray[Any] = np.zeros(0, segmentation.dtype)
    for rows in _slabs(segmentation):
        found = np.union1d(found, np.unique(segmentation[rows]))
    classes: NDArray[Any] = found[found != 0]
    return classes


def _slabs(values: NDArray[Any]) -> Iterator[slice]:
    """Pieces along the first axis: what indexes arrays lets no other thread go on meanwhile."""
    rows = max(1, _CHUNK * len(values) // max(1, values.size))
    for first in range(0, len(values), rows):
        yield slice(first, first + rows)


def _absorbing_rounds(segmentation: NDArray[Any], min_size: int) -> Iterator[None]:
    """Give small pieces to the classes around them, in place; those among small ones follow in the next round."""
    values = _values(segmentation)
    while True:
        pieces, count = label(segmentation, background=0, connectivity=segmentation.ndim, return_num=True)
        yield
        sizes = np.zeros(count + 1, np.int64)
        for rows in _slabs(pieces):
            sizes += np.bincount(pieces[rows].ravel(), minlength=len(sizes))
        small: NDArray[np.bool_] = np.less(sizes, min_size)
        small[0] = False
        borders = _borders_with_classes(segmentation, pieces, small, values)
        goes: NDArray[np.bool_] = np.asarray((borders > 0).any(axis=1))
        if not goes.any():
            return
        new_values = values[borders.argmax(axis=1)]
        for rows in _slabs(pieces):
            moved = goes[pieces[rows]]
            segmentation[rows][moved] = new_values[pieces[rows][moved]]
        yield


def _borders_with_classes(
    segmentation: NDArray[Any], pieces: NDArray[Any], small: NDArray[np.bool_], values: NDArray[Any]
) -> NDArray[np.int64]:
    """For every piece that is small, how many pixel faces it shares with large pieces of each class: (N, K)."""
    counts = np.zeros(len(small) * len(values), np.int64)
    is_small = np.zeros(pieces.shape, bool)
    for rows in _slabs(pieces):
        is_small[rows] = small[pieces[rows]]
    is_large = (segmentation != 0) & ~is_small
    for axis in range(segmentation.ndim):
        ahead = (slice(None),) * axis + (slice(1, None),)
        behind = (slice(None),) * axis + (slice(None, -1),)
        for here, there in ((ahead, behind), (behind, ahead)):
            shared = is_small[here] & is_large[there]
            own, neighbours = pieces[here], segmentation[there]
            for rows in _slabs(shared):
                of_class = np.searchsorted(values, neighbours[rows][shared[rows]])
                np.add.at(counts, own[rows][shared[rows]].astype(np.int64) * len(values) + of_class, 1)
    return counts.reshape(len(small), len(values))
