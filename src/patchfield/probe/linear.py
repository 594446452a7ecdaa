"""The linear probe: a few painted pixels of some fields -> a class at every pixel of any field."""

import hashlib
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from patchfield.errors import ProbeError
from patchfield.field import FeatureField, FeatureRecipe, Region
from patchfield.images import Calibration
from patchfield.objects.cleaning import Cleaning, clean
from patchfield.probe import maps
from patchfield.probe.classes import ClassInfo
from patchfield.probe.feature_cache import FeatureCache
from patchfield.probe.file import read_probe, write_probe
from patchfield.probe.kept import KeptSamples
from patchfield.probe.labels import Integers
from patchfield.probe.learning import learned
from patchfield.probe.material import LabelledField, Material
from patchfield.probe.solver import LinearMap
from patchfield.probe.trained import Trained, TrainingFacts, alike, fingerprints, summary
from patchfield.probe.training_image import PixelSizeMismatch, TrainingImage, mismatch

DEFAULT_L2 = 0.01
"""On the stroke benchmark 0.003 to 0.03 give `micro` the same mean IoU within 0.01; 0.3 costs it 0.05."""

DEFAULT_SAMPLES_PER_CLASS = 2000


class LinearProbe:
    """Multinomial logistic regression from features to painted classes.

    Features are standardised, classes weigh the same however much of them is painted, and weights are penalised
    (see :mod:`patchfield.probe.solver` for the objective). All of it ends in one small matrix, so that a field is
    segmented by one projection. For an image that was not painted, the matrix does without the direction in which the
    image lies elsewhere as a whole (:mod:`patchfield.probe.shift`).

    Parameters
    ----------
    l2 : float
        Strength of the penalty on squared weights, relative to the mean loss of a sample: scikit-learn's
        ``C = 1 / (l2 * samples)``.
    samples_per_class : int
        Pixels of a class beyond which only some are used, spread over images and strokes.
    seed : int
        Which pixels those are.
    finishing : Cleaning, optional
        What is done to every segmentation that it makes; nothing by default. It may be set at any time.

    Attributes
    ----------
    values : (K,) int64 array
        Label value of each class, ascending.
    weights : (channels, K) float32 array
    bias : (K,) float32 array
        Class scores of a feature of a painted image are ``feature @ weights + bias``; the softmax of the scores is the
        probability.
    classes : dict of int to ClassInfo
        Name and colour, by label value.
    recipes : tuple of FeatureRecipe
        How the features it knows were made.
    training : TrainingFacts
    kept : KeptSamples
        What was painted before it was saved and loaded, which it goes on learning from; none of a new probe.
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
        self,
        l2: float = DEFAULT_L2,
        samples_per_class: int = DEFAULT_SAMPLES_PER_CLASS,
        seed: int = 0,
        finishing: Cleaning | None = None,
    ) -> None:
        if not l2 > 0 or samples_per_class < 1:
            raise ProbeError(
                f"A probe needs a positive penalty and at least one sample per class, not {l2} and {samples_per_class}."
            )
        self.l2, self.samples_per_class, self.seed = l2, samples_per_class, seed
        self.finishing = finishing or Cleaning()
        self.cache = FeatureCache()
        self.kept = KeptSamples()
        self._latest: Material | None = None
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
        return self._hash((sorted(self.classes.items()), self.recipes))

    @property
    def identity(self) -> str:
        """Short hash of what decides the pixels of its segmentations; that of names and colours is `fingerprint`."""
        return self._hash(fingerprints(self.recipes))

    @property
    def samples(self) -> KeptSamples:
        """What it would go on from if it were saved and loaded: kept samples, and those of the last fit."""
        latest = KeptSamples() if self._latest is None else KeptSamples.from_material(self._latest)
        return self.kept.joined(latest).thinned(self.seed)

    def fit(
        self,
        pairs: Sequence[LabelledField],
        classes: Mapping[int, ClassInfo] | None = None,
        images: Sequence[TrainingImage] = (),
    ) -> "LinearProbe":
        """Learn the painted classes, from where the last fit ended.

        A probe that was loaded learns from its kept samples as well: strokes correct it, and may be of one class only,
        or of a new one. The pairs of an earlier fit of this probe are forgotten, unless they are given again.

        Parameters
        ----------
        pairs : sequence of (FeatureField, (H, W) array)
            Fields of some images and their labels: integers, 0 = unlabelled. Values need not be contiguous.
        classes : dict of int to ClassInfo, optional
            Names and colours; those of the last fit, or defaults, for values that are not given.
        images : sequence of TrainingImage, optional
            What is known of the image of each pair. Where an image is one that samples were kept of, those of its
            pixels that are painted now are dropped for good: strokes that are loaded again do not count twice.

        Returns
        -------
        LinearProbe
            The probe itself.

        Raises
        ------
        LabelError
            When fewer than two classes are painted, or labels do not fit their image.
        ProbeError
            When the fields were made by different backbones, or by another one than the kept samples.

        Examples
        --------
        >>> import tempfile, patchfield as pf
        >>> image, labels = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
        >>> image[:, 32:] = 200
        >>> labels[10:20, 5], labels[10:20, 60] = 3, 7
        >>> field = pf.extract(image, "filters")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pf.LinearProbe().fit([(field, labels)]).save(Path(folder) / "a.probe")
        ...     probe = pf.LinearProbe.load(Path(folder) / "a.probe")
        >>> correction = np.zeros((64, 64), np.uint8)
        >>> correction[40:44, 40] = 7
        >>> probe.fit([(field, correction)]).training.strokes
        {3: 1, 7: 2}
        """
        return self.learn(Material.from_pairs(pairs, images, self.samples_per_class, self.seed, self.cache), classes)

    def learn(self, material: Material, classes: Mapping[int, ClassInfo] | None = None) -> "LinearProbe":
        """As :meth:`fit`, with features that are sampled already: the fields need not be in memory together.

        Raises
        ------
        LabelError
            When fewer than two classes are painted, or too many.
        ProbeError
            When the features are of another backbone than the kept samples.
        """
        kept = self.kept.unpainted(material.strokes, material.images)
        self._trained = learned(material, kept, self._trained, self.l2, classes)
        self.kept, self._latest = kept, material
        return self

    def named(self, classes: Mapping[int, ClassInfo]) -> "LinearProbe":
        """A copy with other names and colours, where they are given; it shares all that was learned."""
        known = self._knowledge()
        named = copy(self)
        named._trained = replace(
            known, classes={value: classes.get(value, info) for value, info in known.classes.items()}
        )
        return named

    def remove_class(self, value: int) -> "LinearProbe":
        """Forget a class: its samples, and what was learned of it.

        Raises
        ------
        LabelError
            When fewer than two classes are left.
        ProbeError
            When the probe does not know the class, or was saved by a Patchfield that kept no samples.
        """
        return self._relabelled({value: 0})

    def merge_classes(self, value: int, into: int) -> "LinearProbe":
        """Make one class of two: what was painted as `value` counts as `into`, which keeps its name.

        Raises
        ------
        LabelError
            When fewer than two classes are left.
        ProbeError
            When the probe does not know the classes, or was saved by a Patchfield that kept no samples.
        """
        self._check_known(into)
        return self._relabelled({value: into})

    def pixel_size_mismatch(self, calibration: Calibration | None, zoom: float = 1.0) -> PixelSizeMismatch | None:
        """Whether an image is of another magnification than those the probe was trained on.

        None where the pixels' sizes are within a factor of 1.5, and where either is not known. An image that is seen
        enlarged by `zoom` (:class:`patchfield.ImageSettings`) is compared as it is seen.
        """
        return mismatch(calibration, self._knowledge().facts.pixel_size, zoom)

    def segment(self, field: FeatureField, region: Region | None = None) -> NDArray[np.unsignedinteger]:
        """The most probable class at every pixel, finished as `finishing` says; 0 where the image has no value.

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
        if self.finishing == Cleaning():
            return self.most_probable(field, region)
        # What becomes of a pixel depends on pixels far away.
        return clean(self.most_probable(field), self.finishing)[region or ...]

    def most_probable(self, field: FeatureField, region: Region | None = None) -> NDArray[np.unsignedinteger]:
        """As :meth:`segment`, before it is finished.

        Raises
        ------
        ProbeError
            As :meth:`segment`.
        """
        return maps.most_probable(self.scores_on(field), self.values, field, region)

    def probabilities(self, field: FeatureField, region: Region | None = None) -> NDArray[np.float32]:
        """Probability of each class at every pixel: (K, H, W) float32, in the order of `values`.

        All are 0 where the image has no value.

        Raises
        ------
        ProbeError
            As :meth:`segment`.
        """
        return maps.probabilities(self.scores_on(field), field, region)

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
        return maps.uncertainty(self.scores_on(field), field, region)

    def scores_on(self, field: FeatureField) -> LinearMap:
        """Class scores for the pixels of an image: those of :attr:`weights` and :attr:`bias` for painted images.

        For another image they do without the direction in which it lies elsewhere as a whole; see
        :mod:`patchfield.probe.shift`.

        Raises
        ------
        ProbeError
            As :meth:`segment`.
        """
        return self._knowledge_for(field).scores_on(field)

    def save(self, path: str | Path) -> None:
        """Write the probe to one file, whole or not at all; see :mod:`patchfield.probe.file`.

        Raises
        ------
        ProbeError
            When the probe is not fitted.
        """
        settings = {"l2": self.l2, "samples_per_class": self.samples_per_class, "seed": self.seed}
        write_probe(path, self._knowledge(), settings, self.samples, self.finishing)

    @staticmethod
    def load(path: str | Path) -> "LinearProbe":
        """Read a probe that :meth:`save` wrote; what it was trained on are its kept samples.

        Raises
        ------
        ProbeError
            When the file is missing, damaged, no probe, or of a newer version.
        """
        trained, settings, kept, finishing = read_probe(path)
        probe = LinearProbe(**settings, finishing=finishing)
        probe._trained, probe.kept = trained, kept
        return probe

    def _knowledge(self) -> Trained:
        if self._trained is None:
            raise ProbeError("The probe has not learned anything yet: fit it to labels of two classes first.")
        return self._trained

    def _hash(self, what: object) -> str:
        known = self._knowledge()
        numbers = (known.values, known.scores.weights, known.scores.bias)
        digest = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in numbers))
        if known.shift is not None:
            digest.update(known.shift.centres.tobytes())
        if self.finishing != Cleaning():
            digest.update(repr(self.finishing).encode())
        digest.update(repr(what).encode())
        return digest.hexdigest()[:16]

    def _relabelled(self, changes: Mapping[int, int]) -> "LinearProbe":
        for value in changes:
            self._check_known(value)
        recipes, nothing = self._knowledge().recipes, Material.from_pairs([], (), 1, 0, self.cache)
        latest = replace(nothing, recipes=recipes) if self._latest is None else self._latest
        if not len(self.kept) and not len(latest.samples.values):
            raise ProbeError("The probe keeps no samples, so that its classes cannot be changed: train it again.")
        changed = copy(self)
        changed.kept = self.kept.relabelled(changes)
        changed.learn(latest.relabelled(changes))
        self.kept, self._latest, self._trained = changed.kept, changed._latest, changed._trained
        return self

    def _check_known(self, value: int) -> None:
        if value not in self._knowledge().classes:
            known = ", ".join(map(str, self._knowledge().values))
            raise ProbeError(f"The probe has no class {value}: its classes are {known}.")

    def _knowledge_for(self, field: FeatureField) -> Trained:
        """What the probe knows, once it is clear that it was learned from such features."""
        known = self._knowledge()
        channels = len(known.scores.weights)
        if not alike(known.recipes, channels, field.recipes, field.channels):
            raise ProbeError(
                f"The probe was trained on features of {summary(known.recipes, channels)} and cannot be used on "
                f"those of {summary(field.recipes, field.channels)}: extract the image with "
                "Extractor.load(probe.recipes).field(image), or train a new probe."
            )
        return known
