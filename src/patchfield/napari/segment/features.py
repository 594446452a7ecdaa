"""Backbones and fields: what is loaded, what is computed, what is kept."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from psygnal import Signal

from patchfield.backbones import Backbone, Embedded, find_weight
from patchfield.errors import error_sentence
from patchfield.field import FeatureField, FeatureRecipe, Region, estimate, is_alike
from patchfield.images import ImageSettings
from patchfield.napari.jobs import Job, Runner, Slot
from patchfield.napari.segment.extraction import (
    Extracted,
    Extraction,
    FeatureStep,
    Loaded,
    Loading,
    extracting,
    load_extractor,
)
from patchfield.napari.segment.kept import KeptField, KeptFields
from patchfield.napari.session.planes import Plane, SeenStack
from patchfield.napari.session.status import Progress
from patchfield.pipeline import Extractor

STOPPED = "Features are stopped: press Compute to go on."
MAX_KEPT_BYTES = 2 * 10**9
MAX_LEFT = 8
"""So many extractions that were left in the middle are kept, to go on with."""


@dataclass(frozen=True)
class Cost:
    """What the features of a plane take.

    Attributes
    ----------
    nbytes, views, tiles, channels : int
        Of all backbones together; the views of the one with the most.
    seconds : float or None
        For one plane, once that was measured.
    device : str
    """

    nbytes: int
    views: int
    tiles: int
    channels: int
    seconds: float | None
    device: str


class Features:
    """Computes the fields of the planes that are asked for, one after the other, and keeps them.

    Parameters
    ----------
    runner : Runner
    recipes : sequence of FeatureRecipe
        What to begin with, one for each backbone; contrast and channels are each image's own.
    looked_at : callable, optional
        Says which region of a plane is looked at, in whichever thread: its tiles are computed first.

    Attributes
    ----------
    recipes : tuple of FeatureRecipe
        How features are made now; those of several backbones are joined channel by channel.
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
    """Progress, backbones, or whether something goes on."""
    chosen = Signal()
    """Features are made in another way from now on."""
    ready = Signal(Plane)
    """A plane has a field, or a better one."""
    failed = Signal(Exception)
    """Loading or computing failed."""

    def __init__(
        self,
        runner: Runner,
        recipes: Sequence[FeatureRecipe],
        looked_at: Callable[[Plane], Region | None] = lambda plane: None,
    ) -> None:
        self.recipes = tuple(recipes)
        self.loading: Progress | None = None
        self.extracting: Progress | None = None
        self.problem: str | None = None
        self._looked_at = looked_at
        self.device = "auto"
        self.max_kept_bytes = MAX_KEPT_BYTES
        self._slot = Slot(runner)
        self._wanted: tuple[tuple[Plane, SeenStack], ...] = ()
        self._current: Plane | None = None
        self._kept = KeptFields()
        self._left: dict[tuple[FeatureRecipe, Plane], Extraction] = {}
        self._flat: set[Plane] = set()
        self._loaded: dict[FeatureRecipe, Backbone] = {}
        self._fingerprints: dict[FeatureRecipe, str] = {}
        self._seconds_per_pixel: dict[FeatureRecipe, float] = {}

    @property
    def name(self) -> str:
        """The backbones, as they are written: ``neco-small | filters``."""
        return " | ".join(recipe.backbone for recipe in self.recipes)

    @property
    def backbones(self) -> tuple[Backbone, ...]:
        """The networks, one for each recipe; none before all are loaded."""
        loaded = [self._loaded.get(_weights(recipe)) for recipe in self.recipes]
        found = tuple(backbone for backbone in loaded if backbone is not None)
        return found if len(found) == len(self.recipes) else ()

    @property
    def extractor(self) -> Extractor | None:
        """What makes features, once all backbones are loaded."""
        return Extractor(self.backbones, self.recipes) if self.backbones else None

    def field(self, plane: Plane) -> FeatureField | None:
        """The field of a plane, of all or of the first views."""
        return self._kept.field(self.recipes, plane)

    def is_complete(self, plane: Plane) -> bool:
        """Whether the field of a plane has all of its views."""
        return all(self._kept.is_complete(recipe, plane) for recipe in self.recipes)

    def is_flat(self, plane: Plane) -> bool:
        """Whether a plane is one grey value, or has none: nothing can be told apart."""
        return plane in self._flat

    def is_made_by(self, recipes: Iterable[FeatureRecipe]) -> bool:
        """Whether these recipes are how features are made now."""
        return self._completed(recipes) == self.recipes

    def choose(self, recipes: Iterable[FeatureRecipe]) -> None:
        """Compute features in another way from now on; fields of the old way are kept for a return."""
        if self.is_made_by(recipes):
            return
        before, self.recipes = self.recipes, self._completed(recipes)
        in_use = {_weights(recipe) for recipe in (*before, *self.recipes)}
        self._loaded = {recipe: b for recipe, b in self._loaded.items() if recipe in in_use or _is_embedded(recipe)}
        self.chosen.emit()
        self._restart()

    def use_device(self, device: str) -> None:
        """Load backbones onto another device from now on, those in use, too; fields that are there stay."""
        if device != self.device:
            self.device = device
            self._loaded.clear()
            self._seconds_per_pixel.clear()
            self._left.clear()
            self._restart()

    def request(self, wanted: Sequence[tuple[Plane, SeenStack]]) -> None:
        """Compute the fields of these planes, in their order, where they are missing, and of no others any more."""
        self._wanted = tuple(wanted)
        if self.problem is None:
            self._continue()

    def forget(self, image: str) -> None:
        """Drop the fields of an image that is gone or not the same any more."""
        self._kept.forget(image)
        self._left = {key: extraction for key, extraction in self._left.items() if key[1].image != image}
        self._flat = {plane for plane in self._flat if plane.image != image}
        if self._current is not None and self._current.image == image:
            self._current = None
            self._slot.cancel()

    @property
    def stopped(self) -> bool:
        """Whether nothing goes on because the user wanted it so."""
        return self.problem == STOPPED

    def stop(self) -> None:
        """Stop at the next tile; nothing goes on until `resume`, which begins where it was stopped."""
        if self._slot.busy:
            self._end(STOPPED)

    def resume(self) -> None:
        """Go on after `stop` or a failure."""
        self._restart()

    def close(self) -> None:
        """Stop, and drop all fields."""
        self._wanted = ()
        self._slot.cancel()
        self._kept.clear()
        self._left.clear()

    def details(self, samplings: Sequence[str]) -> list[str]:
        """Those of some samplings that differ from the ones before, the one in use for all that equal it."""
        now = self.recipes[0].sampling
        different = [now]
        for sampling in samplings:
            if not any(self._is_alike(sampling, other) for other in different):
                different.append(sampling)
        known = {sampling: place for place, sampling in enumerate(samplings)}
        return sorted(different, key=lambda sampling: known.get(sampling, len(known)))

    def _is_alike(self, sampling: str, other: str) -> bool:
        """Whether two samplings give the same features; before backbones are loaded only where they have one name."""
        if not self.backbones:
            return sampling == other
        return all(is_alike(backbone, sampling, other) for backbone in self.backbones)

    def cost(self, shape: tuple[int, int]) -> Cost | None:
        """What the field of a plane takes; None before the backbones are loaded."""
        if not self.backbones:
            return None
        pairs = list(zip(self.recipes, self.backbones, strict=True))
        expected = [estimate(shape, backbone, recipe.sampling, recipe.interpolation) for recipe, backbone in pairs]
        speeds = [self._seconds_per_pixel.get(recipe) for recipe in self.recipes]
        seconds = [
            part.tiles * part.pixels_per_tile * speed
            for part, speed in zip(expected, speeds, strict=True)
            if speed is not None
        ]
        return Cost(
            nbytes=sum(part.nbytes for part in expected),
            views=max(part.views for part in expected),
            tiles=sum(part.tiles for part in expected),
            channels=sum(backbone.channels for backbone in self.backbones),
            seconds=sum(seconds) if len(seconds) == len(pairs) else None,
            device=str(self.backbones[0].device),
        )

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
            self._start(*todo[0])
        self.changed.emit()

    def _start(self, plane: Plane, source: SeenStack) -> None:
        """Load what is still to be loaded, or go on with the plane."""
        extractor = self.extractor
        self._current = plane
        self.loading = Progress(0, 0, "bytes") if extractor is None else None
        work: Callable[[], Iterable[FeatureStep]]
        if extractor is None:
            missing = [recipe for recipe in self.recipes if _weights(recipe) not in self._loaded]
            work = partial(load_extractor, missing, self.device)
        else:
            work = partial(extracting, extractor, self._extractions(plane, source))
        self._slot.submit(Job(work, self._on_step, self._on_error), interrupt=True)

    def _extractions(self, plane: Plane, source: SeenStack) -> list[Extraction]:
        """Those of a plane that are to be begun or gone on with, the quick ones first."""
        recipes = [recipe for recipe in self.recipes if not self._kept.is_complete(recipe, plane)]
        for recipe in recipes:
            new = Extraction(recipe, source, plane, partial(self._looked_at, plane))
            known = self._left.pop((recipe, plane), new)
            self._left[recipe, plane] = known
        for key in list(self._left)[:-MAX_LEFT]:
            del self._left[key]
        recipes.sort(key=lambda recipe: not _is_embedded(recipe))
        return [self._left[recipe, plane] for recipe in recipes]

    def _on_step(self, step: FeatureStep) -> None:
        match step:
            case Loading(progress):
                self.loading = progress
            case Loaded(extractor):
                self._on_loaded(extractor)
            case Extracted():
                self._on_extracted(step)
        self.changed.emit()

    def _on_loaded(self, extractor: Extractor) -> None:
        missing = [recipe for recipe in self.recipes if _weights(recipe) not in self._loaded]
        for recipe, backbone in zip(missing, extractor.backbones, strict=True):
            self._fingerprints[_weights(recipe)] = backbone.fingerprint
            self._loaded[_weights(replace(recipe, fingerprint=backbone.fingerprint))] = backbone
        self.recipes = self._completed(self.recipes)
        self.loading = self._current = None
        self._continue()

    def _on_extracted(self, extracted: Extracted) -> None:
        step, extraction = extracted.step, extracted.extraction
        recipe, plane = extraction.recipe, extraction.plane
        part_complete = step.done == step.total
        left = extracted.seconds / step.done * (step.total - step.done)
        self.extracting = None if part_complete else Progress(step.done, step.total, "tiles", left)
        if extraction.is_flat:
            self._flat.add(plane)
        if step.field is None:
            return
        wanted = {plane for plane, _ in self._wanted}
        self._kept.keep(recipe, plane, KeptField(step.field, part_complete))
        self._kept.make_room(self.max_kept_bytes, self.recipes, wanted)
        if part_complete:
            self._measure(recipe, step.field.shape, extracted.seconds)
            self._left.pop((recipe, plane), None)
        complete = self.is_complete(plane)
        if complete:
            self._current = None
        if self.field(plane) is not None:
            self.ready.emit(plane)
        if complete:
            self._continue()

    def _measure(self, recipe: FeatureRecipe, shape: tuple[int, int], seconds: float) -> None:
        backbone = self._loaded.get(_weights(recipe))
        if backbone is not None:
            expected = estimate(shape, backbone, recipe.sampling)
            self._seconds_per_pixel[recipe] = seconds / (expected.tiles * expected.pixels_per_tile)

    def _on_error(self, error: Exception) -> None:
        self._left = {key: extraction for key, extraction in self._left.items() if key[1] != self._current}
        self._end(error_sentence(error) or f"Features failed: {error}")
        self.failed.emit(error)

    def _end(self, problem: str) -> None:
        self._slot.cancel()
        self._current = self.loading = self.extracting = None
        self.problem = problem
        self.changed.emit()

    def _completed(self, recipes: Iterable[FeatureRecipe]) -> tuple[FeatureRecipe, ...]:
        """Recipes as features are kept by: without image settings, with the fingerprint where it is known."""
        plain = [replace(recipe, image=ImageSettings()) for recipe in recipes]
        return tuple(
            recipe if recipe.fingerprint else replace(recipe, fingerprint=self._fingerprints.get(_weights(recipe), ""))
            for recipe in plain
        )


def _weights(recipe: FeatureRecipe) -> FeatureRecipe:
    """What of a recipe decides which network it is."""
    return FeatureRecipe(recipe.backbone, options=recipe.options, fingerprint=recipe.fingerprint)


def _is_embedded(recipe: FeatureRecipe) -> bool:
    weight = find_weight(recipe.backbone)
    return weight is not None and isinstance(weight.origin, Embedded)
