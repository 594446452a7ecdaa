"""Painted labels -> strokes -> the pixels a probe is trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from patchfield.errors import LabelError

Integers = NDArray[np.int64]

MAX_LABEL = 2**32 - 1
"""What the largest type of result images, uint32, holds."""


@dataclass(frozen=True, eq=False)
class Strokes:
    """The labelled pixels of one image and the stroke that each belongs to.

    A stroke is a set of pixels of one value that touch, diagonally too: what was painted in one go, or strokes of
    one class that run into each other.

    Attributes
    ----------
    pixels : (n,) int64 array
        Flat indices (row * width + column), ascending.
    values : (n,) int64 array
        Label of each pixel, 1 or more.
    numbers : (n,) int64 array
        Stroke of each pixel: 0, 1, ... in the order of their first pixels.
    width : int
        Columns of the image.
    """

    pixels: Integers
    values: Integers
    numbers: Integers
    width: int

    @property
    def count(self) -> int:
        """Number of strokes."""
        return int(self.numbers.max()) + 1 if len(self.numbers) else 0

    @property
    def value_of_strokes(self) -> Integers:
        """Label of each stroke, (count,)."""
        values = np.zeros(self.count, np.int64)
        values[self.numbers] = self.values
        return values

    @property
    def sizes(self) -> Integers:
        """Pixels of each stroke, (count,)."""
        return np.bincount(self.numbers, minlength=self.count)


@dataclass(frozen=True, eq=False)
class PaintedPixels:
    """The labelled pixels of a plane, without the plane: what a stroke costs grows with what is painted.

    Counts as the label image wherever one is taken (:func:`find_strokes`, :class:`numpy.asarray`). Never changes.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the plane.
    pixels : (n,) int64 array
        Flat indices (row * width + column), ascending.
    values : (n,) array
        Their labels, 1 or more.

    Examples
    --------
    >>> before = PaintedPixels.from_array(np.array([[0, 3, 3], [0, 0, 1]]))
    >>> now = before.repainted((slice(0, 1), slice(1, 3)), np.array([[0, 2]]))
    >>> np.asarray(now)
    array([[0, 0, 2],
           [0, 0, 1]])
    """

    shape: tuple[int, int]
    pixels: Integers
    values: NDArray[np.integer[Any]]

    @classmethod
    def from_array(cls, labels: NDArray[np.integer[Any]]) -> "PaintedPixels":
        """Of a label image (H, W), 0 = unlabelled."""
        pixels = np.flatnonzero(labels)
        return cls((labels.shape[0], labels.shape[1]), pixels, labels.reshape(-1)[pixels])

    def __len__(self) -> int:
        """How many pixels are painted."""
        return len(self.pixels)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        labels = np.zeros(self.shape, self.values.dtype if dtype is None else dtype)
        labels.reshape(-1)[self.pixels] = self.values
        return labels

    def relabelled(self, value: int, into: int) -> "PaintedPixels":
        """With another label for the pixels of one; 0 makes them unlabelled."""
        values = np.where(self.values == value, np.asarray(into, self.values.dtype), self.values)
        return PaintedPixels(self.shape, self.pixels[values != 0], values[values != 0])

    def repainted(self, region: tuple[slice, slice], labels: NDArray[np.integer[Any]]) -> "PaintedPixels":
        """With other labels in a part of the plane.

        Parameters
        ----------
        region : (slice, slice)
            Rows and columns, with their ends.
        labels : (h, w) array
            What is there now.
        """
        rows, columns = region
        row, column = np.divmod(self.pixels, self.shape[1])
        inside = (row >= rows.start) & (row < rows.stop) & (column >= columns.start) & (column < columns.stop)
        new_rows, new_columns = np.nonzero(labels)
        added = (new_rows + rows.start) * self.shape[1] + new_columns + columns.start
        pixels = np.concatenate([self.pixels[~inside], added])
        values = np.concatenate([self.values[~inside], labels[new_rows, new_columns]])
        order = np.argsort(pixels, kind="stable")
        return PaintedPixels(self.shape, pixels[order], values[order])

    def without(self, missing: NDArray[np.bool_]) -> "PaintedPixels":
        """Without the pixels where `missing`, (H, W), is true."""
        kept = ~missing.reshape(-1)[self.pixels]
        return PaintedPixels(self.shape, self.pixels[kept], self.values[kept])

    def is_same_as(self, other: "PaintedPixels") -> bool:
        """Whether the same is painted."""
        return np.array_equal(self.pixels, other.pixels) and np.array_equal(self.values, other.values)


def find_strokes(labels: ArrayLike, shape: tuple[int, int] | None = None, name: str = "The labels") -> Strokes:
    """The strokes of a label image.

    The cost grows with what is painted, not with the image.

    Parameters
    ----------
    labels : (H, W) array, or PaintedPixels
        0 where nothing is painted, the class elsewhere: any integer dtype, bool, or floats that hold integers.
    shape : (int, int), optional
        Height and width that the labels must have.
    name : str
        How error messages call the labels: a file or layer name.

    Raises
    ------
    LabelError
        When the labels have another shape, or hold something else than integers from 0.

    Examples
    --------
    >>> find_strokes([[1, 1, 0], [0, 0, 2], [1, 0, 2]]).numbers
    array([0, 0, 1, 2, 1])
    """
    found: tuple[int, ...] = np.shape(labels) if not isinstance(labels, PaintedPixels) else labels.shape
    if len(found) != 2 or (shape is not None and found != tuple(shape)):
        expected = "two axes (rows, columns)" if shape is None else f"the shape of their image, {tuple(shape)}"
        raise LabelError(f"{name} have the shape {found} and should have {expected}.")
    painted = labels if isinstance(labels, PaintedPixels) else PaintedPixels.from_array(np.asarray(labels))
    values = _checked_values(painted.values, name)
    return Strokes(painted.pixels, values, _number_strokes(painted.pixels, values, found[1]), found[1])


@dataclass(frozen=True, eq=False)
class LabelSamples:
    """Labelled pixels of several images, chosen for training.

    Attributes
    ----------
    images : (n,) int64 array
        Which image each pixel is of, ascending.
    pixels : (n,) int64 array
        Flat indices, ascending within an image.
    values : (n,) int64 array
        Their labels.
    strokes : (n,) int64 array
        Their strokes, numbered over all images.
    """

    images: Integers
    pixels: Integers
    values: Integers
    strokes: Integers

    def slice_of(self, image: int) -> slice:
        """The range of samples of one image."""
        first, last = np.searchsorted(self.images, [image, image + 1])
        return slice(int(first), int(last))

    def subset(self, kept: NDArray[np.bool_]) -> "LabelSamples":
        """Only some of the samples; images without any are gone, and the others counted anew."""
        images = np.unique(self.images[kept], return_inverse=True)[1].astype(np.int64)
        return LabelSamples(images, self.pixels[kept], self.values[kept], self.strokes[kept])


def choose_samples(strokes: Sequence[Strokes], per_class: int, seed: int = 0) -> LabelSamples:
    """Choose at most `per_class` pixels of each class, spread over images and strokes.

    A class's allowance is shared equally by its images, one half of an image's equally by its strokes and the
    other half by their area; what is too small to use its share leaves the rest to the others. A large painted area
    thus cannot drown a thin stroke, nor can the specks of a full mask drown its grains. Within a stroke the choice is
    by a fixed pseudo-random order of the pixels: painting on keeps nearly all earlier choices, so that their features
    need not be looked up again.

    Parameters
    ----------
    strokes : sequence of Strokes
        One per image.
    per_class : int
    seed : int
        Another seed, another choice.

    Examples
    --------
    >>> painted = np.zeros((100, 100), int)
    >>> painted[:50], painted[90, :20] = 1, 1
    >>> chosen = choose_samples([find_strokes(painted)], 40).pixels
    >>> (chosen >= 9000).sum()                      # the thin stroke has 10 of 40 and not only its share of the area
    np.int64(10)
    """
    kept = chosen_positions(strokes, per_class, seed)
    first_stroke = np.cumsum([0, *(image.count for image in strokes)])[:-1]
    return LabelSamples(
        images=np.repeat(np.arange(len(kept)), [len(keep) for keep in kept]),
        pixels=_joined([image.pixels[keep] for image, keep in zip(strokes, kept, strict=True)]),
        values=_joined([image.values[keep] for image, keep in zip(strokes, kept, strict=True)]),
        strokes=_joined(
            [image.numbers[keep] + first for image, keep, first in zip(strokes, kept, first_stroke, strict=True)]
        ),
    )


def chosen_positions(strokes: Sequence[Strokes], per_class: int, seed: int = 0) -> list[Integers]:
    """The choice of :func:`choose_samples`, as ascending positions in the pixels of each image."""
    sizes = [image.sizes for image in strokes]
    quotas = [np.zeros_like(size) for size in sizes]
    owners = [image.value_of_strokes for image in strokes]
    for value in np.unique(np.concatenate(owners)) if owners else ():
        of_class = [owner == value for owner in owners]
        totals = np.array([size[mine].sum() for size, mine in zip(sizes, of_class, strict=True)])
        for i, share in enumerate(fair_shares(totals, per_class)):
            quotas[i][of_class[i]] = _shared_by_strokes(sizes[i][of_class[i]], int(share))
    return [_thinned(image, quota, seed) for image, quota in zip(strokes, quotas, strict=True)]


def fair_shares(sizes: NDArray[np.integer], total: int, weights: NDArray[np.floating] | None = None) -> Integers:
    """Share `total` among parts in proportion to their weights, as far as their sizes allow (max-min fairness).

    Parameters
    ----------
    sizes : (n,) int array
        What each part can take at most.
    total : int
    weights : (n,) float array, optional
        Equal by default. A larger part must not have more weight for its size than a smaller one.

    Examples
    --------
    >>> fair_shares(np.array([1000, 3, 1000]), 100)
    array([49,  3, 48])
    >>> fair_shares(np.array([900, 100]), 100, np.array([3.0, 1.0]))
    array([75, 25])
    """
    sizes = np.asarray(sizes, np.int64)
    weights = np.ones(len(sizes)) if weights is None else weights
    order = np.lexsort((np.arange(len(sizes)), sizes / weights))
    ranked, weight = sizes[order], weights[order]
    remaining = np.cumsum(weight[::-1])[::-1]
    left = total - (np.cumsum(ranked) - ranked)
    crowded = ranked * remaining > left * weight  # the part is larger than its share of what smaller parts leave
    shares = ranked.copy()
    if crowded.any():
        first = int(crowded.argmax())
        exact = left[first] * weight[first:] / remaining[first]
        shares[first:] = np.floor(exact + 1e-9)
        spare = int(left[first] - shares[first:].sum())
        shares[first + np.argsort(np.floor(exact + 1e-9) - exact, kind="stable")[:spare]] += 1
    unsorted = np.empty_like(shares)
    unsorted[order] = shares
    return unsorted


def _shared_by_strokes(sizes: Integers, total: int) -> Integers:
    """Half of `total` shared equally by strokes, half by their area."""
    if not len(sizes):
        return sizes
    return fair_shares(sizes, total, 1 / len(sizes) + sizes / sizes.sum())


def _checked_values(values: NDArray[Any], name: str) -> Integers:
    """The labels of the painted pixels as integers from 1."""
    kind = values.dtype.kind
    whole = kind in "iub" or (
        kind == "f" and bool(np.isfinite(values).all()) and bool(np.all(values == np.floor(values)))
    )
    if not whole:
        raise LabelError(
            f"{name} must be integers, 0 where nothing is painted; they are {values.dtype} with other values."
        )
    if len(values) and values.min() < 0:
        raise LabelError(f"{name} hold the negative value {values.min()}: classes count from 1, and 0 is unlabelled.")
    if len(values) and values.max() > MAX_LABEL:
        raise LabelError(f"{name} hold the value {values.max()}: classes count from 1 up to {MAX_LABEL}.")
    return values.astype(np.int64)


def _number_strokes(pixels: Integers, values: Integers, width: int) -> Integers:
    """Connected components (8 neighbours) of equal values, found from horizontal runs."""
    if not len(pixels):
        return np.zeros(0, np.int64)
    row, column = np.divmod(pixels, width)
    stride = width + 2  # spare columns: a run's neighbours in the next row are then an interval of positions
    position = row * stride + column
    begins = np.append(True, (np.diff(position) != 1) | (values[1:] != values[:-1]))
    first = np.flatnonzero(begins)
    lengths = np.diff(np.append(first, len(pixels)))
    start, stop, value = position[first], position[first + lengths - 1], values[first]
    lowest = np.searchsorted(stop, start + stride - 1)
    touching = np.searchsorted(start, stop + stride + 1, side="right") - lowest
    upper = np.repeat(np.arange(len(first)), touching)
    lower = np.arange(len(upper)) - np.repeat(np.cumsum(touching) - touching - lowest, touching)
    same = value[upper] == value[lower]
    links = coo_array((np.ones(same.sum(), bool), (upper[same], lower[same])), shape=(len(first), len(first)))
    return np.repeat(connected_components(links, directed=False)[1].astype(np.int64), lengths)


def _thinned(strokes: Strokes, quotas: Integers, seed: int) -> Integers:
    """Positions of the pixels kept, ascending: of each stroke the `quotas` first in pseudo-random order."""
    sizes = strokes.sizes
    keep = (quotas >= sizes)[strokes.numbers]
    crowded = np.flatnonzero((quotas < sizes) & (quotas > 0))
    if len(crowded):
        by_stroke = np.argsort(strokes.numbers, kind="stable")
        ends = np.cumsum(sizes)
        for stroke in crowded:
            members = by_stroke[ends[stroke] - sizes[stroke] : ends[stroke]]
            priority = _scrambled(strokes.pixels[members], seed)
            keep[members[np.argpartition(priority, quotas[stroke])[: quotas[stroke]]]] = True
    return np.flatnonzero(keep)


def _scrambled(numbers: Integers, seed: int) -> NDArray[np.uint64]:
    """A pseudo-random order that depends on the numbers alone (SplitMix64's finaliser, Steele et al. 2014)."""
    mixed = numbers.astype(np.uint64) + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _joined(parts: list[Integers]) -> Integers:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
