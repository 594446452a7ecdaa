"""What an image is to the rest of the program: planes of pixels, with named axes and a pixel size.

Files, napari layers and training images all are a :class:`Stack`. Axes are named by the letters of TIFF and OME: T
time, Z slice, R position or series, Q unknown, C channel, S colour sample, Y row, X column.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from patchfield.errors import ImageError
from patchfield.images.calibration import Calibration

PlaneIndex = tuple[int, ...]
"""Index of a plane along the leading axes of a stack; () for an image of a single plane."""


class LazyArray(Protocol):
    """Anything with a shape, a dtype and slicing: numpy arrays, memory maps, dask and zarr arrays."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __getitem__(self, key: Any, /) -> Any: ...


@runtime_checkable
class Stack(Protocol):
    """The planes of one image."""

    @property
    def name(self) -> str:
        """How messages call the image: the path of a file, or "layer 'cells'"."""
        ...

    @property
    def axes(self) -> str:
        """One letter for each leading axis, "TZ" for a time-lapse of stacks; "" for a single plane."""
        ...

    @property
    def lengths(self) -> tuple[int, ...]:
        """Lengths of the leading axes."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a plane."""
        ...

    @property
    def channels(self) -> int:
        """Number of channels as the image counts them; 1 for grey."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    @property
    def calibration(self) -> Calibration | None:
        """The size of a pixel, where it is known."""
        ...

    def pixels_at(self, index: PlaneIndex) -> LazyArray:
        """The plane at `index`, (H, W), or (H, W, C) with several channels; nothing is read before it is sliced."""
        ...


def plane_indices(stack: Stack) -> list[PlaneIndex]:
    """The indices of all planes, in the order in which the image stores them.

    Examples
    --------
    >>> plane_indices(ArrayStack(np.zeros((2, 2, 8, 9)), "TZYX"))
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    return list(product(*(range(length) for length in stack.lengths)))


def checked_index(stack: Stack, index: PlaneIndex | None) -> PlaneIndex:
    """`index` itself, or that of the only plane.

    Raises
    ------
    ImageError
        When the stack has no such plane, or several and none is chosen.
    """
    if index is None:
        if any(length != 1 for length in stack.lengths):
            lengths = " x ".join(f"{axis} {length}" for axis, length in zip(stack.axes, stack.lengths, strict=True))
            raise ImageError(f"{stack.name} has several planes ({lengths}): say which one, plane=(0, ...).")
        return (0,) * len(stack.lengths)
    if len(index) != len(stack.lengths) or not all(0 <= i < n for i, n in zip(index, stack.lengths, strict=True)):
        raise ImageError(f"{stack.name} has no plane {index}: its planes are counted from 0 up to {stack.lengths}.")
    return index


@dataclass(frozen=True, eq=False)
class ArrayStack:
    """An array whose axes have names.

    Attributes
    ----------
    data : array
        Numbers of any real dtype, read lazily where the array is.
    axes_of_data : str
        One letter for each axis of `data`: Y and X once, at most one axis of channels (S, or else C), the rest leads.
    name : str
    calibration : Calibration or None

    Raises
    ------
    ImageError
        When the letters do not fit the array.

    Examples
    --------
    >>> stack = ArrayStack(np.zeros((5, 3, 48, 64), np.uint8), "TCYX")
    >>> stack.axes, stack.lengths, stack.shape, stack.channels
    ('T', (5,), (48, 64), 3)
    >>> stack.pixels_at((4,)).shape
    (48, 64, 3)
    """

    data: LazyArray
    axes_of_data: str
    name: str = "The image"
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        letters = self.axes_of_data
        fits = len(letters) == len(self.data.shape) and len(set(letters)) == len(letters)
        if not fits or not {"Y", "X"} <= set(letters):
            raise ImageError(
                f"{self.name} has shape {tuple(self.data.shape)}, which the axes '{letters}' do not name: give one "
                "different letter for each axis, Y for rows and X for columns, such as 'TYX', 'CYX' or 'YXC'."
            )

    @cached_property
    def _channel_axis(self) -> str:
        return "S" if "S" in self.axes_of_data else "C" if "C" in self.axes_of_data else ""

    @cached_property
    def axes(self) -> str:
        return "".join(letter for letter in self.axes_of_data if letter not in f"YX{self._channel_axis}")

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        return tuple(self._length(letter) for letter in self.axes)

    @cached_property
    def shape(self) -> tuple[int, int]:
        return self._length("Y"), self._length("X")

    @cached_property
    def channels(self) -> int:
        return self._length(self._channel_axis) if self._channel_axis else 1

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.data.dtype

    def pixels_at(self, index: PlaneIndex) -> LazyArray:
        plane = PlaneView(self.data, self.axes_of_data, dict(zip(self.axes, index, strict=True)), self._channel_axis)
        return plane[...] if isinstance(self.data, np.ndarray) else plane

    def _length(self, letter: str) -> int:
        return int(self.data.shape[self.axes_of_data.index(letter)])


@dataclass(frozen=True, eq=False)
class PlaneView:
    """One plane of a lazy array, rows and columns (and channels) first; slicing it reads just that part.

    Attributes
    ----------
    data : array
    axes_of_data : str
        One letter for each axis of `data`.
    fixed : dict of str to int
        Where the plane lies along the other axes.
    channel_axis : str
        The letter of the channels; "" where there are none.
    """

    data: LazyArray
    axes_of_data: str
    fixed: dict[str, int]
    channel_axis: str

    @property
    def _own_axes(self) -> str:
        single = not self.channel_axis or self._length(self.channel_axis) == 1
        return "YX" if single else f"YX{self.channel_axis}"

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._length(letter) for letter in self._own_axes)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.data.dtype

    def __getitem__(self, key: Any) -> NDArray[Any]:
        own = self._own_axes
        parts = [part for part in (key if isinstance(key, tuple) else (key,)) if part is not Ellipsis]
        asked = dict(zip(own, parts, strict=False))
        whole = {letter: slice(None) for letter in own}
        single = {letter: 0 for letter in self.channel_axis if letter not in own}
        where: dict[str, Any] = {**whole, **asked, **self.fixed, **single}
        values = np.asarray(self.data[tuple(where[letter] for letter in self.axes_of_data)])
        kept = [letter for letter in self.axes_of_data if not isinstance(where[letter], (int, np.integer))]
        return values.transpose([kept.index(letter) for letter in own if letter in kept])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[...], dtype)

    def _length(self, letter: str) -> int:
        return int(self.data.shape[self.axes_of_data.index(letter)])
