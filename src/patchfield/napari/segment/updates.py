"""From strokes to a new segmentation: what runs, off the GUI thread, after every stroke."""

import copy
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from patchfield.errors import TooFewClassesError
from patchfield.field import FeatureField
from patchfield.images import Stack
from patchfield.napari.segment.drawing import Drawn, Target, Waiting, draw_view
from patchfield.napari.session.planes import Plane
from patchfield.napari.session.view import Show
from patchfield.objects import Cleaning
from patchfield.probe import (
    Agreement,
    ClassInfo,
    KeptSamples,
    LinearProbe,
    PaintedPixels,
    TrainingImage,
    stroke_agreement,
)


@dataclass(frozen=True)
class Labelled:
    """A painted plane: its labels and, once computed, its field; and the image that it is of, seen with a zoom."""

    plane: Plane
    labels: PaintedPixels
    field: FeatureField | None
    stack: Stack
    zoom: float = 1.0


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
class Updated:
    """What is in view of the results is new, after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Unlearned:
    """There is nothing (any more) to learn from: `probe` serves, if there is one.

    Attributes
    ----------
    probe : LinearProbe or None
    waiting : bool
        Whether strokes wait for their features: then what an earlier probe made may stay for so long.
    """

    probe: LinearProbe | None
    waiting: bool


Images = Callable[[Sequence[Labelled]], list[TrainingImage]]
UpdateStep = Counted | Learned | Unlearned | Drawn | Waiting | Updated


def update(request: UpdateRequest) -> Generator[UpdateStep, None, None]:
    """Count the strokes, learn from them, segment what is in view."""
    start = time.perf_counter()
    counts = [count(entry.labels) for entry in request.labelled]
    yield Counted(_sum(counts))
    probe = request.probe
    if request.fit:
        learned = _learned(request)
        probe = _without_strokes(request) if learned is None else learned
        waiting = any(entry.field is None for entry in request.labelled)
        yield Unlearned(probe, waiting) if learned is None else Learned(learned)
    if probe is None or request.target is None:
        return
    yield from draw_view(probe, request.target, request.show, request.shown_class)
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


def agreement_of_strokes(
    labelled: Sequence[Labelled], probe: LinearProbe, images: Images
) -> Iterator[Agreement | None]:
    """How well whole strokes are predicted that were held out; None while there are too few."""
    ready = [entry for entry in labelled if entry.field is not None]
    yield stroke_agreement(training_pairs(ready), probe, images(ready))


def training_pairs(labelled: Sequence[Labelled]) -> list[tuple[FeatureField, PaintedPixels]]:
    return [(entry.field, entry.labels) for entry in labelled if entry.field is not None]


def count(labels: PaintedPixels) -> dict[int, int]:
    """Pixels of each label value."""
    pixels = np.bincount(labels.values)
    return {int(value): int(pixels[value]) for value in np.flatnonzero(pixels)}


def _sum(counts: list[dict[int, int]]) -> dict[int, int]:
    total: dict[int, int] = {}
    for counted in counts:
        for value, pixels in counted.items():
            total[value] = total.get(value, 0) + pixels
    return total
