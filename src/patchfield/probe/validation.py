"""How well a probe predicts strokes it has not seen: the agreement figure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from patchfield.probe.labels import Integers, LabelSamples, choose_samples
from patchfield.probe.linear import LabelledField, LinearProbe, labelled_strokes
from patchfield.probe.solver import fit_softmax

MIN_STROKES = 3
"""Strokes of each class below which a held-out figure says more about luck than about the probe."""

_MAX_FOLDS = 4
_SAMPLES_PER_CLASS = 500
"""Enough to tell how far unseen strokes are predicted, at a fraction of the time of a full fit."""

_TOLERANCE = 1e-2
"""Fits need only be close enough for the classes to be right: tighter moves the figure by less than 0.002."""


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
    """

    mean: float
    per_class: dict[int, float]
    strokes: int


def stroke_agreement(pairs: Sequence[LabelledField], probe: LinearProbe | None = None) -> Agreement | None:
    """Cross-validate by holding out whole strokes.

    Pixels of one stroke resemble each other, so that holding out single pixels would flatter; strokes are held out
    whole, a third or a quarter of each class at a time. Even so this is the agreement with what was painted, and says
    nothing about places that nobody painted.

    Parameters
    ----------
    pairs : sequence of (FeatureField, (H, W) array)
        As for :meth:`LinearProbe.fit`.
    probe : LinearProbe, optional
        Whose settings are judged, and whose remembered features serve again. It is not changed.

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
    >>> stroke_agreement([(pf.extract(image, "filters"), labels)]).mean
    1.0
    """
    probe = probe or LinearProbe()
    fields, strokes = labelled_strokes(pairs)
    samples = choose_samples(strokes, min(_SAMPLES_PER_CLASS, probe.samples_per_class), probe.seed)
    values, classes = np.unique(samples.values, return_inverse=True)
    counts = [len(np.unique(samples.strokes[classes == k])) for k in range(len(values))]
    if len(values) < 2 or min(counts) < MIN_STROKES:
        return None
    features = np.concatenate(probe.cache.of_samples(fields, samples))
    folds = _folds(samples, classes, min(_MAX_FOLDS, *counts))
    right = np.zeros(len(classes), bool)
    for fold in np.unique(folds):
        held_out = folds == fold
        scores = fit_softmax([features[~held_out]], classes[~held_out], probe.l2, tolerance=_TOLERANCE)
        predicted = (features[held_out] @ scores.weights + scores.bias).argmax(1)
        right[held_out] = predicted == classes[held_out]
    shares = {int(value): float(right[classes == k].mean()) for k, value in enumerate(values)}
    return Agreement(float(np.mean(list(shares.values()))), shares, sum(counts))


def _folds(samples: LabelSamples, classes: Integers, count: int) -> Integers:
    """The fold of each sample: the strokes of each class are dealt in turn, so that every fold has some of each."""
    folds = np.empty(len(classes), np.int64)
    for k in range(classes.max() + 1):
        mine = classes == k
        folds[mine] = np.unique(samples.strokes[mine], return_inverse=True)[1] % count
    return folds
