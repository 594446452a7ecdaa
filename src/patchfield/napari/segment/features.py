"""Backbone and fields: what is loaded, what is computed, what is kept."""

import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from psygnal import Signal

from patchfield.backbones import Backbone
from patchfield.errors import error_sentence
from patchfield.field import Estimate, ExtractionStep, FeatureField, FeatureRecipe, estimate
from patchfield.images import ImageSettings
from patchfield.napari.jobs import Job, Reported, Returned, Runner, Slot, reports
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.session.planes import Plane
from patchfield.napari.session.status import Progress
from patchfield.pipeline import Extractor

MAX_KEPT_BYTES = 2 * 10**9


@dataclass(frozen=True)
class Loading:
    """Some of the weights were downloaded."""

    progress: Progress


@dataclass(frozen=True)
class Loaded:
    """The backbone is ready."""

    extractor: Extractor


@dataclass(frozen=True)
class Extracted:
    """A step of an extraction, and how long it has taken so far."""

    plane: Plane
    step: ExtractionStep
    seconds: float


FeatureStep = Loading | Loaded | Extracted
Report = Callable[[Progress], None]


@dataclass(frozen=True)
class KeptField:
    """A field, and whether all of its views are there."""

    field: FeatureField
    complete: bool


class Features:
    """Computes the fields of the planes that are asked for, one after the other, and keeps them.

    Parameters
    ----------
    runner : Runner
    recipe : FeatureRecipe
        What to begin with; contrast and channels are each image's own.

    Attributes
    ----------
    recipe : FeatureRecipe
        How features are made now.
    extractor : Extractor or None
        What makes them, once the backbone is loaded.
    loading, extracting : Progress or None
        Of the weights and of the features, while they go on.
    problem : str or None
        Why nothing goes on, when something went wrong or was stopped.
    device : str
        Where backbones compute, as :func:`patchfield.load_backbone` takes it.
    max_kept_bytes : int
        Fields of planes without strokes are dropped, oldest first, when all fields together exceed this.
    """

    changed = Signal()
    """Progress, backbone, or whether something goes on."""
    chosen = Signal()
    """Features are made in another way from now on."""
    ready = Signal(Plane)
    """A plane has a field, or a better one."""
    failed = Signal(Exception)
    """Loading or computing failed."""

    def __init__(self, runner: Runner, recipe: FeatureRecipe) -> None:
        self.recipe = recipe
        self.extractor: Extractor | None = None
        self.loading: Progress | None = None
        self.extracting: Progress | None = None
        self.problem: str | None = None
        self.device = "auto"
        self.max_kept_bytes = MAX_KEPT_BYTES
        self._slot = Slot(runner)
        self._wanted: tuple[tuple[Plane, LayerStack], ...] = ()
        self._current: Plane | None = None
        self._kept: OrderedDict[tuple[FeatureRecipe, Plane], KeptField] = OrderedDict()
        self._seconds_per_pixel: float | None = None

    @property
    def backbone(self) -> Backbone | None:
        """The network, once it is loaded."""
        return None if self.extractor is None else self.extractor.backbones[0]

    def field(self, plane: Plane) -> FeatureField | None:
        """The field of a plane, of all or of the first views."""
        kept = self._kept.get((self.recipe, plane))
        return kept.field if kept else None

    def is_complete(self, plane: Plane) -> bool:
        """Whether the field of a plane has all of its views."""
        kept = self._kept.get((self.recipe, plane))
        return kept is not None and kept.complete

    def choose(self, recipe: FeatureRecipe) -> None:
        """Compute features in another way from now on; fields of the old way are kept for a return."""
        recipe = replace(recipe, image=ImageSettings())
        if recipe == self.recipe:
            return
        known = (self.recipe.backbone, self.recipe.options, self.recipe.fingerprint)
        if (recipe.backbone, recipe.options, recipe.fingerprint) != known:
            self.extractor = self._seconds_per_pixel = None
        elif self.extractor is not None:
            loaded = self.extractor.backbones[0].fingerprint
            self.extractor = replace(self.extractor, recipes=(replace(recipe, fingerprint=loaded),))
        self.recipe = recipe
        self.chosen.emit()
        self._restart()

    def use_device(self, device: str) -> None:
        """Load backbones onto another device from now on, the one in use, too; fields that are there stay."""
        if device != self.device:
            self.device = device
            self.extractor = self._seconds_per_pixel = None
            self._restart()

    def request(self, wanted: Sequence[tuple[Plane, LayerStack]]) -> None:
        """Compute the fields of these planes, in their order, where they are missing, and of no others any more."""
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
        """Stop, and drop all fields."""
        self._wanted = ()
        self._slot.cancel()
        self._kept.clear()

    def estimate(self, shape: tuple[int, int]) -> tuple[Estimate, float | None] | None:
        """What the field of a plane takes, and for how many seconds if that was measured; None before loading."""
        if self.backbone is None:
            return None
        expected = estimate(shape, self.backbone, self.recipe.sampling)
        pixels = expected.tiles * expected.pixels_per_tile
        return expected, None if self._seconds_per_pixel is None else pixels * self._seconds_per_pixel

    def _restart(self) -> None:
        self._slot.cancel()
        self.problem = self.loading = self.extracting = self._current = None
        self._continue()

    def _continue(self) -> None:
        """Start on the first plane that is wanted and not complete, unless it is under way already."""
        todo = [(plane, source) for plane, source in self._wanted if not self.is_complete(plane)]
        if not todo:
            self._current = self.loading = self.extracting = None
            self._slot.cancel()
        elif todo[0][0] != self._current:
            plane, source = todo[0]
            self._current = plane
            self.loading = Progress(0, 0, "bytes") if self.extractor is None else None
            work = partial(_compute, self.recipe, self.device, self.extractor, source, plane)
            self._slot.submit(Job(work, self._on_step, self._on_error), interrupt=True)
        self.changed.emit()

    def _on_step(self, step: FeatureStep) -> None:
        match step:
            case Loading(progress):
                self.loading = progress
            case Loaded(extractor):
                self.extractor = extractor
                self.loading = None
            case Extracted():
                self._on_extracted(step)
        self.changed.emit()

    def _on_extracted(self, extracted: Extracted) -> None:
        step, plane = extracted.step, extracted.plane
        complete = step.done == step.total
        self.extracting = None if complete else Progress(step.done, step.total, "tiles")
        if step.field is None:
            return
        self._keep(plane, KeptField(step.field, complete))
        if complete:
            self._measure(step.field.shape, extracted.seconds)
            self._current = None
        self.ready.emit(plane)
        if complete:
            self._continue()

    def _measure(self, shape: tuple[int, int], seconds: float) -> None:
        expected = self.estimate(shape)
        if expected is not None:
            self._seconds_per_pixel = seconds / (expected[0].tiles * expected[0].pixels_per_tile)

    def _on_error(self, error: Exception) -> None:
        self._end(error_sentence(error) or f"Features failed: {error}")
        self.failed.emit(error)

    def _end(self, problem: str) -> None:
        self._slot.cancel()
        self._current = self.loading = self.extracting = None
        self.problem = problem
        self.changed.emit()

    def _keep(self, plane: Plane, kept: KeptField) -> None:
        self._kept[self.recipe, plane] = kept
        self._kept.move_to_end((self.recipe, plane))
        wanted = {plane for plane, _ in self._wanted}
        total = sum(kept.field.nbytes for kept in self._kept.values())
        for key in list(self._kept):
            if total <= self.max_kept_bytes:
                return
            if key[0] != self.recipe or key[1] not in wanted:
                total -= self._kept.pop(key).field.nbytes


def load_extractor(recipe: FeatureRecipe, device: str = "auto") -> Generator[Loading | Loaded, None, None]:
    """Load a backbone, downloaded where that is still to do; what is loaded comes last."""

    def load(report: Report) -> Extractor:
        return Extractor.load(
            recipe, device=device, download=lambda done, total: report(Progress(done, total, "bytes"))
        )

    for message in reports(load):
        match message:
            case Reported(progress):
                yield Loading(progress)
            case Returned(extractor):
                yield Loaded(extractor)


def _compute(
    recipe: FeatureRecipe, device: str, extractor: Extractor | None, source: LayerStack, plane: Plane
) -> Generator[FeatureStep, None, None]:
    """Load the backbone where that is still to do, then compute the field of a plane."""
    if extractor is None:
        for step in load_extractor(recipe, device):
            yield step
            extractor = step.extractor if isinstance(step, Loaded) else extractor
    assert extractor is not None
    start = time.perf_counter()
    for extracted in extractor.seen_with(source.settings).steps(source, plane.index):
        yield Extracted(plane, extracted, time.perf_counter() - start)
