"""One episode: two images of the same kind with their masks, and strokes on the first."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[np.float32]
Mask = NDArray[np.uint8]


class Pair(NamedTuple):
    """Two images of one kind, before light and noise change them.

    Attributes
    ----------
    images : (ndarray, ndarray)
        (side, side, 3) float32, counted from the whole image's reference in units of its contrast.
    masks : (ndarray, ndarray)
        (side, side) uint8, 0 unlabelled.
    """

    images: tuple[Pixels, Pixels]
    masks: tuple[Mask, Mask]


class Episodes(NamedTuple):
    """A batch of B episodes.

    Attributes
    ----------
    images : Tensor (B, 2, 3, side, side) float32
        In units of their contrast.
    masks : Tensor (B, 2, side, side) int64
        Classes counted from 0; -1 is unlabelled.
    strokes : Tensor (B, side, side) int64
        Classes of the painted pixels of the first image; -1 is not painted.
    """

    images: Tensor
    masks: Tensor
    strokes: Tensor


def as_tensor(image: Pixels) -> Tensor:
    """(H, W, 3) to (3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 0)))


def as_classes(mask: Mask) -> Tensor:
    """Labels from 1 with 0 unlabelled, to classes from 0 with -1 unlabelled."""
    return torch.from_numpy(mask.astype(np.int64)) - 1
