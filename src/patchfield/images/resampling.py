"""An image at another magnification, resampled piece by piece where it is read."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.images.stack import LazyArray


@dataclass(frozen=True, eq=False)
class ResampledPixels:
    """An image (H, W) or (H, W, C) enlarged or reduced, as a lazy array: a slice reads only what it needs.

    Values are means of the pixels around a point, weighted by a triangle that is as wide as two pixels of the image or
    of the result, whichever are larger: linear interpolation where it is enlarged, and no aliasing where it is reduced.

    Attributes
    ----------
    pixels : array (H, W) or (H, W, C)
        Anything with `shape`, a numpy `dtype` and slicing.
    size : (int, int)
        Rows and columns of the result.

    Examples
    --------
    >>> ResampledPixels(np.arange(8.0).reshape(1, 8), (1, 4))[0:1, 0:4].round(2).tolist()
    [[0.71, 2.5, 4.5, 6.29]]
    """

    pixels: LazyArray
    size: tuple[int, int]

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.size, *self.pixels.shape[2:])

    @property
    def dtype(self) -> np.dtype[Any]:
        # 32-bit integers and double floats may hold small contrasts on a large offset.
        return np.dtype(np.float32 if self.pixels.dtype.itemsize <= 2 else np.float64)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """The pixels of a slice of rows, or of one of rows and one of columns."""
        parts = key if isinstance(key, tuple) else (key,)
        slices = [*(part for part in parts if part is not Ellipsis), slice(None), slice(None)][:2]
        lengths = (int(self.pixels.shape[0]), int(self.pixels.shape[1]))
        bands = [_weights(np.arange(n)[part], m, n) for part, m, n in zip(slices, lengths, self.size, strict=True)]
        (top, rows), (left, columns) = bands
        box = np.asarray(self.pixels[top : top + rows.shape[1], left : left + columns.shape[1]]).astype(self.dtype)
        along_rows = np.tensordot(rows.astype(self.dtype), box, axes=(1, 0))
        found = np.tensordot(along_rows, columns.astype(self.dtype), axes=(1, 1))
        return found if found.ndim == 2 else np.moveaxis(found, -1, 1)


def resampled_size(shape: tuple[int, int], zoom: float) -> tuple[int, int]:
    """Rows and columns of an image that is enlarged (above 1) or reduced.

    Examples
    --------
    >>> resampled_size((100, 3), 0.25)
    (25, 1)
    """
    height, width = (max(1, round(length * zoom)) for length in shape)
    return height, width


def _weights(wanted: NDArray[np.integer], length: int, size: int) -> tuple[int, NDArray[np.float64]]:
    """The first of the pixels that are needed, and the weights (wanted, needed) of these pixels."""
    factor = length / size
    centres = (wanted + 0.5) * factor - 0.5
    reach = max(1.0, factor)
    first = max(0, int(np.floor(centres.min() - reach)))
    last = min(length, int(np.ceil(centres.max() + reach)) + 1)
    distances = np.abs(centres[:, None] - np.arange(first, last)) / reach
    weights = np.clip(1 - distances, 0, None)
    return first, weights / weights.sum(1, keepdims=True)
