"""Where the contrast of a whole image lies: the units in which our own backbones count grey values."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from patchfield.images import ModelImage

Reference = Literal["middle", "median"]
"""What intensities are counted from: the middle between the darkest and brightest values of an image, all channels
together; or, as in version 1 of the filter bank, the median of each channel, which moves with what an image shows.
"""

_PERCENTILES = (1, 99)
_EXTREMES = (0.5, 99.5)
_LATTICE = 512
"""Reference and range are those of a lattice of at most this many rows and columns."""

_MAX_DEVIATION = 8.0
"""Intensities end at this many ranges from the reference (a few bright spots on black have hardly any range)."""


@dataclass(frozen=True)
class ImageContrast:
    """Reference and range of an image.

    Attributes
    ----------
    centre : (float, float, float)
        What each channel is counted from, 0 to 1.
    contrast : float
        Between the 1st and the 99th percentile of the channels' mean.
    """

    centre: tuple[float, float, float] = (0.5, 0.5, 0.5)
    contrast: float = 1.0

    def normalised(self, batch: Tensor) -> Tensor:
        """Crops (B, 3, h, w) with values 0 to 1, counted from the centre in units of the contrast."""
        centre = torch.tensor(self.centre, device=batch.device)[:, None, None]
        return ((batch - centre) / self.contrast).clamp_(-_MAX_DEVIATION, _MAX_DEVIATION)


def contrast_of(pixels: NDArray[np.float32], reference: Reference = "middle") -> ImageContrast:
    """The contrast of pixels (h, w, 3) with values 0 to 1."""
    centre = np.median(pixels, axis=(0, 1)) if reference == "median" else np.full(3, _middle(pixels))
    return ImageContrast(tuple(centre.tolist()), _range(pixels.mean(-1)))


def measure_contrast(image: ModelImage, reference: Reference = "middle") -> ImageContrast:
    """The contrast of an image, from a lattice of its pixels."""
    step = -(-max(image.shape) // _LATTICE)
    return contrast_of(replace(image, pixels=image.pixels[::step, ::step]).whole(), reference)


def _middle(values: NDArray[np.float32]) -> float:
    """Halfway between the darkest and the brightest values, all channels together."""
    low, high = np.percentile(values, _EXTREMES)
    return float(low + high) / 2


def _range(grey: NDArray[np.float32]) -> float:
    """Range of the values; for nearly empty images that of the extremes; 1 for constant ones."""
    low, high = np.percentile(grey, _PERCENTILES)
    return float(high - low) or float(np.ptp(grey)) or 1.0
