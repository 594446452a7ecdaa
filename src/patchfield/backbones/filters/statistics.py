"""What the filter bank knows of a whole image: where its contrast lies and how strong its structure is.

Images of one set differ in brightness, contrast and sharpness more than their classes differ, and a linear probe takes
each difference for what it was trained on. So intensities are counted from the image's median in units of its own
range, and the energy of each scale in units of the image's own mean energy at that scale.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from patchfield.backbones.filters.scales import EDGE_SIGMAS, gradient_magnitude, scale_space
from patchfield.images import ModelImage

_PERCENTILES = (1, 99)
_LATTICE = 512
"""Median and range are those of a lattice of at most this many rows and columns."""

_WINDOW, _WINDOWS = 256, 4
"""Energies are means over at most 4 x 4 windows of at most this many pixels' side: a megapixel."""

_LEAST_ENERGY = 1e-3
"""Of the range of the image: weaker mean gradients are rounding, and are not amplified."""

_FARTHEST = 8.0
"""Intensities end at this many ranges from the median (a few bright spots on black have hardly any range)."""


@dataclass(frozen=True)
class ImageStatistics:
    """Contrast and structure of a whole image.

    Attributes
    ----------
    centre : (float, float, float)
        Median of each channel, 0 to 1.
    contrast : float
        Between the 1st and the 99th percentile of the channels' mean.
    energies : tuple of float
        Mean scale-normalised gradient at each of `EDGE_SIGMAS`, in units of the contrast.
    """

    centre: tuple[float, float, float] = (0.5, 0.5, 0.5)
    contrast: float = 1.0
    energies: tuple[float, ...] = (0.1,) * len(EDGE_SIGMAS)

    def normalised(self, batch: Tensor) -> Tensor:
        """Crops (B, 3, h, w) with values 0 to 1, counted from the centre in units of the contrast."""
        centre = torch.tensor(self.centre)[:, None, None]
        return ((batch - centre) / self.contrast).clamp_(-_FARTHEST, _FARTHEST)


def measure(image: ModelImage) -> ImageStatistics:
    """The statistics of an image."""
    step = -(-max(image.shape) // _LATTICE)
    pixels = replace(image, pixels=image.pixels[::step, ::step]).whole()
    centre = np.median(pixels, axis=(0, 1))
    contrast = ImageStatistics(tuple(centre.tolist()), _contrast(pixels.mean(-1)))
    return replace(contrast, energies=_energies(image, contrast))


def _contrast(grey: NDArray[np.float32]) -> float:
    """Range of the values; for nearly empty images that of the extremes; 1 for constant ones."""
    low, high = np.percentile(grey, _PERCENTILES)
    return float(high - low) or float(np.ptp(grey)) or 1.0


def _energies(image: ModelImage, contrast: ImageStatistics) -> tuple[float, ...]:
    rows, columns = (_window_pixels(size) for size in image.shape)
    totals = np.zeros(len(EDGE_SIGMAS))
    for down in rows:
        for right in columns:
            crop = torch.from_numpy(image.crop(down, right)).permute(2, 0, 1)[None]
            scales = scale_space(contrast.normalised(crop).mean(1))
            totals += [float(gradient_magnitude(scales[sigma]).mean()) for sigma in EDGE_SIGMAS]
    return tuple(np.maximum(totals / (len(rows) * len(columns)), _LEAST_ENERGY).tolist())


def _window_pixels(size: int) -> list[NDArray[np.int64]]:
    """Pixels of each window along an axis, evenly spread; windows of short axes repeat the last pixel."""
    count = min(_WINDOWS, -(-size // _WINDOW))
    starts = np.linspace(0, max(0, size - _WINDOW), count).round().astype(np.int64)
    length = min(_WINDOW, -(-size // 8) * 8)
    return [np.minimum(np.arange(start, start + length), size - 1) for start in starts]
