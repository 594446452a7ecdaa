"""Features of some pixels, standardised: what all exploration starts from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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

    Examples
    --------
    >>> import numpy as np
    >>> standard = Standard.from_features(np.array([[1, 5], [3, 5]], np.float32))
    >>> standard.standardise(np.array([[4, 5]], np.float32))
    array([[2., 0.]])
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def from_features(cls, features: NDArray[np.float32]) -> "Standard":
        """The statistics of features (n, channels)."""
        mean, deviation = features.mean(0, dtype=np.float64), features.std(0, dtype=np.float64)
        constant = deviation <= 1e-6 * np.abs(mean)
        return cls(mean, np.where(constant, 1.0, np.where(deviation > 0, deviation, 1.0)))

    def standardise(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Features (n, channels) with mean 0 and deviation 1."""
        return (features - self.mean) / self.scale

    def fold(
        self, weights: NDArray[np.float64], bias: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weights (channels, K) and bias (K,) for standardised features as those for raw ones, float32."""
        raw = weights / self.scale[:, None]
        return raw.astype(np.float32), (bias - self.mean @ raw).astype(np.float32)


def sample_pixels(fields: FeatureField | Sequence[FeatureField], count: int, seed: int = 0) -> NDArray[np.float32]:
    """Features of about `count` random pixels, as many from each field, (n, channels) float32.

    Pixels without a value (NaN in the image) are never among them.

    Raises
    ------
    FieldError
        When there are no fields, they have different channels, or no pixel has a value.
    """
    fields = [fields] if isinstance(fields, FeatureField) else list(fields)
    if len({field.channels for field in fields}) != 1:
        raise FieldError(
            "To explore images together, extract all of their fields with the same backbone (at least one)."
        )
    rng = np.random.default_rng(seed)
    parts = []
    for field in fields:
        known = field.shape[0] * field.shape[1] if field.missing is None else np.flatnonzero(~field.missing)
        number = min(max(1, count // len(fields)), known if isinstance(known, int) else len(known))
        pixels = rng.choice(known, number, replace=False)
        parts.append(field.sample(*np.unravel_index(np.sort(pixels), field.shape)))
    features = np.concatenate(parts)
    if not len(features):
        raise FieldError("There is nothing to explore: no pixel of the image has a value (all are NaN).")
    return features
