"""What the filter bank knows of a whole image: where its contrast lies and how strong its structure is.

Images of one set differ in brightness, contrast and sharpness more than their classes differ, and a linear probe takes
each difference for what it was trained on. So intensities are counted from the middle of the image's own range, in
units of that range, and the energy of each scale in units of the image's own mean energy at that scale.
"""

from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from patchfield.backbones.contrast import ImageContrast, Reference, measure_contrast
from patchfield.backbones.filters.scales import EDGE_SIGMAS, gradient_magnitude, scale_space
from patchfield.images import ModelImage

_WINDOW, _WINDOWS = 256, 4
"""Energies are means over at most 4 x 4 windows of at most this many pixels' side: a megapixel."""

_MIN_ENERGY = 1e-3
"""Of the range of the image: weaker mean gradients are rounding, and are not amplified."""


@dataclass(frozen=True)
class ImageStatistics(ImageContrast):
    """Contrast and structure of a whole image.

    Attributes
    ----------
    energies : tuple of float
        Mean scale-normalised gradient at each of `EDGE_SIGMAS`, in units of the contrast.
    """

    energies: tuple[float, ...] = (0.1,) * len(EDGE_SIGMAS)


def measure(image: ModelImage, reference: Reference = "middle") -> ImageStatistics:
    """The statistics of an image."""
    contrast = measure_contrast(image, reference)
    return ImageStatistics(**asdict(contrast), energies=_energies(image, contrast))


def mean_gradients(colours: Tensor) -> Tensor:
    """Mean scale-normalised gradient of images (B, 3, h, w) at each of `EDGE_SIGMAS`, (len(EDGE_SIGMAS), B)."""
    scales = scale_space(colours.mean(1))
    means = torch.stack([gradient_magnitude(scales[sigma]).mean((1, 2)) for sigma in EDGE_SIGMAS])
    return means.clamp(min=_MIN_ENERGY)


def _energies(image: ModelImage, contrast: ImageContrast) -> tuple[float, ...]:
    rows, columns = (_window_pixels(size) for size in image.shape)
    totals = np.zeros(len(EDGE_SIGMAS))
    for down in rows:
        for right in columns:
            crop = torch.from_numpy(image.crop(down, right)).permute(2, 0, 1)[None]
            totals += mean_gradients(contrast.normalised(crop))[:, 0].numpy()
    return tuple((totals / (len(rows) * len(columns))).tolist())


def _window_pixels(size: int) -> list[NDArray[np.int64]]:
    """Pixels of each window along an axis, evenly spread; windows of short axes repeat the last pixel."""
    count = min(_WINDOWS, -(-size // _WINDOW))
    starts = np.linspace(0, max(0, size - _WINDOW), count).round().astype(np.int64)
    length = min(_WINDOW, -(-size // 8) * 8)
    return [np.minimum(np.arange(start, start + length), size - 1) for start in starts]
