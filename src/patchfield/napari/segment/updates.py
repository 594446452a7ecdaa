"""From strokes to a new segmentation: what runs, off the GUI thread, after every stroke."""

import copy
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np

from patchfield.field import FeatureField, Region
from patchfield.napari.session.planes import Plane
from patchfield.napari.session.results import Made
from patchfield.napari.session.view import Show
from patchfield.objects import Cleaning, clean
from patchfield.probe import Agreement, ClassInfo, LinearProbe, stroke_agreement

BLOCK = 2048
"""Side of the pieces in which larger images are segmented, the ones in view first."""


@dataclass(frozen=True)
class Labelled:
    """A painted plane: its labels and, once computed, its field."""

    plane: Plane
    labels: np.ndarray
    field: FeatureField | None


@dataclass(frozen=True)
class Target:
    """The plane to segment, and the part of it that is in view.

    Attributes
    ----------
    plane : Plane
    field : FeatureField
    view : (slice, slice)
    complete : bool
        Whether the field has all of its views.
    """

    plane: Plane
    field: FeatureField
    view: Region
    complete: bool = True


@dataclass(frozen=True)
class UpdateRequest:
    """Everything an update needs, taken on the GUI thread.

    Attributes
    ----------
    labelled : tuple of Labelled
        All painted planes of all images.
    classes : dict
        Names and colours.
    probe : LinearProbe or None
        The last one, from which fitting goes on.
    fallback : LinearProbe or None
        What to segment with when the strokes do not suffice.
    fit : bool
        Whether to learn from the strokes, or only to segment with `probe`.
    finishing : Cleaning
        What a new probe does to its segmentations.
    target : Target or None
        Nothing to segment while its field is not there.
    show : Show
    shown_class : int
        Of which class the probability is shown.
    """

    labelled: tuple[Labelled, ...]
    classes: dict[int, ClassInfo]
    probe: LinearProbe | None
    fallback: LinearProbe | None
    fit: bool
    finishing: Cleaning
    target: Target | None
    show: Show
    shown_class: int


@dataclass(frozen=True)
class Counted:
    """How many pixels of each class are painted."""

    pixels: dict[int, int]


@dataclass(frozen=True)
class Learned:
    """A probe that knows the strokes."""

    probe: LinearProbe


@dataclass(frozen=True)
class Drawn:
    """A piece of a result.

    Attributes
    ----------
    plane : Plane
    show : Show
    region : (slice, slice)
    values : (h, w) array
    made : Made
        By which probe, and whether the plane is whole with this piece.
    """

    plane: Plane
    show: Show
    region: Region
    values: np.ndarray
    made: Made


@dataclass(frozen=True)
class Updated:
    """The results of the plane are whole again, after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Unlearned:
    """The strokes do not suffice (any more) to learn from."""


UpdateStep = Counted | Learned | Unlearned | Drawn | Updated


def update(request: UpdateRequest) -> Generator[UpdateStep, None, None]:
    """Count the strokes, learn from them, segment the plane in view."""
    start = time.perf_counter()
    counts = [count(entry.labels) for entry in request.labelled]
    yield Counted(_sum(counts))
    probe = request.probe
    if request.fit:
        if len(_sum(_counts_with_field(request, counts))) < 2:
            yield Unlearned()
            probe = request.fallback
        else:
            probe = copy.copy(probe) if probe is not None else LinearProbe(finishing=request.finishing)
            probe.fit(training_pairs(request.labelled), classes=request.classes)
            yield Learned(probe)
    if probe is None or request.target is None:
        return
    yield from draw(probe, request.target, request.show, request.shown_class)
    yield Updated(time.perf_counter() - start)


def draw(probe: LinearProbe, target: Target, show: Show, shown_class: int) -> Iterator[Drawn]:
    """The segmentation of a plane and the map that is shown beside it, piece by piece."""
    field, finishes, by = target.field, probe.finishing != Cleaning(), probe.identity
    pieces = regions(field.shape, target.view)
    segmentation: np.ndarray = np.zeros(field.shape, np.uint8)
    for number, region in enumerate(pieces, start=1):
        made = Made(by, whole=target.complete and number == len(pieces) and not finishes)
        values = probe.most_probable(field, region)
        if finishes:
            segmentation = segmentation.astype(values.dtype, copy=False)
            segmentation[region] = values
        if not finishes or len(pieces) > 1:
            yield Drawn(target.plane, Show.SEGMENTATION, region, values, made)
        if show is Show.UNCERTAINTY:
            yield Drawn(target.plane, show, region, probe.uncertainty(field, region), made)
        elif show is Show.PROBABILITY:
            yield Drawn(target.plane, show, region, _probability(probe, field, region, shown_class), made)
    if finishes:
        # What becomes of a pixel depends on pixels far away: all pieces have to be there.
        everything = (slice(0, field.shape[0]), slice(0, field.shape[1]))
        finished = clean(segmentation, probe.finishing)
        yield Drawn(target.plane, Show.SEGMENTATION, everything, finished, Made(by, whole=target.complete))


def agreement_of_strokes(
    pairs: list[tuple[FeatureField, np.ndarray]], probe: LinearProbe
) -> Iterator[Agreement | None]:
    """How well whole strokes are predicted that were held out; None while there are too few."""
    yield stroke_agreement(pairs, probe)


def training_pairs(labelled: tuple[Labelled, ...]) -> list[tuple[FeatureField, np.ndarray]]:
    return [(entry.field, entry.labels) for entry in labelled if entry.field is not None]


def count(labels: np.ndarray) -> dict[int, int]:
    """Pixels of each label value but 0."""
    pixels = np.bincount(labels[labels > 0])
    return {int(value): int(pixels[value]) for value in np.flatnonzero(pixels)}


def _counts_with_field(request: UpdateRequest, counts: list[dict[int, int]]) -> list[dict[int, int]]:
    return [counted for entry, counted in zip(request.labelled, counts, strict=True) if entry.field is not None]


def regions(shape: tuple[int, int], view: Region, block: int = BLOCK) -> list[Region]:
    """Pieces that cover an image, those nearest to the middle of the view first.

    Examples
    --------
    >>> regions((100, 100), (slice(0, 10), slice(0, 10)))
    [(slice(0, 100, None), slice(0, 100, None))]
    """
    pieces = [
        (slice(row, min(row + block, shape[0])), slice(column, min(column + block, shape[1])))
        for row in range(0, shape[0], block)
        for column in range(0, shape[1], block)
    ]
    return sorted(pieces, key=lambda piece: sum(_distance(a, b) for a, b in zip(piece, view, strict=True)))


def _distance(piece: slice, view: slice) -> int:
    """Pixels between the middle of the view and a piece; 0 inside of it."""
    middle = (view.start + view.stop) // 2
    return max(piece.start - middle, 0, middle - piece.stop + 1)


def _probability(probe: LinearProbe, field: FeatureField, region: Region, value: int) -> np.ndarray:
    known = np.flatnonzero(probe.values == value)
    if not len(known):
        rows, columns = region
        return np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.float32)
    return probe.probabilities(field, region)[known[0]]


def _sum(counts: list[dict[int, int]]) -> dict[int, int]:
    total: dict[int, int] = {}
    for counted in counts:
        for value, pixels in counted.items():
            total[value] = total.get(value, 0) + pixels
    return total
