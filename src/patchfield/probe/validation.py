"""How well a probe predicts strokes it has not seen: the agreement figure, and where it is not reached."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from patchfield.probe.kept import KeptSamples
from patchfield.probe.labels import Integers
from patchfield.probe.linear import LinearProbe
from patchfield.probe.material import LabelledField, Material
from patchfield.probe.solver import LinearMap, fit_softmax
from patchfield.probe.training_image import TrainingImage

MIN_STROKES = 3
"""Strokes of each class below which a held-out figure says more about luck than about the probe."""

_MAX_FOLDS = 4
_SAMPLES_PER_CLASS = 500
"""Enough to tell how far unseen strokes are predicted, at a fraction of the time of a full fit."""

_TOLERANCE = 1e-2
"""Fits need only be close enough for the classes to be right: tighter moves the figure by less than 0.002."""


@dataclass(frozen=True)
class StrokeResult:
    """What a probe that did not know a stroke made of it.

    Attributes
    ----------
    pair : int or None
        Position of its labels among the pairs given; None for a stroke of an earlier day that the probe keeps.
    image : TrainingImage
        What is known of its image.
    centre : (int, int)
        Row and column of a pixel of the stroke, the nearest to its middle.
    value : int
        Label it was painted with.
    predicted : int
        Label that most of its pixels were given.
    right : float
        Share of its pixels that were given the label painted, 0 to 1.
    """

    pair: int | None
    image: TrainingImage
    centre: tuple[int, int]
    value: int
    predicted: int
    right: float

    @property
    def disagrees(self) -> bool:
        """Whether most of it was taken for another class."""
        return self.predicted != self.value


@dataclass(frozen=True)
class Agreement:
    """How well whole strokes are predicted from the other strokes.

    Attributes
    ----------
    mean : float
        Mean over classes of the share of held-out pixels that are predicted right, 0 to 1 (balanced accuracy).
    per_class : dict of int to float
        That share for each class, by label value.
    strokes : int
        How many strokes were held out, each of them once.
    confusion : (K, K) int64 array
        Held-out pixels by the class painted (row) and the class predicted (column), classes in the order of
        `per_class`. Pixels are those used, at most 500 of each class.
    results : tuple of StrokeResult
        Every stroke, the worst first.
    """

    mean: float
    per_class: dict[int, float]
    strokes: int
    confusion: Integers = field(default_factory=lambda: np.zeros((0, 0), np.int64), compare=False, repr=False)
    results: tuple[StrokeResult, ...] = field(default=(), repr=False)

    @property
    def disagreeing(self) -> tuple[StrokeResult, ...]:
        """Strokes of which most was taken for another class, the worst first: where to look, or to paint more."""
        return tuple(result for result in self.results if result.disagrees)

    def confusions(self) -> list[tuple[int, int, float]]:
        """(painted, predicted, share of the pixels painted) of what is mistaken for what, the worst first.

        Examples
        --------
        >>> Agreement(0.75, {1: 1.0, 4: 0.5}, 6, np.array([[8, 0], [3, 3]])).confusions()
        [(4, 1, 0.5)]
        """
        values = list(self.per_class)
        shares = self.confusion / np.maximum(self.confusion.sum(1, keepdims=True), 1)
        found = [
            (values[painted], values[predicted], float(shares[painted, predicted]))
            for painted, predicted in zip(*np.nonzero(self.confusion), strict=True)
            if painted != predicted
        ]
        return sorted(found, key=lambda entry: -entry[2])


@dataclass(frozen=True, eq=False)
class Evidence:
    """Samples of strokes, dealt into folds.

    Attributes
    ----------
    samples : KeptSamples
        Where they were painted, in the order of the strokes of the pairs, and of those that are kept.
    features : (n, channels) float32 array
    values : (K,) int64 array
        Label of each class.
    classes : (n,) int64 array
        Class of each sample, as its position in `values`.
    folds : (n,) int64 array
    pairs : dict of int to int
        Position among the pairs of images (as positions in `samples.sources`) that were given.
    """

    samples: KeptSamples
    features: NDArray[np.float32]
    values: Integers
    classes: Integers
    folds: Integers
    pairs: dict[int, int]

    @classmethod
    def from_strokes(
        cls, pairs: Sequence[LabelledField], probe: LinearProbe, images: Sequence[TrainingImage] = ()
    ) -> Self | None:
        """What is painted, and what a probe keeps; None until there are two classes and each has three strokes."""
        per_class = min(_SAMPLES_PER_CLASS, probe.samples_per_class)
        # Every pair is an image of its own here, and images of one id must not be joined.
        numbered = [TrainingImage(str(number)) for number in range(len(pairs))]
        material = Material.from_pairs(pairs, numbered, per_class, probe.seed, probe.cache)
        given = KeptSamples.from_material(material)
        everything = images or [TrainingImage()] * len(pairs)
        kept = probe.kept.unpainted(material.strokes, [everything[int(image.id)] for image in material.images])
        painted = [int(image.id) for image in given.sources]
        features = list(material.features)
        if len(kept):
            features.append(kept.features.astype(np.float32))
        values, classes = np.unique(np.concatenate([given.values, kept.values]), return_inverse=True)
        samples = _one_after_the_other(given, kept, tuple(everything[number] for number in painted))
        counts = [len(np.unique(samples.strokes[classes == k])) for k in range(len(values))]
        if len(values) < 2 or min(counts) < MIN_STROKES:
            return None
        folds = _folds(samples.strokes, classes, min(_MAX_FOLDS, *counts))
        return cls(samples, np.concatenate(features), values, classes, folds, dict(enumerate(painted)))

    def fits(self, l2: float, start: Sequence[LinearMap] | None = None) -> list[LinearMap]:
        """Class scores learned without each of the folds."""
        learned = []
        for fold in range(int(self.folds.max()) + 1):
            known = self.folds != fold
            first = None if start is None else start[fold]
            learned.append(fit_softmax([self.features[known]], self.classes[known], l2, first, _TOLERANCE))
        return learned

    def predictions(self, fits: Sequence[LinearMap]) -> Integers:
        """Class of each sample (position in `values`) according to the fit that did not know its stroke."""
        predicted = np.empty(len(self.classes), np.int64)
        for fold, scores in enumerate(fits):
            held_out = self.folds == fold
            predicted[held_out] = (self.features[held_out] @ scores.weights + scores.bias).argmax(1)
        return predicted

    def shares_right(self, predicted: Integers) -> list[float]:
        """Share of the samples of each class that are predicted right."""
        right = predicted == self.classes
        return [float(right[self.classes == k].mean()) for k in range(len(self.values))]


def stroke_agreement(
    pairs: Sequence[LabelledField], probe: LinearProbe | None = None, images: Sequence[TrainingImage] = ()
) -> Agreement | None:
    """Cross-validate by holding out whole strokes.

    Pixels of one stroke resemble each other, so that holding out single pixels would flatter; strokes are held out
    whole, a third or a quarter of each class at a time. Even so this is the agreement with what was painted, and says
    nothing about places that nobody painted.

    Parameters
    ----------
    pairs : sequence of (FeatureField, (H, W) array)
        As for :meth:`LinearProbe.fit`.
    probe : LinearProbe, optional
        Whose settings are judged, whose remembered features serve again, and whose kept strokes are held out, too. It
        is not changed.
    images : sequence of TrainingImage, optional
        As for :meth:`LinearProbe.fit`.

    Returns
    -------
    Agreement or None
        None until there are two classes and each has three strokes.

    Raises
    ------
    LabelError
        When labels do not fit their image.

    Examples
    --------
    >>> import patchfield as pf
    >>> image, labels = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    >>> image[:, 32:] = 200
    >>> labels[[10, 30, 50], 4:20], labels[[10, 30, 50], 44:60] = 1, 2
    >>> labels[40, 4:20] = 2                                     # a stroke of the wrong class
    >>> agreement = stroke_agreement([(pf.extract(image, "filters"), labels)])
    >>> agreement.per_class, agreement.confusion.tolist()
    ({1: 1.0, 2: 0.75}, [[48, 0], [16, 48]])
    >>> [(stroke.centre, stroke.predicted) for stroke in agreement.disagreeing]
    [((40, 11), 1)]
    """
    probe = probe or LinearProbe()
    evidence = Evidence.from_strokes(pairs, probe, images)
    if evidence is None:
        return None
    predicted = evidence.predictions(evidence.fits(probe.l2))
    shares = evidence.shares_right(predicted)
    count = len(evidence.values)
    confusion = np.bincount(evidence.classes * count + predicted, minlength=count**2).reshape(count, count)
    results = _stroke_results(evidence, predicted)
    per_class = {int(value): share for value, share in zip(evidence.values, shares, strict=True)}
    return Agreement(float(np.mean(shares)), per_class, len(results), confusion.astype(np.int64), results)


def _stroke_results(evidence: Evidence, predicted: Integers) -> tuple[StrokeResult, ...]:
    samples, results = evidence.samples, []
    order = np.argsort(samples.strokes, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(samples.strokes[order])) + 1):
        given = predicted[members]
        image, truth = int(samples.images[members[0]]), evidence.classes[members[0]]
        results.append(
            StrokeResult(
                pair=evidence.pairs.get(image),
                image=samples.sources[image],
                centre=_middle(samples.rows[members], samples.columns[members]),
                value=int(evidence.values[truth]),
                predicted=int(evidence.values[np.bincount(given).argmax()]),
                right=float((given == truth).mean()),
            )
        )
    return tuple(sorted(results, key=lambda result: result.right))


def _middle(rows: Integers, columns: Integers) -> tuple[int, int]:
    """The one of some pixels that is nearest to their mean."""
    nearest = int(((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2).argmin())
    return int(rows[nearest]), int(columns[nearest])


def _one_after_the_other(given: KeptSamples, kept: KeptSamples, images: tuple[TrainingImage, ...]) -> KeptSamples:
    """Samples of the images that are given, and after them the kept ones, as images of their own."""
    first = int(given.strokes.max()) + 1 if len(given) else 0
    return KeptSamples(
        values=np.concatenate([given.values, kept.values]),
        images=np.concatenate([given.images, kept.images + len(images)]),
        strokes=np.concatenate([given.strokes, kept.strokes + first]),
        rows=np.concatenate([given.rows, kept.rows]),
        columns=np.concatenate([given.columns, kept.columns]),
        sizes=np.concatenate([given.sizes, kept.sizes]),
        sources=(*images, *kept.sources),
    )


def _folds(strokes: Integers, classes: Integers, count: int) -> Integers:
    """The fold of each sample: the strokes of each class are dealt in turn, so that every fold has some of each."""
    folds = np.empty(len(classes), np.int64)
    for k in range(classes.max() + 1):
        mine = classes == k
        folds[mine] = np.unique(strokes[mine], return_inverse=True)[1] % count
    return folds
