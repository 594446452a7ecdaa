"""What a probe learns from: painted pixels of some images and their features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from patchfield.errors import LabelError, ProbeError
from patchfield.field import FeatureField, FeatureRecipe
from patchfield.probe.feature_cache import FeatureCache
from patchfield.probe.labels import LabelSamples, PaintedPixels, Strokes, choose_samples, find_strokes
from patchfield.probe.trained import alike, summary
from patchfield.probe.training_image import TrainingImage

LabelledField = tuple[FeatureField, ArrayLike]


@dataclass(frozen=True, eq=False)
class Material:
    """Strokes of some images, the pixels chosen of them, and their features.

    Attributes
    ----------
    strokes : tuple of Strokes
        What is painted on each image.
    samples : LabelSamples
        Pixels chosen of them.
    features : tuple of (n_i, channels) float32 arrays
        Of the samples, one array per image.
    recipes : tuple of FeatureRecipe
        How the features were made.
    images : tuple of TrainingImage
        What is known of each image.
    centres : tuple of (channels,) float32 arrays
        Mean feature of each image.
    """

    strokes: tuple[Strokes, ...]
    samples: LabelSamples
    features: tuple[NDArray[np.float32], ...]
    recipes: tuple[FeatureRecipe, ...]
    images: tuple[TrainingImage, ...]
    centres: tuple[NDArray[np.float32], ...]

    @classmethod
    def from_pairs(
        cls,
        pairs: Sequence[LabelledField],
        images: Sequence[TrainingImage],
        per_class: int,
        seed: int,
        cache: FeatureCache,
    ) -> Self:
        """Choose pixels of labels and look up their features.

        Raises
        ------
        LabelError
            When labels have no image or do not fit it, or there is not one image for each pair.
        ProbeError
            When the fields were made by different backbones.
        """
        if images and len(images) != len(pairs):
            raise LabelError(f"A probe was given {len(pairs)} labels and {len(images)} images: give one for each.")
        fields, strokes, numbers = labelled_strokes(pairs)
        samples = choose_samples(strokes, per_class, seed)
        known = tuple(images[number] if images else TrainingImage() for number in numbers)
        features = tuple(cache.of_samples(fields, samples))
        recipes = _common_recipes(fields)
        return cls(tuple(strokes), samples, features, recipes, known, tuple(field.centre for field in fields))

    def relabelled(self, changes: Mapping[int, int]) -> Self:
        """With other label values; 0 for what is not to be learned any more."""

        def changed(values: NDArray[np.int64]) -> NDArray[np.int64]:
            new = values.copy()
            for old, value in changes.items():
                new[values == old] = value
            return new

        strokes = tuple(replace(painted, values=changed(painted.values)) for painted in self.strokes)
        return replace(self, strokes=strokes, samples=replace(self.samples, values=changed(self.samples.values)))


def labelled_strokes(pairs: Sequence[LabelledField]) -> tuple[list[FeatureField], list[Strokes], list[int]]:
    """The fields that have labels, their strokes, and their positions among the pairs.

    Raises
    ------
    LabelError
        When labels have no image, or do not fit it.
    """
    if not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
        raise LabelError("A probe is fitted to a list of pairs (field, labels): fit([(field, labels)]).")
    fields: list[FeatureField] = []
    strokes: list[Strokes] = []
    numbers: list[int] = []
    for number, (labelled, labels) in enumerate(pairs):
        name = "The labels" if len(pairs) == 1 else f"Labels {number + 1} of {len(pairs)}"
        if labelled is None:
            raise LabelError(f"{name} have no image: give each label image the field of the image it was painted on.")
        if not hasattr(labelled, "sample"):
            raise LabelError(f"{name} come with no field: give pairs (field, labels), the field first.")
        painted = find_strokes(_without_missing(labels, labelled), labelled.shape, name)
        if painted.count:
            fields.append(labelled)
            strokes.append(painted)
            numbers.append(number)
    return fields, strokes, numbers


def _without_missing(labels: ArrayLike, field: FeatureField) -> ArrayLike:
    """Labels without those of pixels that have no value; labels of another shape as they are."""
    if isinstance(labels, PaintedPixels):
        return labels if field.missing is None or labels.shape != field.shape else labels.without(field.missing)
    if field.missing is None or np.shape(labels) != field.shape:
        return labels
    return np.where(field.missing, 0, labels)


def _common_recipes(fields: Sequence[FeatureField]) -> tuple[FeatureRecipe, ...]:
    for other in fields[1:]:
        if not alike(fields[0].recipes, fields[0].channels, other.recipes, other.channels):
            raise ProbeError(
                f"Features of {summary(fields[0].recipes, fields[0].channels)} and of "
                f"{summary(other.recipes, other.channels)} cannot train one probe: extract all images alike."
            )
    return fields[0].recipes if fields else ()
