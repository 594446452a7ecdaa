"""Foreground and background by the teacher's attention, for losses on one of them."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label

_BLUR = 0.6
_MASS = 0.6
_SMALLEST = 3
_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def foreground(attention: torch.Tensor) -> torch.Tensor:
    """The patches that the class token attends to.

    As published: the mean over heads is blurred (sigma 0.6 patches), the patches that hold the largest 60 % of the
    attention are kept, and components of one or two patches are deleted.

    Parameters
    ----------
    attention : Tensor (B, heads, n_h, n_w)
        Attention of the class token to the patches.

    Returns
    -------
    Tensor (B, n_h, n_w) bool
    """
    maps = attention.float().mean(1).cpu().numpy()
    return torch.from_numpy(np.stack([_largest_mass(attended) for attended in maps])).to(attention.device)


def _largest_mass(attended: NDArray[np.float32]) -> NDArray[np.bool_]:
    # A radius of 3 is the published 7 x 7 kernel.
    blurred = gaussian_filter(attended, _BLUR, radius=3)
    order = np.argsort(blurred, axis=None)
    below = np.cumsum(blurred.flat[order]) / blurred.sum()
    kept = np.empty(blurred.size, dtype=bool)
    kept[order] = below > 1 - _MASS
    components, _ = label(kept.reshape(blurred.shape), _EIGHT_NEIGHBOURS)
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    return sizes[components] >= _SMALLEST


def fully_inside(cells: torch.Tensor) -> torch.Tensor:
    """Cells of a pooled mask (..., n, 1) that lie in it entirely, (..., n) bool."""
    return cells[..., 0] >= 1 - 1e-6
