"""Positional encodings for grids other than the one a transformer was trained on."""

from math import isqrt
from typing import Literal

import torch
from torch.nn.functional import interpolate

PositionRule = Literal["scaled", "exact"]
"""How a family resamples its encodings, always bicubic.

``"scaled"``: by the scale factor (n + 0.1) / n0 and without antialiasing, as DINO and DINOv2 without registers do
(the 0.1 keeps the factor from rounding down to a grid one token short; it also shifts the encodings a little, which
the published features include). ``"exact"``: to the exact size with antialiasing, as DINOv2 with registers does.
"""

_OFFSET = 0.1


def resample_positions(encodings: torch.Tensor, grid: tuple[int, int], rule: PositionRule) -> torch.Tensor:
    """Resample the encodings of a square grid of patches.

    Parameters
    ----------
    encodings : Tensor (1, n0 * n0, D)
        As trained, row by row; class and register tokens are not among them.
    grid : tuple of int
        Rows and columns of the grid that is wanted.
    rule : {"scaled", "exact"}

    Returns
    -------
    Tensor (1, rows * columns, D)
        Of the same dtype; the arithmetic is float32.

    Examples
    --------
    >>> resample_positions(torch.rand(1, 37 * 37, 384), (16, 22), "exact").shape
    torch.Size([1, 352, 384])
    """
    trained = isqrt(encodings.shape[1])
    if grid == (trained, trained):
        return encodings
    square = encodings.float().reshape(1, trained, trained, -1).permute(0, 3, 1, 2)
    if rule == "scaled":
        factors = [(tokens + _OFFSET) / trained for tokens in grid]
        resampled = interpolate(square, scale_factor=factors, mode="bicubic", recompute_scale_factor=False)
    else:
        resampled = interpolate(square, size=grid, mode="bicubic", antialias=True)
    return resampled.flatten(2).transpose(1, 2).to(encodings.dtype)
