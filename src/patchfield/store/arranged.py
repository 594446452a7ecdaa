"""A file's planes under the indices that a project knows them by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from patchfield.errors import ImageError
from patchfield.images import Calibration, LazyArray, PlaneIndex, Stack


@dataclass(frozen=True, eq=False)
class ArrangedStack:
    """The same image with its leading axes in another order, or with axes of a single entry more or less.

    Attributes
    ----------
    stack : Stack
    axes : str
    lengths : tuple of int
        As they are wanted.
    sources : tuple of int or None
        For each axis of the stack the wanted axis that it is; None where it has one entry that needs no index.
    """

    stack: Stack
    axes: str
    lengths: tuple[int, ...]
    sources: tuple[int | None, ...]

    @property
    def name(self) -> str:
        return self.stack.name

    @property
    def shape(self) -> tuple[int, int]:
        return self.stack.shape

    @property
    def channels(self) -> int:
        return self.stack.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.stack.dtype

    @property
    def calibration(self) -> Calibration | None:
        return self.stack.calibration

    def pixels_at(self, index: PlaneIndex) -> LazyArray:
        """The plane at an index along the wanted axes."""
        return self.stack.pixels_at(tuple(0 if source is None else index[source] for source in self.sources))


def arranged(stack: Stack, axes: str, lengths: tuple[int, ...]) -> Stack:
    """An image with the leading axes that are wanted: matched by name, or in their order where names differ.

    A viewer may show the axes of a file in another order, call them by other names, or leave out those of one entry.

    Raises
    ------
    ImageError
        When its planes are others.

    Examples
    --------
    >>> from patchfield.images import ArrayStack
    >>> stack = arranged(ArrayStack(np.zeros((5, 2, 8, 9)), "TZYX"), "ZTQ", (2, 5, 1))
    >>> stack.axes, stack.lengths, stack.pixels_at((1, 4, 0)).shape
    ('ZTQ', (2, 5, 1), (8, 9))
    """
    if (stack.axes, tuple(stack.lengths)) == (axes, lengths):
        return stack
    own, wanted = _long_axes(stack.lengths), _long_axes(lengths)
    by_name = {stack.axes[axis]: axis for axis in own}
    if set(by_name) == {axes[axis] for axis in wanted}:
        pairs = {by_name[axes[axis]]: axis for axis in wanted}
    else:
        pairs = dict(zip(own, wanted, strict=False))
    if len(own) != len(wanted) or any(stack.lengths[mine] != lengths[theirs] for mine, theirs in pairs.items()):
        raise ImageError(
            f"{stack.name} has planes {tuple(stack.lengths)} ({stack.axes}) and had {lengths} ({axes}) when it was "
            "added to the project: it is another image now."
        )
    return ArrangedStack(stack, axes, lengths, tuple(pairs.get(axis) for axis in range(len(stack.lengths))))


def _long_axes(lengths: Sequence[int]) -> list[int]:
    return [axis for axis, length in enumerate(lengths) if length > 1]
