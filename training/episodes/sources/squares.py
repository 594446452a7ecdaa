"""Magnified crops of images and masks, cut together."""

import numpy as np
import torch
from torch.nn import functional

from training.episodes.scene import Mask, Pixels


def crop_of(image: Pixels, mask: Mask, side: int, factor: float, rng: np.random.Generator) -> tuple[Pixels, Mask]:
    """A random square of an image and its mask.

    Parameters
    ----------
    image : ndarray (H, W, 3) float32
    mask : ndarray (H, W) uint8
    side : int
        Of the result in pixels.
    factor : float
        Magnification; larger where the image has fewer than ``side / factor`` rows or columns.

    Returns
    -------
    image : ndarray (side, side, 3) float32
        Resampled bilinearly, with antialiasing.
    mask : ndarray (side, side) uint8
        The nearest pixels'.
    """
    length = min(round(side / factor), *mask.shape)
    top, left = (int(rng.integers(size - length + 1)) for size in mask.shape)
    box = (slice(top, top + length), slice(left, left + length))
    image, mask = np.ascontiguousarray(image[box]), mask[box]
    if length == side:
        return image, mask.copy()
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None]
    resized = functional.interpolate(pixels, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    nearest = ((np.arange(side) + 0.5) * (length / side)).astype(int)
    return resized[0].permute(1, 2, 0).numpy(), mask[np.ix_(nearest, nearest)]
