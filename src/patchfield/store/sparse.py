"""Painted planes as runs of equal labels: what is stored grows with the strokes, not with the image."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from patchfield.errors import LabelError

Integers = NDArray[np.int64]

MAX_LABEL = 2**32 - 1
MAX_PIXELS = 2**32
"""Of a plane; a square of 65,536 pixels."""


@dataclass(frozen=True, eq=False)
class Change:
    """How one plane of labels became another.

    Attributes
    ----------
    starts, ends : (n,) int64 arrays
        Stretches of pixels that changed, as flat indices (row * width + column): ascending, the ends excluded.
    before, after : (n,) int64 arrays
        The label in each stretch, 0 = unlabelled.
    """

    starts: Integers
    ends: Integers
    before: Integers
    after: Integers

    def __len__(self) -> int:
        return len(self.starts)

    def is_same_as(self, other: "Change") -> bool:
        """Whether two changes do the same."""
        return self._covers(other) and _equal((self.before, other.before), (self.after, other.after))

    def undoes(self, other: "Change") -> bool:
        """Whether this change takes the other one back."""
        return self._covers(other) and _equal((self.before, other.after), (self.after, other.before))

    def _covers(self, other: "Change") -> bool:
        return _equal((self.starts, other.starts), (self.ends, other.ends))

    def pixels(self) -> tuple[Integers, Integers, Integers]:
        """The changed pixels one by one: flat indices, labels before, labels after; (m,) each.

        Examples
        --------
        >>> blank = SparseLabels.from_array(np.zeros((2, 4), int))
        >>> painted = SparseLabels.from_array([[0, 3, 3, 0], [0, 0, 0, 0]])
        >>> [part.tolist() for part in blank.change_to(painted).pixels()]
        [[1, 2], [0, 0], [3, 3]]
        """
        lengths = self.ends - self.starts
        first = np.cumsum(lengths) - lengths
        flat = np.repeat(self.starts - first, lengths) + np.arange(int(lengths.sum()))
        return flat, np.repeat(self.before, lengths), np.repeat(self.after, lengths)


@dataclass(frozen=True, eq=False)
class SparseLabels:
    """The labels of a plane as runs: stretches of pixels, row after row, that have the same label.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns.
    starts, ends : (n,) int64 arrays
        Flat indices (row * width + column), ascending; the ends are excluded.
    values : (n,) int64 array
        The label of each run, 1 or more; what no run covers is unlabelled.
    """

    shape: tuple[int, int]
    starts: Integers
    ends: Integers
    values: Integers

    @classmethod
    def from_array(cls, labels: ArrayLike, name: str = "The labels") -> "SparseLabels":
        """The runs of a label image.

        Parameters
        ----------
        labels : (H, W) array
            Integers or booleans from 0 = unlabelled.
        name : str
            How error messages call them.

        Raises
        ------
        LabelError
            When they are something else.

        Examples
        --------
        >>> labels = SparseLabels.from_array([[0, 0, 5], [5, 0, 1]])
        >>> labels.starts.tolist(), labels.ends.tolist(), labels.values.tolist()
        ([2, 5], [4, 6], [5, 1])
        >>> labels.to_array().tolist()
        [[0, 0, 5], [5, 0, 1]]
        """
        image = np.asarray(labels)
        if image.ndim != 2 or image.dtype.kind not in "biu":
            raise LabelError(
                f"{name} are {image.dtype} of shape {image.shape}: labels are whole numbers (rows, columns)."
            )
        shape, width = (image.shape[0], image.shape[1]), image.shape[1]
        rows = _painted_rows(image)
        if not len(rows):
            return cls.blank(shape)
        flat = image[rows].reshape(-1)
        breaks = flat[1:] != flat[:-1]
        breaks[width * (np.flatnonzero(np.diff(rows) > 1) + 1) - 1] = (
            True  # rows that nothing is painted on lie between
        )
        starts = np.append(0, np.flatnonzero(breaks) + 1)
        lengths = np.diff(starts, append=flat.size)
        values = flat[starts].astype(np.int64)
        if values.min() < 0 or values.max() > MAX_LABEL:
            raise LabelError(f"{name} hold values below 0 or above {MAX_LABEL}: number the classes from 1.")
        painted = values != 0
        starts, lengths = starts[painted], lengths[painted]
        starts = rows[starts // width] * width + starts % width
        return cls(shape, starts, starts + lengths, values[painted])

    @classmethod
    def blank(cls, shape: tuple[int, int]) -> "SparseLabels":
        """Nothing is painted."""
        nothing = np.zeros(0, np.int64)
        return cls(shape, nothing, nothing, nothing)

    @property
    def any(self) -> bool:
        """Whether anything is painted."""
        return len(self.starts) > 0

    def to_array(self) -> NDArray[np.unsignedinteger[Any]]:
        """(H, W), of the smallest unsigned type that holds the labels."""
        size = self.shape[0] * self.shape[1]
        # Gaps and runs in turn, and the gap at the end.
        bounds = np.zeros(2 * len(self.starts) + 2, np.int64)
        bounds[1:-1:2], bounds[2:-1:2], bounds[-1] = self.starts, self.ends, size
        values = np.zeros(len(bounds) - 1, np.min_scalar_type(int(self.values.max(initial=0))))
        values[1::2] = self.values
        return np.repeat(values, np.diff(bounds)).reshape(self.shape)

    def pixels(self) -> dict[int, int]:
        """How many pixels each label has.

        Examples
        --------
        >>> SparseLabels.from_array([[0, 2, 2], [7, 0, 2]]).pixels()
        {2: 3, 7: 1}
        """
        values, index = np.unique(self.values, return_inverse=True)
        counts = np.bincount(index, weights=self.ends - self.starts, minlength=len(values))
        return {int(value): int(count) for value, count in zip(values, counts, strict=True)}

    def change_to(self, other: "SparseLabels") -> Change:
        """What changed between these labels and later ones of the same plane; costs as much as there are runs."""
        bounds = np.unique(np.concatenate([self.starts, self.ends, other.starts, other.ends]))
        starts, ends = bounds[:-1], bounds[1:]
        before, after = self._at(starts), other._at(starts)
        changed = before != after
        return Change(starts[changed], ends[changed], before[changed], after[changed])

    def renumbered(self, numbers: Mapping[int, int]) -> "SparseLabels":
        """With other numbers for some labels; 0 removes a label.

        Examples
        --------
        >>> SparseLabels.from_array([[1, 2, 3]]).renumbered({2: 1, 3: 0}).to_array().tolist()
        [[1, 1, 0]]
        """
        values = self.values.copy()
        for old, new in numbers.items():
            values[self.values == old] = new
        kept = values != 0
        starts, ends, values = self.starts[kept], self.ends[kept], values[kept]
        joined = (starts[1:] == ends[:-1]) & (values[1:] == values[:-1])
        first, last = np.append(True, ~joined)[: len(starts)], np.append(~joined, True)[: len(starts)]
        return SparseLabels(self.shape, starts[first], ends[last], values[first])

    def _at(self, pixels: Integers) -> Integers:
        """The labels at some flat indices."""
        if not self.any:
            return np.zeros(len(pixels), np.int64)
        run = np.searchsorted(self.starts, pixels, side="right") - 1
        inside = (run >= 0) & (pixels < self.ends[run])
        return np.where(inside, self.values[run], 0)


def _painted_rows(image: NDArray[Any]) -> Integers:
    """The rows that are not blank; the one glance at every pixel, many times as fast as comparing neighbours."""
    if image.size == 0:
        return np.zeros(0, np.int64)
    largest = image.max(axis=1)
    return np.flatnonzero(
        largest if image.dtype.kind in "bu" else largest.astype(bool) | image.min(axis=1).astype(bool)
    )


def _equal(*pairs: tuple[Integers, Integers]) -> bool:
    return all(np.array_equal(one, other) for one, other in pairs)
