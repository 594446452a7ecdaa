"""Projections at a grid of pixels far apart: what a large image looks like from a distance, for a part of the price."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from patchfield.field.field import FeatureField
from patchfield.field.grid import Grid, project_tokens

_ENOUGH = 1 << 26
"""Token values of a block after which no further views are read: each view alone is an estimate of their mean."""


def coarse_projection(
    field: FeatureField,
    weights: NDArray[np.float32],
    bias: NDArray[np.float32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Features times weights plus bias at the pixels where some rows and columns cross.

    Each pixel has the value of the nearest token, of as many views as are cheap to read. So the result differs from
    :meth:`FeatureField.project` by what lies between neighbouring tokens: less than a pixel of the screen where rows
    and columns lie at least as far apart as these.

    Parameters
    ----------
    field : FeatureField
    weights : (channels, K) float32 array
    bias : (K,) float32 array
    rows, columns : (h,), (w,) int arrays
        Pixels of the image, ascending.

    Returns
    -------
    (K, h, w) float32 array

    Examples
    --------
    >>> import patchfield as pf
    >>> field = pf.extract(np.eye(64), "micro")
    >>> far = np.arange(4, 64, 8)
    >>> weights = np.ones((field.channels, 2), np.float32)
    >>> coarse_projection(field, weights, np.zeros(2, np.float32), far, far).shape
    (2, 8, 8)
    """
    maps = torch.from_numpy(np.ascontiguousarray(bias, np.float32))[:, None, None].repeat(1, len(rows), len(columns))
    first = 0
    for block in field.blocks:
        part = torch.from_numpy(np.ascontiguousarray(weights[first : first + block.channels], np.float32))
        maps += _mean(block.grids, part, rows, columns)
        first += block.channels
    return maps.numpy()


def _mean(
    grids: Iterable[Grid], weights: torch.Tensor, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> torch.Tensor:
    """Mean over the first views of the projections of their nearest tokens: (K, h, w)."""
    total, read, counted = torch.zeros(weights.shape[1], len(rows), len(columns)), 0, 0
    for grid in grids:
        row_tokens, row_of = np.unique(grid.rows.taps(rows, "nearest")[0], return_inverse=True)
        column_tokens, column_of = np.unique(grid.columns.taps(columns, "nearest")[0], return_inverse=True)
        size = len(row_tokens) * len(column_tokens) * len(weights)
        if counted and read + size > _ENOUGH:
            break
        tokens = _chosen(grid.tokens, row_tokens, column_tokens)
        maps = project_tokens(tokens, weights)
        if maps.shape != total.shape:
            maps = maps[:, torch.from_numpy(row_of.ravel())][:, :, torch.from_numpy(column_of.ravel())]
        total.add_(maps, alpha=grid.count)
        read, counted = read + size, counted + grid.count
    return total / counted


def _chosen(tokens: torch.Tensor, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> torch.Tensor:
    """The tokens where some rows and columns cross: only these are read, each in one piece."""
    places = torch.from_numpy(rows)[:, None] * tokens.shape[1] + torch.from_numpy(columns)
    chosen = tokens.reshape(-1, tokens.shape[2]).index_select(0, places.reshape(-1))
    return chosen.reshape(len(rows), len(columns), -1)
