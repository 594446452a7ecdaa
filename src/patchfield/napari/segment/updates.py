"""From strokes to a new segmentation: what runs, off the GUI thread, after every stroke."""

import copy
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from patchfield.errors import TooFewClassesError
from patchfield.field import FeatureField, Region
from patchfield.images import Stack
from patchfield.napari.session.planes import Plane
from patchfield.napari.session.results import Made
from patchfield.napari.session.view import Show
from patchfield.objects import Cleaning, clean
from patchfield.probe import Agreement, ClassInfo, KeptSamples, LinearProbe, TrainingImage, stroke_agreement

BLOCK = 2048
"""Side of the pieces in which larger images are segmented, the ones in view first."""


@dataclass(frozen=True)
class Labelled:
    """A painted plane: its labels and, once computed, its field; and the image that it is of, seen with a zoom."""

    plane: Plane
    labels: np.ndarray
    field: FeatureField | None
    stack: Stack
    zoom: float = 1.0


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
    loaded : LinearProbe or None
        A probe from a file, which the strokes correct; it segments alone while nothing is painted.
    kept : KeptSamples
        What of its samples counts still.
    fit : bool
        Whether to learn from the strokes, or only to segment with `probe`.
    finishing : Cleaning
        What a new probe does to its segmentations.
    target : Target or None
        Nothing to segment while its field is not there.
    show : Show
    shown_class : int
        Of which class the probability is shown.
    images : callable
        Gives what a probe is to remember of the images of some planes.
    """

    labelled: tuple[Labelled, ...]
    classes: dict[int, ClassInfo]
    probe: LinearProbe | None
    loaded: LinearProbe | None
    kept: KeptSamples
    fit: bool
    finishing: Cleaning
    target: Target | None
    show: Show
    shown_class: int
    images: "Images"


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
    """There is nothing (any more) to learn from: `probe` serves, if there is one."""

    probe: LinearProbe | None


Images = Callable[[Sequence[Labelled]], list[TrainingImage]]
UpdateStep = Counted | Learned | Unlearned | Drawn | Updated


def update(request: UpdateRequest) -> Generator[UpdateStep, None, None]:
    """Count the strokes, learn from them, segment the plane in view."""
    start = time.perf_counter()
    counts = [count(entry.labels) for entry in request.labelled]
    yield Counted(_sum(counts))
    probe = request.probe
    if request.fit:
        learned = _learned(request)
        probe = _without_strokes(request) if learned is None else learned
        yield Unlearned(probe) if learned is None else Learned(learned)
    if probe is None or request.target is None:
        return
    yield from draw(probe, request.target, request.show, request.shown_class)
    yield Updated(time.perf_counter() - start)


def _learned(request: UpdateRequest) -> LinearProbe | None:
    """A probe of the strokes and of what the loaded one keeps, all of it again: a stroke undone leaves no trace.

    None where there is nothing that the loaded probe does not know itself, or not enough to learn from.
    """
    ready = [entry for entry in request.labelled if entry.field is not None]
    changed = request.loaded is not None and request.kept is not request.loaded.kept
    if not ready and not changed:
        return None
    before = request.probe or request.loaded
    probe = LinearProbe(finishing=request.finishing) if before is None else copy.copy(before)
    probe.kept = request.kept
    try:
        return probe.fit(training_pairs(ready), request.classes, request.images(ready))
    except TooFewClassesError:
        return None


def _without_strokes(request: UpdateRequest) -> LinearProbe | None:
    """The loaded probe as it is, unless a class was taken from it and too few are left."""
    return None if request.loaded is None or request.kept is not request.loaded.kept else request.loaded


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
    labelled: Sequence[Labelled], probe: LinearProbe, images: Images
) -> Iterator[Agreement | None]:
    """How well whole strokes are predicted that were held out; None while there are too few."""
    ready = [entry for entry in labelled if entry.field is not None]
    yield stroke_agreement(training_pairs(ready), probe, images(ready))


def training_pairs(labelled: Sequence[Labelled]) -> list[tuple[FeatureField, np.ndarray]]:
    return [(entry.field, entry.labels) for entry in labelled if entry.field is not None]


def count(labels: np.ndarray) -> dict[int, int]:
    """Pixels of each label value but 0."""
    pixels = np.bincount(labels[labels > 0])
    return {int(value): int(pixels[value]) for value in np.flatnonzero(pixels)}


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
