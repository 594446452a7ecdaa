"""What training leaves behind: scores, classes, and where the features came from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from patchfield.errors import LabelError, TooFewClassesError
from patchfield.field import FeatureField, FeatureRecipe
from patchfield.probe.classes import ClassInfo
from patchfield.probe.labels import Integers, LabelSamples, Strokes
from patchfield.probe.shift import Shift
from patchfield.probe.solver import LinearMap
from patchfield.probe.training_image import TrainingImage

MAX_CLASSES = 255
"""More values are the numbers of objects, not classes; each class costs a column of weights and a map."""


@dataclass(frozen=True)
class TrainingFacts:
    """What a probe was trained on.

    Attributes
    ----------
    images : int
        How many had labels.
    strokes, pixels, samples : dict of int to int
        Strokes, painted pixels, and pixels chosen as samples of each class, by label value.
    pixel_size : (float, float) or None
        Side of the smallest and of the largest pixels of the images, in nm; None where no image says it.
    """

    images: int = 0
    strokes: dict[int, int] = field(default_factory=dict)
    pixels: dict[int, int] = field(default_factory=dict)
    samples: dict[int, int] = field(default_factory=dict)
    pixel_size: tuple[float, float] | None = None

    @classmethod
    def from_samples(
        cls, strokes: Sequence[Strokes], samples: LabelSamples, images: Sequence[TrainingImage] = ()
    ) -> "TrainingFacts":
        """Count strokes and pixels."""
        return cls(
            images=len(strokes),
            strokes=_counts([image.value_of_strokes for image in strokes]),
            pixels=_counts([image.values for image in strokes]),
            samples=_counts([samples.values]),
            pixel_size=pixel_size_range(images),
        )

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "TrainingFacts":
        """What `dataclasses.asdict` and JSON, which turns numbers that are keys into strings, made of it."""
        counts = {
            name: {int(value): int(count) for value, count in values[name].items()}
            for name in ("strokes", "pixels", "samples")
        }
        size = values.get("pixel_size")
        return cls(images=int(values["images"]), **counts, pixel_size=None if size is None else (size[0], size[1]))


@dataclass(frozen=True, eq=False)
class Trained:
    """All that a fitted probe knows.

    Attributes
    ----------
    values : (K,) int64 array
        Label value of each class, ascending.
    scores : LinearMap
        Scores of the classes, in that order.
    classes : dict of int to ClassInfo
        By label value.
    recipes : tuple of FeatureRecipe
        How the features were made.
    facts : TrainingFacts
    shift : Shift or None
        What it takes to do without the shift of an image; None of probes of before this was known.
    """

    values: Integers
    scores: LinearMap
    classes: dict[int, ClassInfo]
    recipes: tuple[FeatureRecipe, ...]
    facts: TrainingFacts
    shift: Shift | None = None

    def scores_on(self, field: FeatureField) -> LinearMap:
        """Scores for the pixels of an image, which may lie elsewhere than those that were painted."""
        return self.scores if self.shift is None else self.shift.discounted(self.scores, field.centre)

    def scores_for(self, values: Integers) -> LinearMap | None:
        """Scores of other classes to start fitting from: those known, and a new class without any evidence."""
        known = np.isin(values, self.values)
        if not known.any():
            return None
        positions = np.searchsorted(self.values, values[known])
        weights = np.zeros((len(self.scores.weights), len(values)), np.float32)
        bias = np.zeros(len(values), np.float32)
        weights[:, known], bias[known] = self.scores.weights[:, positions], self.scores.bias[positions]
        return LinearMap(weights, bias)


def check_classes(values: Integers) -> None:
    """Make sure that a probe can tell such classes apart.

    Raises
    ------
    LabelError
        When there are fewer than two, or too many.
    """
    if len(values) < 2:
        painted = f"only class {values[0]} is painted" if len(values) else "nothing is painted"
        raise TooFewClassesError(f"A probe needs strokes of at least two classes: {painted}.")
    if len(values) > MAX_CLASSES:
        raise LabelError(
            f"The labels hold {len(values)} values, and a probe tells at most {MAX_CLASSES} classes apart: give "
            "strokes of classes, not numbers of objects."
        )


def fingerprints(recipes: tuple[FeatureRecipe, ...]) -> tuple[str, ...]:
    """What must be equal for two fields to hold the same kind of features."""
    return tuple(recipe.fingerprint for recipe in recipes)


def summary(recipes: tuple[FeatureRecipe, ...], channels: int) -> str:
    """Features in the words of an error message."""
    if not recipes:
        return f"unknown origin ({channels} channels)"
    return " | ".join(f"'{recipe.backbone}' ({recipe.fingerprint})" for recipe in recipes)


def alike(
    recipes: tuple[FeatureRecipe, ...], channels: int, others: tuple[FeatureRecipe, ...], other_channels: int
) -> bool:
    """Whether two sets of recipes make the same kind of features."""
    return fingerprints(recipes) == fingerprints(others) and channels == other_channels


def pixel_size_range(images: Iterable[TrainingImage]) -> tuple[float, float] | None:
    """The smallest and the largest pixels of some images, in nm; None where no image says it."""
    sizes = [image.pixel_size for image in images if image.pixel_size is not None]
    return (min(sizes), max(sizes)) if sizes else None


def _counts(parts: Sequence[Integers]) -> dict[int, int]:
    values = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    return {
        int(value): int(count) for value, count in zip(*np.unique(values, return_counts=True), strict=True) if value
    }
