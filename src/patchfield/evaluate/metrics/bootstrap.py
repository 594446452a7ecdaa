"""Is one backbone better than another, or were they lucky with the images? A paired bootstrap over images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, t

from patchfield.errors import PatchfieldError

MIN_IMAGES = 6
"""With fewer images not even unanimity is evidence: n coins agree with probability 2 ** (1 - n), 6 % for five."""


@dataclass(frozen=True)
class Difference:
    """A mean difference ``after - before`` with its confidence interval.

    Attributes
    ----------
    mean, low, high : float
        Mean over the images and the ends of the interval.
    count : int
        Number of images.
    confidence : float
        Coverage of the interval, 0.95 for 95 %.
    """

    mean: float
    low: float
    high: float
    count: int
    confidence: float

    @property
    def measurable(self) -> bool:
        """Whether the interval excludes zero and enough images were compared to say so."""
        return self.count >= MIN_IMAGES and (self.low > 0 or self.high < 0)

    @property
    def verdict(self) -> str:
        """One of "higher", "lower", "no measurable change", "too few images"."""
        if self.count < MIN_IMAGES:
            return "too few images"
        if not self.measurable:
            return "no measurable change"
        return "higher" if self.mean > 0 else "lower"


def paired_bootstrap(
    before: ArrayLike,
    after: ArrayLike,
    groups: ArrayLike | None = None,
    resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Difference:
    """Bootstrap interval of the mean difference of two scores that were taken on the same images.

    Images are resampled with replacement, both scores of an image together. The plain percentile interval is too narrow
    for the handful of images of a micrograph set; this is the expanded percentile interval (Hesterberg, The American
    Statistician 69, 2015, section 5): deviations grow by ``sqrt(n / (n - 1))`` and the quantiles are those at which a
    normal distribution reaches the limits of Student's t. For many images it is the percentile interval.

    Parameters
    ----------
    before, after : (n,) float
        One score per image, in the same order. Average over seeds first: seeds are not further images.
    groups : (n,) optional
        Data set of each image. Images are then resampled within each set, and the mean is that of the sets' means, so
        that a set with many images does not outvote the others. A set of a single image adds nothing to the width of
        the interval: its own spread is unknown.
    resamples : int
        Number of resamples.
    confidence : float
        Coverage of the interval.
    seed : int
        Of the resampling.

    Returns
    -------
    Difference

    Raises
    ------
    PatchfieldError
        The scores are not two lists of equal, positive length without NaN.

    Examples
    --------
    >>> paired_bootstrap([0.5, 0.6, 0.4, 0.5, 0.7, 0.6], [0.6, 0.7, 0.6, 0.6, 0.8, 0.7]).verdict
    'higher'
    """
    before, after = np.asarray(before, float), np.asarray(after, float)
    difference = after - before if before.shape == after.shape else np.array(np.nan)
    if difference.ndim != 1 or not difference.size or np.isnan(difference).any():
        raise PatchfieldError(
            f"paired scores are needed, one before and one after for each image, but there are {before.shape} "
            f"and {after.shape}, or some are missing: score both on the same images."
        )
    generator = np.random.default_rng(seed)
    strata = _strata(difference, groups)
    means = np.mean([_resampled_means(stratum, resamples, generator) for stratum in strata], axis=0)
    degrees = max(1, difference.size - len(strata))
    tail = norm.cdf(t.ppf((1 - confidence) / 2, degrees))
    low, high = np.quantile(means, [tail, 1 - tail])
    mean = np.mean([stratum.mean() for stratum in strata])
    return Difference(float(mean), float(low), float(high), difference.size, confidence)


def _strata(difference: NDArray[np.float64], groups: ArrayLike | None) -> list[NDArray[np.float64]]:
    if groups is None:
        return [difference]
    groups = np.asarray(groups)
    return [difference[groups == group] for group in np.unique(groups)]


def _resampled_means(
    values: NDArray[np.float64], resamples: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Expanded means of resamples; their counts are multinomial, which needs no (resamples, n) index array."""
    count, mean = values.size, values.mean()
    counts = generator.multinomial(count, np.full(count, 1 / count), size=resamples)
    expansion = np.sqrt(count / max(1, count - 1))
    means: NDArray[np.float64] = mean + expansion * (counts @ (values - mean)) / count
    return means
