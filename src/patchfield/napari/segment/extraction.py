"""Work that ends in fields: loading backbones, and extractions that can be left and taken up again."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from patchfield.backbones import Backbone
from patchfield.field import ExtractionStep, FeatureRecipe, LookedAt
from patchfield.images import ModelImage, model_image
from patchfield.napari.jobs import Reported, Returned, reports
from patchfield.napari.session.planes import Plane, SeenStack
from patchfield.napari.session.status import Progress
from patchfield.pipeline import Extractor

_SEEN = 200
"""Rows and columns that are looked at to see whether an image shows anything."""


@dataclass(frozen=True)
class Loading:
    """Some of the weights were downloaded."""

    progress: Progress


@dataclass(frozen=True)
class Loaded:
    """The backbones are ready."""

    extractor: Extractor


@dataclass(frozen=True)
class Extracted:
    """A step of an extraction, and how long it has taken so far."""

    extraction: "Extraction"
    step: ExtractionStep
    seconds: float


FeatureStep = Loading | Loaded | Extracted
Report = Callable[[Progress], None]


class Extraction:
    """One field under way: it can be left after any tile, and goes on from there, in whichever thread.

    Parameters
    ----------
    recipe : FeatureRecipe
        Of one backbone.
    source : SeenStack
    plane : Plane
    looked_at : callable
        Says which region of the plane is looked at: its tiles come first.

    Attributes
    ----------
    seconds : float
        How long it has taken, all sittings together.
    is_flat : bool
        Whether all pixels are the same, or have no value: no features tell them apart.
    """

    def __init__(self, recipe: FeatureRecipe, source: SeenStack, plane: Plane, looked_at: LookedAt) -> None:
        self.recipe, self.source, self.plane = recipe, source, plane
        self.seconds = 0.0
        self.is_flat = False
        self._looked_at = looked_at
        self._steps: Iterator[ExtractionStep] | None = None
        self._last: ExtractionStep | None = None

    def go_on(self, backbone: Backbone) -> Iterator[Extracted]:
        """The steps from here on; the last one comes again, for nobody may have been there to take it."""
        if self._steps is None:
            extractor = Extractor((backbone,), (self.recipe,)).seen_with(self.source.settings)
            image = model_image(self.source, extractor.recipes[0].image, self.plane.index)
            self.is_flat = _is_flat(image)
            self._steps = extractor.steps(image, looked_at=self._looked_at)
        if self._last is not None:
            yield Extracted(self, self._last, self.seconds)
        while True:
            start = time.perf_counter()
            step = next(self._steps, None)
            self.seconds += time.perf_counter() - start
            if step is None:
                return
            # What a step before it brought is not lost when nobody took it.
            field = step.field or (None if self._last is None else self._last.field)
            self._last = ExtractionStep(step.done, step.total, field)
            yield Extracted(self, step, self.seconds)


def _is_flat(image: ModelImage) -> bool:
    """Whether pixels all over the image are the same, or have no value."""
    height, width = image.shape
    rows, columns = (np.unique(np.linspace(0, size - 1, _SEEN).astype(int)) for size in (height, width))
    return bool(np.ptp(image.crop(rows, columns), axis=(0, 1)).max() == 0)


def load_extractor(recipes: Sequence[FeatureRecipe], device: str = "auto") -> Generator[Loading | Loaded, None, None]:
    """Load backbones, downloaded where that is still to do; what is loaded comes last."""

    def load(report: Report) -> Extractor:
        return Extractor.load(
            recipes, device=device, download=lambda done, total: report(Progress(done, total, "bytes"))
        )

    for message in reports(load):
        match message:
            case Reported(progress):
                yield Loading(progress)
            case Returned(extractor):
                yield Loaded(extractor)


def extracting(extractor: Extractor, extractions: Sequence[Extraction]) -> Generator[FeatureStep, None, None]:
    """Go on with some extractions, one after the other."""
    backbones = dict(zip(extractor.recipes, extractor.backbones, strict=True))
    for extraction in extractions:
        yield from extraction.go_on(backbones[extraction.recipe])
