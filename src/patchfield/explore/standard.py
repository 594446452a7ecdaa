"""Features of some pixels, standardised: what all exploration starts from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from patchfield.errors import FieldError
from patchfield.field import FeatureField

SAMPLES = 20_000
"""Pixels that components and clusters are fitted to: their directions are stable from a few thousand on."""


@dataclass(frozen=True, eq=False)
class Standard:
    """Mean and deviation of each channel over sampled pixels.

    Channels of different backbones, or of different filters, have different units; standardised they count alike.

    Attributes
    ----------
    mean, scale : (channels,) float64 arrays
        A constant channel has scale 1.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> "Standard":
        """The statistics of features (n, channels)."""
        mean, deviation = features.mean(0, dtype=np.float64), features.std(0, dtype=np.float64)
        constant = deviation <= 1e-6 * np.abs(mean)
        return cls(mean, np.where(constant, 1.0, np.where(deviation > 0, deviation, 1.0)))

    def standardise(self, features: np.ndarray) -> np.ndarray:
        """Features (n, channels) with mean 0 and deviation 1."""
        return (features - self.mean) / self.scale

    def fold(self, weights: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights (channels, K) and bias (K,) for standardised features as those for raw ones, float32."""
        raw = weights / self.scale[:, None]
        return raw.astype(np.float32), (bias - self.mean @ raw).astype(np.float32)


def sample_pixels(fields: FeatureField | Sequence[FeatureField], count: int, seed: int = 0) -> np.ndarray:
    """Features of about `count` random pixels, as many from each field, (n, channels) float32.

    Raises
    ------
    FieldError
        When there are no fields, or they have different channels.
    """
    fields = [fields] if isinstance(fields, FeatureField) else list(fields)
    if len({field.channels for field in fields}) != 1:
        raise FieldError(
            "To explore images together, extract all of their fields with the same backbone (at least one)."
        )
    rng = np.random.default_rng(seed)
    parts = []
    for field in fields:
        height, width = field.shape
        pixels = rng.choice(height * width, min(max(1, count // len(fields)), height * width), replace=False)
        parts.append(field.sample(*np.unravel_index(np.sort(pixels), field.shape)))
    return np.concatenate(parts)
