"""Images turned as their file says they are to be shown (EXIF and TIFF tag 274)."""

from typing import Any

from patchfield.images.readers.lazy import ConvertedArray, DecodedPlanes

UPRIGHT = 1
TAG = 274
_SWAPS_AXES = (5, 6, 7, 8)


def turned(planes: Any, orientation: int) -> Any:
    """Planes (N, H, W[, C]) as viewers show them.

    Parameters
    ----------
    planes : array
    orientation : int
        1 to 8 as EXIF counts: 3 is upside down, 6 and 8 lie on a side, the others are mirrored. Anything else is
        taken for 1.

    Examples
    --------
    >>> import numpy as np
    >>> turned(np.array([[[1, 2], [3, 4]]]), 6).tolist()
    [[[3, 1], [4, 2]]]
    """
    if not 2 <= orientation <= 8:
        return planes
    if isinstance(planes, DecodedPlanes):
        height, width, *channels = planes.shape[1:]
        size = (width, height) if swaps_axes(orientation) else (height, width)
        return planes.converted(lambda plane: turned_pixels(plane, orientation, 0), (*size, *channels), planes.dtype)
    assert not isinstance(planes, ConvertedArray), "planes are turned before their values are converted"
    return turned_pixels(planes, orientation, 1)


def swaps_axes(orientation: int) -> bool:
    """Whether rows become columns.

    Examples
    --------
    >>> swaps_axes(3), swaps_axes(6)
    (False, True)
    """
    return orientation in _SWAPS_AXES


def turned_pixels(pixels: Any, orientation: int, rows: int) -> Any:
    """Pixels of any shape as viewers show them.

    Parameters
    ----------
    pixels : array
    orientation : int
        1 to 8, as in :func:`turned`.
    rows : int
        The axis of rows; columns are the next one.
    """
    columns = rows + 1
    if swaps_axes(orientation):
        pixels = pixels.swapaxes(rows, columns)
    backwards = [orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)]
    return pixels[(slice(None),) * rows + tuple(slice(None, None, -1 if back else None) for back in backwards)]
