"""The linear probe: a few painted pixels of some fields -> a class at every pixel of any field."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from patchfield.errors import LabelError, ProbeError
from patchfield.field import FeatureField, FeatureRecipe, Region
from patchfield.probe.classes import ClassInfo, complete_classes
from patchfield.probe.feature_cache import FeatureCache
from patchfield.probe.file import read_probe, write_probe
from patchfield.probe.labels import Integers, LabelSamples, Strokes, choose_samples, find_strokes
from patchfield.probe.solver import fit_softmax
from patchfield.probe.trained import MAX_CLASSES, Trained, TrainingFacts, fingerprints, summary

DEFAULT_L2 = 0.01
"""On the stroke benchmark 0.003 to 0.03 give `micro` the same mean IoU within 0.01; 0.3 costs it 0.05."""

DEFAULT_SAMPLES_PER_CLASS = 2000

LabelledField = tuple[FeatureField, ArrayLike]


class LinearProbe:
    """Multinomial logistic regression from features to painted classes.

    Features are standardised, classes weigh the same however much of them is painted, and weights are penalised
    (see :mod:`patchfield.probe.solver` for the objective). All of it ends in one small matrix, so that a field is
    segmented by one projection.

    Parameters
    ----------
    l2 : float
        Strength of the penalty on squared weights, relative to the mean loss of a sample: scikit-learn's
        ``C = 1 / (l2 * samples)``.
    samples_per_class : int
        Pixels of a class beyond which only some are used, spread over images and strokes.
    seed : int
        Which pixels those are.

    Attributes
    ----------
    values : (K,) int64 array
        Label value of each class, ascending.
    weights : (channels, K) float32 array
    bias : (K,) float32 array
        Class scores of a feature are ``feature @ weights + bias``; the softmax of the scores is the probability.
    classes : dict of int to ClassInfo
        Name and colour, by label value.
    recipes : tuple of FeatureRecipe
        How the features it knows were made.
    training : TrainingFacts
    cache : FeatureCache
        Features of painted pixels, kept from fit to fit. A shallow copy of a probe shares it.

    Examples
    --------
    >>> import numpy as np, patchfield as pf
    >>> image = np.zeros((64, 64), np.uint8)
    >>> image[:, 32:] = 200
    >>> labels = np.zeros((64, 64), np.uint8)
    >>> labels[10:20, 5], labels[10:20, 60] = 3, 7
    >>> field = pf.extract(image, "filters")
    >>> probe = pf.LinearProbe().fit([(field, labels)])
    >>> np.unique(probe.segment(field))
    array([3, 7], dtype=uint8)
    """

    def __init__(
        self, l2: float = DEFAULT_L2, samples_per_class: int = DEFAULT_SAMPLES_PER_CLASS, seed: int = 0
    ) -> None:
        if not l2 > 0 or samples_per_class < 1:
            raise ProbeError(
                f"A probe needs a positive penalty and at least one sample per class, not {l2} and {samples_per_class}."
            )
        self.l2, self.samples_per_class, self.seed = l2, samples_per_class, seed
        self.cache = FeatureCache()
        self._trained: Trained | None = None

    @property
    def values(self) -> Integers:
        return self._knowledge().values

    @property
    def weights(self) -> NDArray[np.float32]:
        return self._knowledge().scores.weights

    @property
    def bias(self) -> NDArray[np.float32]:
        return self._knowledge().scores.bias

    @property
    def classes(self) -> dict[int, ClassInfo]:
        return self._knowledge().classes

    @property
    def recipes(self) -> tuple[FeatureRecipe, ...]:
        return self._knowledge().recipes

    @property
    def training(self) -> TrainingFacts:
        return self._knowledge().facts

    @property
    def fingerprint(self) -> str:
        """Short hash of what it has learned: classes, weights, and how the features are made that they are for."""
        known = self._knowledge()
        numbers = (known.values, known.scores.weights, known.scores.bias)
        digest = sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in numbers))
        digest.update(repr((sorted(known.classes.items()), known.recipes)).encode())
        return digest.hexdigest()[:16]

    def fit(self, pairs: Sequence[LabelledField], classes: Mapping[int, ClassInfo] | None = None) -> "LinearProbe":
        """Learn the painted classes, from where the last fit ended.

        Parameters
        ----------
        pairs : sequence of (FeatureField, (H, W) array)
            Fields of some images and their labels: integers, 0 = unlabelled. Values need not be contiguous.
        classes : dict of int to ClassInfo, optional
            Names and colours; those of the last fit, or defaults, for values that are not given.

        Returns
        -------
        LinearProbe
            The probe itself.

        Raises
        ------
        LabelError
            When fewer than two classes are painted, or labels do not fit their image.
        ProbeError
            When the fields were made by different backbones.
        """
        fields, strokes = labelled_strokes(pairs)
        samples = choose_samples(strokes, self.samples_per_class, self.seed)
        return self.fit_samples(
            strokes, samples, self.cache.of_samples(fields, samples), _common_recipes(fields), classes
        )

    def fit_samples(
        self,
        strokes: Sequence[Strokes],
        samples: LabelSamples,
        features: Sequence[NDArray[np.float32]],
        recipes: tuple[FeatureRecipe, ...],
        classes: Mapping[int, ClassInfo] | None = None,
    ) -> "LinearProbe":
        """As :meth:`fit`, with features that are sampled already: the fields need not be in memory together.

        Parameters
        ----------
        strokes : sequence of Strokes
            What is painted on each image.
        samples : LabelSamples
            Pixels chosen of them.
        features : sequence of (n_i, channels) float32 arrays
            Of the samples, one array per image.
        recipes : tuple of FeatureRecipe
            How the features were made.
        classes : dict of int to ClassInfo, optional
            As for :meth:`fit`.

        Raises
        ------
        LabelError
            When fewer than two classes are painted, or too many.
        """
        values, index = np.unique(samples.values, return_inverse=True)
        if len(values) < 2:
            painted = f"only class {values[0]} is painted" if len(values) else "nothing is painted"
            raise LabelError(f"A probe needs strokes of at least two classes: {painted}.")
        if len(values) > MAX_CLASSES:
            raise LabelError(
                f"The labels hold {len(values)} values, and a probe tells at most {MAX_CLASSES} classes apart: give "
                "strokes of classes, not numbers of objects."
            )
        before = self._trained
        alike = before is not None and _alike(before.recipes, len(before.scores.weights), recipes, features[0].shape[1])
        start = before.scores_for(values) if before is not None and alike else None
        scores = fit_softmax(features, index, self.l2, start)
        named = complete_classes(values, classes, before.classes if before else {})
        facts = TrainingFacts.from_samples(strokes, samples)
        self._trained = Trained(values, scores, named, recipes, facts)
        return self

    def segment(self, field: FeatureField, region: Region | None = None) -> NDArray[np.unsignedinteger]:
        """The most probable class at every pixel; 0 where the image has no value.

        Parameters
        ----------
        field : FeatureField
        region : (slice, slice), optional
            Rows and columns wanted; the whole image by default.

        Returns
        -------
        (H, W) array of label values, uint8 if they fit, else uint16 or uint32

        Raises
        ------
        ProbeError
            When the probe is not fitted, or was trained on features of another backbone.
        """
        known = self._knowledge_for(field)
        smallest = known.values.astype(np.min_scalar_type(known.values.max()))
        labels: NDArray[np.unsignedinteger] = smallest[field.argmax(known.scores.weights, known.scores.bias, region)]
        if field.missing is not None:
            labels[field.missing[region or ...]] = 0
        return labels

    def probabilities(self, field: FeatureField, region: Region | None = None) -> NDArray[np.float32]:
        """Probability of each class at every pixel: (K, H, W) float32, in the order of `values`.

        All are 0 where the image has no value.

        Raises
        ------
        ProbeError
            As :meth:`segment`.
        """
        scores = self._knowledge_for(field).scores
        maps = torch.from_numpy(field.project(scores.weights, scores.bias, region))
        shares: NDArray[np.float32] = torch.softmax(maps, 0).numpy()
        if field.missing is not None:
            shares[:, field.missing[region or ...]] = 0
        return shares

    def uncertainty(self, field: FeatureField, region: Region | None = None) -> NDArray[np.float32]:
        """How undecided the probe is at every pixel: 0 sure, 1 two classes are equally probable.

        One minus the difference of the two largest probabilities ("margin", Scheffer et al., IDA 2001); 0 where the
        image has no value.

        Returns
        -------
        (H, W) float32 array

        Raises
        ------
        ProbeError
            As :meth:`segment`.
        """
        scores = self._knowledge_for(field).scores
        unsure: NDArray[np.float32] = 1 - _margin(field.project(scores.weights, scores.bias, region))
        if field.missing is not None:
            unsure[field.missing[region or ...]] = 0
        return unsure

    def save(self, path: str | Path) -> None:
        """Write the probe to one file, whole or not at all; see :mod:`patchfield.probe.file`.

        Raises
        ------
        ProbeError
            When the probe is not fitted.
        """
        settings = {"l2": self.l2, "samples_per_class": self.samples_per_class, "seed": self.seed}
        write_probe(path, self._knowledge(), settings)

    @staticmethod
    def load(path: str | Path) -> "LinearProbe":
        """Read a probe that :meth:`save` wrote.

        Raises
        ------
        ProbeError
            When the file is missing, damaged, no probe, or of a newer version.
        """
        trained, settings = read_probe(path)
        probe = LinearProbe(**settings)
        probe._trained = trained
        return probe

    def _knowledge(self) -> Trained:
        if self._trained is None:
            raise ProbeError("The probe has not learned anything yet: fit it to labels of two classes first.")
        return self._trained

    def _knowledge_for(self, field: FeatureField) -> Trained:
        """What the probe knows, once it is clear that it was learned from such features."""
        known = self._knowledge()
        channels = len(known.scores.weights)
        if not _alike(known.recipes, channels, field.recipes, field.channels):
            raise ProbeError(
                f"The probe was trained on features of {summary(known.recipes, channels)} and cannot be used on "
                f"those of {summary(field.recipes, field.channels)}: extract the image with "
                "Extractor.load(probe.recipes).field(image), or train a new probe."
            )
        return known


def labelled_strokes(pairs: Sequence[LabelledField]) -> tuple[list[FeatureField], list[Strokes]]:
    """The fields that have labels, and their strokes.

    Raises
    ------
    LabelError
        When labels have no image, or do not fit it.
    """
    if not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
        raise LabelError("A probe is fitted to a list of pairs (field, labels): fit([(field, labels)]).")
    fields, strokes = [], []
    for number, (labelled, labels) in enumerate(pairs, start=1):
        name = "The labels" if len(pairs) == 1 else f"Labels {number} of {len(pairs)}"
        if labelled is None:
            raise LabelError(f"{name} have no image: give each label image the field of the image it was painted on.")
        if not hasattr(labelled, "sample"):
            raise LabelError(f"{name} come with no field: give pairs (field, labels), the field first.")
        painted = find_strokes(_without_missing(labels, labelled), labelled.shape, name)
        if painted.count:
            fields.append(labelled)
            strokes.append(painted)
    return fields, strokes


def _without_missing(labels: ArrayLike, field: FeatureField) -> ArrayLike:
    """Labels without those of pixels that have no value; labels of another shape as they are."""
    if field.missing is None or np.shape(labels) != field.shape:
        return labels
    return np.where(field.missing, 0, labels)


def _common_recipes(fields: Sequence[FeatureField]) -> tuple[FeatureRecipe, ...]:
    for other in fields[1:]:
        if not _alike(fields[0].recipes, fields[0].channels, other.recipes, other.channels):
            raise ProbeError(
                f"Features of {summary(fields[0].recipes, fields[0].channels)} and of "
                f"{summary(other.recipes, other.channels)} cannot train one probe: extract all images alike."
            )
    return fields[0].recipes if fields else ()


def _alike(
    recipes: tuple[FeatureRecipe, ...], channels: int, others: tuple[FeatureRecipe, ...], other_channels: int
) -> bool:
    """Whether two sets of recipes make the same kind of features."""
    return fingerprints(recipes) == fingerprints(others) and channels == other_channels


def _margin(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Difference of the two largest softmax probabilities of scores (K, h, w)."""
    maps = torch.from_numpy(scores)
    best, second = maps[0].clone(), torch.full_like(maps[0], -torch.inf)
    for later in maps[1:]:
        second = torch.maximum(second, torch.minimum(best, later))
        torch.maximum(best, later, out=best)
    total = (maps - best).exp_().sum(0)
    return ((1 - (second - best).exp_()) / total).numpy()
