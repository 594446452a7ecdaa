"""Squares of images and masks, drawn at random, cut together and magnified."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch.nn import functional

from patchfield.images import ModelImage
from training.episodes.scene import Mask, Pixels


@dataclass(frozen=True)
class Square:
    """A square of an image that is shown with `side` x `side` pixels.

    Attributes
    ----------
    top, left, length : int
        In pixels of the image.
    side : int
        Of the result in pixels.
    """

    top: int
    left: int
    length: int
    side: int

    @classmethod
    def drawn(cls, shape: tuple[int, ...], side: int, factor: float, rng: np.random.Generator) -> Self:
        """A random one, magnified by `factor`, or more where the image has fewer than ``side / factor`` pixels."""
        length = min(round(side / factor), *shape)
        top, left = (int(rng.integers(size - length + 1)) for size in shape)
        return cls(top, left, length, side)

    def pixels(self, image: ModelImage) -> Pixels:
        """The square of an image as it is, (length, length, 3) with values 0 to 1."""
        return image.crop(np.arange(self.top, self.top + self.length), np.arange(self.left, self.left + self.length))

    def magnified(self, pixels: Pixels) -> Pixels:
        """What :meth:`pixels` gave, resampled bilinearly with antialiasing to (side, side, 3)."""
        if self.length == self.side:
            return pixels
        planes = torch.from_numpy(pixels).permute(2, 0, 1)[None]
        size = (self.side, self.side)
        resized = functional.interpolate(planes, size=size, mode="bilinear", antialias=True, align_corners=False)
        return resized[0].permute(1, 2, 0).numpy()

    def classes(self, mask: Mask) -> Mask:
        """The square of a mask, (side, side): the nearest pixels'."""
        nearest = ((np.arange(self.side) + 0.5) * (self.length / self.side)).astype(int)
        return mask[np.ix_(self.top + nearest, self.left + nearest)]
