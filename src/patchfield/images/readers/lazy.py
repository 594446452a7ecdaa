"""Arrays that are decoded, and whose values are converted, only where they are looked at."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.images.stack import LazyArray

EAGER_BYTES = 64 * 2**20
"""Arrays below this size are converted at once: nothing is gained by waiting."""


class DecodedPlanes:
    """Planes that are decoded one by one when they are asked for; the last one is kept.

    Parameters
    ----------
    shape : tuple of int
        (N, H, W) or (N, H, W, C).
    dtype : dtype
    decode : callable
        Gives plane n, (H, W) or (H, W, C).

    Examples
    --------
    >>> planes = DecodedPlanes((3, 2, 2), np.dtype(np.uint8), lambda n: np.full((2, 2), n, np.uint8))
    >>> planes[1].tolist(), planes[:, 0, 0].tolist(), np.asarray(planes).shape
    ([[1, 1], [1, 1]], [0, 1, 2], (3, 2, 2))
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], decode: Callable[[int], NDArray[Any]]) -> None:
        self.shape = shape
        self.dtype = dtype
        self._decode = decode
        self._last: tuple[int, NDArray[Any]] | None = None

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all planes when decoded."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if first is Ellipsis:
            missing = self.ndim - len(rest)
            first, rest = slice(None), [*([slice(None)] * (missing - 1)), *rest]
        numbers = np.arange(len(self))[first]
        if numbers.ndim == 0:
            part: NDArray[Any] = self._plane(int(numbers))[tuple(rest)]
            return part
        parts = [self._plane(int(number))[tuple(rest)] for number in numbers]
        return np.stack(parts) if parts else np.empty((0, *self.shape[1:]), self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)

    def converted(
        self, convert: Callable[[NDArray[Any]], NDArray[Any]], plane: tuple[int, ...], dtype: np.dtype[Any]
    ) -> "DecodedPlanes":
        """The same planes, each passed through `convert`, which makes the shape `plane` and `dtype` of it."""
        return DecodedPlanes((len(self), *plane), dtype, lambda number: convert(self._plane(number)))

    def _plane(self, number: int) -> NDArray[Any]:
        kept = self._last
        if kept is None or kept[0] != number:
            kept = self._last = (number, self._decode(number))
        return kept[1]


class ConvertedArray:
    """An array whose values are converted when they are read: a palette applied, a negative made positive.

    Parameters
    ----------
    source : array
        What is converted.
    convert : callable
        Takes any part of `source` that keeps the axes behind the first `pointwise` ones; works value by value.
    pointwise : int
        How many leading axes of `source` can be sliced before `convert` is called.
    tail : tuple of int
        The axes that stand behind them afterwards: () or (channels,).
    dtype : dtype

    Examples
    --------
    >>> negative = ConvertedArray(np.arange(6, dtype=np.uint8).reshape(2, 3), np.invert, 2, (), np.dtype(np.uint8))
    >>> negative.shape, negative[1, 1:].tolist()
    ((2, 3), [251, 250])
    """

    def __init__(
        self,
        source: LazyArray,
        convert: Callable[[NDArray[Any]], NDArray[Any]],
        pointwise: int,
        tail: tuple[int, ...],
        dtype: np.dtype[Any],
    ) -> None:
        self.shape = (*source.shape[:pointwise], *tail)
        self.dtype = dtype
        self._source = source
        self._convert = convert
        self._pointwise = pointwise
        self._tail = tail

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the whole when converted."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any, /) -> Any:
        """A part, converted; of several planes, a single number gives one plane that is still lazy."""
        if isinstance(key, (int, np.integer)) and self._pointwise > 2:
            return ConvertedArray(self._source[key], self._convert, self._pointwise - 1, self._tail, self.dtype)
        parts = list(key) if isinstance(key, tuple) else [key]
        if Ellipsis in [part for part in parts if part is Ellipsis]:
            at = next(i for i, part in enumerate(parts) if part is Ellipsis)
            parts[at : at + 1] = [slice(None)] * (self.ndim - len(parts) + 1)
        before, behind = parts[: self._pointwise], parts[self._pointwise :]
        values = self._convert(np.asarray(self._source[tuple(before)]))
        return values[(..., *behind)] if behind else values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[(slice(None),) * self._pointwise], dtype)


def converted(
    planes: Any,
    convert: Callable[[NDArray[Any]], NDArray[Any]],
    dtype: np.dtype[Any],
    tail: tuple[int, ...] | None = None,
) -> Any:
    """Planes (N, H, W[, C]) passed through `convert`: at once when they are small, else where they are read.

    Parameters
    ----------
    planes : array (N, H, W) or (N, H, W, C)
    convert : callable
        Works value by value; may add, drop or change the axis of channels.
    dtype : dtype
        Of what `convert` makes.
    tail : tuple of int, optional
        The channels that `convert` makes, () for grey; as `planes` has them when left out.
    """
    tail = tuple(planes.shape[3:]) if tail is None else tail
    if isinstance(planes, DecodedPlanes):
        return planes.converted(convert, (*planes.shape[1:3], *tail), dtype)
    if isinstance(planes, np.ndarray) and not isinstance(planes, np.memmap) and planes.nbytes < EAGER_BYTES:
        return convert(planes)
    return ConvertedArray(planes, convert, 3, tail, dtype)


def flattened(array: Any, lead: int) -> Any:
    """An array with `lead` leading axes as planes (N, ...), without copying what lies in a file.

    Examples
    --------
    >>> flattened(np.zeros((2, 3, 4, 5)), 2).shape
    (6, 4, 5)
    """
    if isinstance(array, (DecodedPlanes, ConvertedArray)) or lead == 1:
        return array
    lengths, plane = array.shape[:lead], array.shape[lead:]
    count = int(np.prod(lengths, dtype=np.int64))
    in_file = not isinstance(array, np.ndarray) or isinstance(array, np.memmap)
    if in_file and lead > 1 and not _mergeable(array, lead):
        return DecodedPlanes((count, *plane), array.dtype, lambda number: array[np.unravel_index(number, lengths)])
    return array.reshape(count, *plane)


def _mergeable(array: Any, lead: int) -> bool:
    """Whether the leading axes lie behind one another in memory, so that they can be one axis of a view."""
    strides = getattr(array, "strides", None)
    if strides is None:
        return False
    return all(strides[axis] == array.shape[axis + 1] * strides[axis + 1] for axis in range(lead - 1))
