"""Backbone and fields: what is loaded, what is computed, what is kept."""

import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from psygnal import Signal

from patchfield.backbones import Backbone, load_backbone
from patchfield.errors import PatchfieldError
from patchfield.field import Estimate, ExtractionStep, FeatureField, FeatureRecipe, Interpolation, estimate
from patchfield.napari.jobs import Job, Runner, Slot, reports
from patchfield.napari.layers.stack import ImageSource, Plane, PlaneIndex
from patchfield.napari.session.status import Progress
from patchfield.pipeline import extraction

KEPT_BYTES = 2 * 2**30
"""Fields of planes without strokes are dropped, oldest first, when all fields together exceed this."""


@dataclass(frozen=True)
class FeatureSpec:
    """What features are made with: a backbone, how it is loaded, and which views are taken.

    Attributes
    ----------
    backbone : str
        A name or file for :func:`patchfield.load_backbone`.
    sampling : str
        As :meth:`patchfield.Sampling.parse` reads it.
    interpolation : {"nearest", "bilinear", "bicubic"}
    options : dict
        Keyword options for loading.
    """

    backbone: str
    sampling: str
    interpolation: Interpolation = "bilinear"
    options: dict[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def of(cls, recipe: FeatureRecipe) -> "FeatureSpec":
        """What a field (of a loaded probe) was made with."""
        return cls(recipe.backbone, recipe.sampling, recipe.interpolation, dict(recipe.options))

    def load(self, report: Callable[["Loading"], None] = lambda _: None) -> Backbone:
        """The backbone, downloaded where that is still to do."""
        return load_backbone(self.backbone, progress=lambda done, total: report(Loading(done, total)), **self.options)

    def extraction(self, source: ImageSource, index: PlaneIndex, backbone: Backbone) -> Iterator[ExtractionStep]:
        """The steps towards the field of a plane."""
        settings = source.settings
        return extraction(
            source.seen(index), backbone, self.sampling, self.interpolation, settings.contrast, settings.channels
        )


@dataclass(frozen=True)
class Loading:
    """Some of the weights were downloaded."""

    done: int
    total: int


@dataclass(frozen=True)
class Loaded:
    """The backbone is ready."""

    backbone: Backbone


@dataclass(frozen=True)
class Extracted:
    """A step of an extraction, and how long it has taken so far."""

    plane: Plane
    step: ExtractionStep
    backbone: Backbone
    seconds: float


@dataclass
class Kept:
    """A field, and whether all of its views are there."""

    field: FeatureField
    complete: bool


class Features:
    """Computes the fields of the planes that are asked for, one after the other, and keeps them.

    Parameters
    ----------
    runner : Runner
    spec : FeatureSpec
        What to begin with.
    """

    changed = Signal()
    """Progress, backbone, or whether something goes on."""
    chosen = Signal()
    """Features are made in another way from now on."""
    ready = Signal(object)
    """A plane (Plane) has a field, or a better one."""
    failed = Signal(object)
    """Loading or computing failed with an exception."""

    def __init__(self, runner: Runner, spec: FeatureSpec) -> None:
        self.spec = spec
        self.backbone: Backbone | None = None
        self.loading: Progress | None = None
        self.extracting: Progress | None = None
        self.problem: str | None = None
        self._slot = Slot(runner)
        self._wanted: tuple[tuple[Plane, ImageSource], ...] = ()
        self._current: Plane | None = None
        self._kept: OrderedDict[tuple[FeatureSpec, Plane], Kept] = OrderedDict()
        self._seconds_per_pixel: float | None = None

    def field(self, plane: Plane) -> FeatureField | None:
        kept = self._kept.get((self.spec, plane))
        return kept.field if kept else None

    def is_complete(self, plane: Plane) -> bool:
        kept = self._kept.get((self.spec, plane))
        return kept is not None and kept.complete

    def choose(self, spec: FeatureSpec) -> None:
        """Compute features in another way from now on; fields of the old way are kept for a return."""
        if spec == self.spec:
            return
        if (spec.backbone, spec.options) != (self.spec.backbone, self.spec.options):
            self.backbone, self._seconds_per_pixel = None, None
        self.spec = spec
        self.chosen.emit()
        self._restart()

    def request(self, wanted: Sequence[tuple[Plane, ImageSource]]) -> None:
        """See to it that these planes have fields, the first one first; others are no longer asked for."""
        self._wanted = tuple(wanted)
        if self.problem is None:
            self._continue()

    def forget(self, image: str) -> None:
        """Drop the fields of an image that is gone or not the same any more."""
        for key in [key for key in self._kept if key[1].image == image]:
            del self._kept[key]
        if self._current is not None and self._current.image == image:
            self._current = None
            self._slot.cancel()

    def stop(self) -> None:
        """Stop at the next tile; nothing goes on until `resume`."""
        if self._slot.busy:
            self._end("Features stopped: press Compute to go on.")

    def resume(self) -> None:
        """Go on after `stop` or a failure."""
        self._restart()

    def close(self) -> None:
        self._wanted = ()
        self._slot.cancel()
        self._kept.clear()

    def estimate(self, shape: tuple[int, int]) -> tuple[Estimate, float | None] | None:
        """What the field of a plane takes, and for how many seconds if that was measured; None before loading."""
        if self.backbone is None:
            return None
        expected = estimate(shape, self.backbone, self.spec.sampling)
        pixels = expected.tiles * expected.pixels_per_tile
        return expected, None if self._seconds_per_pixel is None else pixels * self._seconds_per_pixel

    def _restart(self) -> None:
        self.problem = None
        self._current = None
        self._slot.cancel()
        self.loading = self.extracting = None
        self._continue()
        self.changed.emit()

    def _continue(self) -> None:
        """Start on the first plane that is wanted and not complete, unless it is under way already."""
        todo = [(plane, source) for plane, source in self._wanted if not self.is_complete(plane)]
        if not todo:
            self._current, self.loading, self.extracting = None, None, None
            self._slot.cancel()
        elif todo[0][0] != self._current:
            plane, source = todo[0]
            self._current, self.loading = plane, Progress(0, 0, "bytes") if self.backbone is None else None
            work = partial(_compute, self.spec, self.backbone, source, plane)
            self._slot.submit(Job(work, self._on_step, self._on_error), interrupt=True)
        self.changed.emit()

    def _on_step(self, step: Loading | Loaded | Extracted) -> None:
        if isinstance(step, Loading):
            self.loading = Progress(step.done, step.total, "bytes")
        elif isinstance(step, Loaded):
            self.backbone, self.loading = step.backbone, None
        else:
            self._on_extracted(step)
        self.changed.emit()

    def _on_extracted(self, extracted: Extracted) -> None:
        step, plane = extracted.step, extracted.plane
        complete = step.done == step.total
        self.extracting = None if complete else Progress(step.done, step.total, "tiles")
        if step.field is None:
            return
        self._keep(plane, Kept(step.field, complete))
        if complete:
            expected = estimate(step.field.shape, extracted.backbone, self.spec.sampling)
            self._seconds_per_pixel = extracted.seconds / (expected.tiles * expected.pixels_per_tile)
            self._current = None
        self.ready.emit(plane)
        if complete:
            self._continue()

    def _on_error(self, error: Exception) -> None:
        sentence = str(error) if isinstance(error, PatchfieldError) else f"Features failed: {error}"
        self._end(sentence)
        self.failed.emit(error)

    def _end(self, problem: str) -> None:
        self._slot.cancel()
        self._current, self.loading, self.extracting = None, None, None
        self.problem = problem
        self.changed.emit()

    def _keep(self, plane: Plane, kept: Kept) -> None:
        self._kept[self.spec, plane] = kept
        self._kept.move_to_end((self.spec, plane))
        wanted = {plane for plane, _ in self._wanted}
        total = sum(kept.field.nbytes for kept in self._kept.values())
        for key in list(self._kept):
            if total <= KEPT_BYTES:
                return
            if key[0] != self.spec or key[1] not in wanted:
                total -= self._kept.pop(key).field.nbytes


def _compute(
    spec: FeatureSpec, backbone: Backbone | None, source: ImageSource, plane: Plane
) -> Generator[Loading | Loaded | Extracted, None, None]:
    """Load the backbone where that is still to do, then compute the field of a plane."""
    if backbone is None:
        backbone = yield from _load(spec)
        yield Loaded(backbone)
    start = time.perf_counter()
    for step in spec.extraction(source, plane.index, backbone):
        yield Extracted(plane, step, backbone, time.perf_counter() - start)


def _load(spec: FeatureSpec) -> Generator[Loading, None, Backbone]:
    for kind, value in reports(spec.load):
        if kind == "result":
            return value
        yield value
    raise AssertionError("a call ends with a result or an error")
