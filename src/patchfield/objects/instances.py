"""Objects of a class: connected pixels, and those that only touch told apart."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from skimage.measure import label
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from patchfield.errors import LabelError

DEFAULT_NECK = 0.7
"""Two discs whose centres are more than about 1.6 radii apart are parted, and laths with rough outlines stay whole."""

_BLUR = 2.0
"""Pixels added to all half-widths before they are compared, since outlines are only known to about a pixel."""


def connected_objects(
    mask: NDArray[np.bool_],
    split: bool = False,
    neck: float = DEFAULT_NECK,
    spacing: Sequence[float] | None = None,
) -> NDArray[np.int32]:
    """Number the objects of a mask: connected pixels, diagonal neighbours included (8 in planes, 26 in volumes).

    With `split`, objects that touch are parted at their necks: watershed on the distance to the outside, from those of
    its maxima that are separated from any higher one by a neck narrower than `neck` times the width at the maximum
    (both widened by two pixels on each side, so that the steps of a digital outline part nothing). The criterion is
    relative, so that it holds for objects of all sizes, and elongated ones, whose width hardly changes, stay whole.

    Parameters
    ----------
    mask : ndarray (H, W) or (Z, H, W) of bool
    split : bool
    neck : float
        Between 0 and 1; larger values split more.
    spacing : sequence of float, optional
        Size of a pixel along every axis, in any unit.

    Returns
    -------
    ndarray of int32
        0 outside, objects from 1 in the order of their first pixels.

    Raises
    ------
    LabelError
        When `neck` is out of range.

    Examples
    --------
    >>> rows, columns = np.mgrid[:21, :37]
    >>> pair = np.minimum(np.hypot(rows - 10, columns - 10), np.hypot(rows - 10, columns - 26)) < 9
    >>> [int(connected_objects(pair, split).max()) for split in (False, True)]
    [1, 2]
    """
    check_neck(neck)
    if split and mask.any():
        return _in_order(_split(mask, neck, spacing))
    return np.asarray(label(mask, connectivity=mask.ndim), np.int32)


def check_neck(neck: float) -> None:
    """Make sure that a neck is a part of a width.

    Raises
    ------
    LabelError
    """
    if not 0 < neck < 1:
        raise LabelError(f"A neck of {neck} makes no sense: give a part of the width between 0 and 1, such as 0.7.")


def at_border(instances: NDArray[Any]) -> NDArray[np.bool_]:
    """Which objects touch the edge of the image, and may go on beyond it: (N,) of bool for objects 1 to N.

    Examples
    --------
    >>> at_border(np.array([[1, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0]])).tolist()
    [True, False]
    """
    touching = np.zeros(int(instances.max(initial=0)) + 1, bool)
    for axis in range(instances.ndim):
        for end in (0, -1):
            touching[np.take(instances, end, axis=axis)] = True
    return touching[1:]


def keep_objects(instances: NDArray[np.int32], kept: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The objects of which `kept`, (N,) of bool, is true, numbered anew without gaps.

    Examples
    --------
    >>> keep_objects(np.array([[1, 2, 3]], np.int32), np.array([True, False, True])).tolist()
    [[1, 0, 2]]
    """
    numbers = np.zeros(len(kept) + 1, np.int32)
    numbers[1:][kept] = np.arange(1, np.count_nonzero(kept) + 1)
    return numbers[instances]


def _split(mask: NDArray[np.bool_], neck: float, spacing: Sequence[float] | None) -> NDArray[np.int32]:
    """Watershed from the maxima of the distance to the outside that a narrow neck separates from any higher one."""
    sampling = None if spacing is None else np.asarray(spacing, float) / min(spacing)
    # Beyond the edge of the image nothing is known: there is no outside there, unless there is none at all.
    outside = np.pad(mask, 1) if mask.all() else mask
    inner = (slice(1, -1),) * mask.ndim if mask.all() else (slice(None),) * mask.ndim
    distance = np.asarray(distance_transform_edt(outside, sampling=sampling))[inner]
    # Ratios of widths are differences of logarithms: the h-maxima of the logarithm, h = -log(neck).
    depth = np.log(distance + _BLUR)
    neighbours = np.ones((3,) * mask.ndim, bool)
    flooded = reconstruction(depth + np.log(neck), depth, footprint=neighbours)
    peaks = local_maxima(flooded, footprint=neighbours) & mask
    markers = label(peaks, connectivity=mask.ndim)
    # An object that is shallower than any such neck has no maximum of its own: it is one.
    bodies = label(mask, connectivity=mask.ndim)
    whole = np.bincount(bodies[peaks], minlength=int(bodies.max()) + 1) == 0
    whole[0] = False
    markers = np.where(whole[bodies], bodies + markers.max(), markers)
    return np.asarray(watershed(-distance, markers, mask=mask, connectivity=neighbours), np.int32)


def _in_order(instances: NDArray[np.int32]) -> NDArray[np.int32]:
    """The same objects, numbered in the order of their first pixels."""
    found, first = np.unique(instances, return_index=True)
    first, found = first[found > 0], found[found > 0]
    numbers = np.zeros(int(instances.max(initial=0)) + 1, np.int32)
    numbers[found[np.argsort(first)]] = np.arange(1, len(found) + 1)
    return numbers[instances]
