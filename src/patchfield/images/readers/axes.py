"""What the axes of an array mean: as its file says, as the user says, or refused where nobody says it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from patchfield.errors import ImageError
from patchfield.images.readers.lazy import DecodedPlanes, flattened
from patchfield.images.settings import checked_axes

UNKNOWN_AXES = "QIJK"
"""Letters of leading axes whose meaning nobody has said: the first is Q, a second I, and so on."""

CHANNEL_AXES = "CS"
MAX_CHANNELS_LAST = 16
"""An axis of at most this many entries behind two longer ones is more likely channels than columns."""

_NARROW = 3
"""So is a longer one, as of a spectrum, when both others are this many times as long."""


@dataclass(frozen=True)
class Planes:
    """Planes of one file.

    Attributes
    ----------
    array : array (N, H, W) or (N, H, W, C)
    axes : str
        One letter for each leading axis that was flattened into N; "" for a single plane.
    lengths : tuple of int
        Of these axes.
    """

    array: Any
    axes: str
    lengths: tuple[int, ...]

    def with_array(self, array: Any) -> "Planes":
        """The same axes over other values."""
        return replace(self, array=array)


def arranged(array: Any, axes: str) -> Planes:
    """An array with one letter for each axis as planes, channels last.

    Parameters
    ----------
    array : array
    axes : str
        Y and X once; C and S are channels, together if both are there; everything else leads.

    Examples
    --------
    >>> import numpy as np
    >>> planes = arranged(np.zeros((5, 2, 4, 30, 40)), "TCZYX")
    >>> planes.array.shape, planes.axes, planes.lengths
    ((20, 30, 40, 2), 'TZ', (5, 4))
    """
    lead = [axis for axis, letter in enumerate(axes) if letter not in f"YX{CHANNEL_AXES}"]
    channels = [axis for axis, letter in enumerate(axes) if letter in CHANNEL_AXES]
    lengths = tuple(int(array.shape[axis]) for axis in lead)
    count = int(np.prod([array.shape[axis] for axis in channels], dtype=np.int64))
    plane = (int(array.shape[axes.index("Y")]), int(array.shape[axes.index("X")]), *([count] if count != 1 else []))
    names = unknown_named("".join(axes[axis] for axis in lead))
    if not isinstance(array, np.ndarray):
        # Zarr and HDF5 arrays cannot be transposed without being read.
        shape = (int(np.prod(lengths, dtype=np.int64)), *plane)
        return Planes(DecodedPlanes(shape, array.dtype, _plane_reader(array, axes, lead, plane)), names, lengths)
    moved = array.transpose([*lead, axes.index("Y"), axes.index("X"), *channels])
    if len(channels) != len(plane) - 2:
        moved = moved.reshape(*lengths, *plane)
    return Planes(flattened(moved, len(lead)), names, lengths)


def _plane_reader(array: Any, axes: str, lead: Sequence[int], plane: tuple[int, ...]) -> Any:
    lengths = tuple(int(array.shape[axis]) for axis in lead)
    kept = [letter for axis, letter in enumerate(axes) if axis not in lead]
    order = [kept.index("Y"), kept.index("X"), *(i for i, letter in enumerate(kept) if letter in CHANNEL_AXES)]

    def read(number: int) -> Any:
        where: list[Any] = [slice(None)] * len(axes)
        for axis, position in zip(lead, np.unravel_index(number, lengths), strict=True):
            where[axis] = int(position)
        return np.asarray(array[tuple(where)]).transpose(order).reshape(plane)

    return read


def unknown_named(axes: str) -> str:
    """Leading axes with a letter of its own for each that is unknown.

    Examples
    --------
    >>> unknown_named("QQ"), unknown_named("TI")
    ('QI', 'TQ')
    """
    free = list(UNKNOWN_AXES)
    named = ""
    for letter in axes:
        known = letter not in UNKNOWN_AXES and letter not in named
        named += letter if known else free.pop(0)
    return named


def resolved_axes(path: Path, shape: tuple[int, ...], axes: str | None, default: str) -> str:
    """The axes of an array whose file does not say them.

    Parameters
    ----------
    path : Path
        For messages.
    shape : tuple of int
    axes : str or None
        What the user says they are.
    default : str
        What they are taken for when the user says nothing.

    Raises
    ------
    ImageError
        When the user names another number of axes, or says nothing about a shape that may be read in two ways.
    """
    if axes is not None and len(shape) > 2:
        checked = checked_axes(axes)
        if len(checked) != len(shape):
            raise ImageError(
                f"{path} has {len(shape)} axes {shape}, but the axes are given as {checked}: name every axis."
            )
        return checked
    if axes is None and is_ambiguous(shape, default):
        raise ImageError(
            f"{path} has shape {shape} and does not say what its axes mean: say --axes {_channels_last(shape)} if the "
            f"last one holds channels, or --axes {_columns_last(shape)} if it holds columns."
        )
    return default


def is_ambiguous(shape: tuple[int, ...], axes: str) -> bool:
    """Whether what is taken for columns may as well be channels.

    Examples
    --------
    >>> is_ambiguous((96, 128, 2), "QYX"), is_ambiguous((96, 128, 31), "QYX"), is_ambiguous((96, 128, 3), "YXS")
    (True, True, False)
    >>> is_ambiguous((5, 96, 128), "QYX"), is_ambiguous((300, 256, 128), "QYX")
    (False, False)
    """
    if len(shape) < 3 or not axes.endswith("YX"):
        return False
    deep, high, wide = shape[-3:]
    shorter = min(deep, high)
    return wide < shorter if wide <= MAX_CHANNELS_LAST else _NARROW * wide <= shorter


def guessed_axes(shape: tuple[int, ...], itemsize: int) -> str:
    """What an array without names is taken for: the last axis of three or four bytes is colours, else rows and columns.

    Examples
    --------
    >>> guessed_axes((96, 128, 3), 1), guessed_axes((5, 96, 128), 1), guessed_axes((2, 3, 96, 128), 2)
    ('YXS', 'QYX', 'QIYX')
    """
    colours = len(shape) >= 3 and shape[-1] in (3, 4) and itemsize == 1 and min(shape[-3:-1]) > 4
    lead = len(shape) - (3 if colours else 2)
    return UNKNOWN_AXES[:lead] + ("YXS" if colours else "YX")


def _channels_last(shape: tuple[int, ...]) -> str:
    return ("TZ"[: len(shape) - 3] if len(shape) <= 5 else "") + "YXC"


def _columns_last(shape: tuple[int, ...]) -> str:
    return "ZYX" if len(shape) == 3 else "TZ"[: len(shape) - 2] + "YX"
