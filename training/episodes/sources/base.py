"""What every source of episodes is, and what sources share: magnifications, units, classes that can be painted."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch

from patchfield.backbones.contrast import ImageContrast, Reference, contrast_of
from training.episodes.scene import Mask, Pair, Pixels
from training.errors import require

_MIN_SHARE = 0.004
"""A class that is to be painted covers at least this share of the first image."""


class Source(ABC):
    """Pairs of images of one kind."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What messages call it."""

    @abstractmethod
    def pair(self, side: int, rng: np.random.Generator) -> Pair:
        """Two images of `side` x `side` pixels with masks whose classes may differ."""


@dataclass(frozen=True)
class Magnification:
    """How crops are magnified: the first image by a factor between these, the second by nearly the same.

    Attributes
    ----------
    low, high : float
    deviation : float
        Of the logarithm of the second image's magnification relative to the first's.
    far : float
        Share of pairs whose magnifications differ by more.
    far_deviation : float
        The deviation of these.
    """

    low: float = 0.6
    high: float = 1.8
    deviation: float = 0.12
    far: float = 0.0
    far_deviation: float = 0.35

    def __post_init__(self) -> None:
        require(0 < self.low <= self.high < math.inf, "magnification must be two positive numbers, the smaller first")
        require(0 <= self.deviation < math.inf, "magnification.deviation must be at least 0")
        require(0 <= self.far <= 1, "magnification.far must lie between 0 and 1")
        require(0 <= self.far_deviation < math.inf, "magnification.far_deviation must be at least 0")

    def draw(self, rng: np.random.Generator) -> tuple[float, float]:
        first = float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))
        deviation = self.far_deviation if self.far and rng.random() < self.far else self.deviation
        return first, first * float(np.exp(rng.normal(0, deviation)))


def in_contrast(image: Pixels, contrast: ImageContrast | Reference) -> Pixels:
    """An image (H, W, 3) in units of a contrast: that of the whole image, or its own, counted from a reference."""
    crop = torch.from_numpy(image).permute(2, 0, 1)[None]
    known = contrast if isinstance(contrast, ImageContrast) else contrast_of(image, contrast)
    return known.normalised(crop)[0].permute(1, 2, 0).numpy()


def paintable(mask: Mask) -> list[int]:
    """Classes that cover enough of a mask to be painted."""
    counts = np.bincount(mask.ravel())
    counts[0] = 0
    return np.flatnonzero(counts >= max(1, _MIN_SHARE * mask.size)).tolist()
