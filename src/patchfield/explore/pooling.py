"""Features of neighbourhoods: what lies within a distance counts together, so that textures become areas."""

from dataclasses import replace

import torch
from torch.nn.functional import avg_pool2d

from patchfield.field import FeatureField
from patchfield.field.axis import Axis
from patchfield.field.field import Block
from patchfield.field.grid import Grid

_ROWS_OF_VALUES = 1 << 24
"""Token values converted to float32 at a time."""


def pooled(field: FeatureField, side: float) -> FeatureField:
    """The field whose features are means over squares, bilinear between them.

    Pixels that look alike one by one are grouped by their brightness, and the two phases of a lamellar structure fall
    apart into bright and dark lines. Means over squares wider than the lines tell the structures apart.

    Parameters
    ----------
    field : FeatureField
    side : float
        Of the squares, in pixels. Levels whose tokens lie farther apart than half of it stay as they are, and 0 leaves
        all as it is.

    Returns
    -------
    FeatureField
        With the same channels and pixels, and fewer tokens.

    Examples
    --------
    >>> import numpy as np, patchfield as pf
    >>> lines = np.tile([0.0, 0.0, 1.0, 1.0], (64, 16))
    >>> lines[:, 32:] = 0.5
    >>> field = pf.extract(lines, "filters")
    >>> wide = pooled(field, 16)
    >>> wide.shape == field.shape, wide.nbytes < field.nbytes
    (True, True)
    """
    blocks = tuple(_pooled_block(block, side) for block in field.blocks)
    return field if blocks == field.blocks else replace(field, blocks=blocks)


def _pooled_block(block: Block, side: float) -> Block:
    grids = tuple(_pooled_grid(grid, side) for grid in block.grids)
    return block if grids == block.grids else Block(grids, "bilinear")


def _pooled_grid(grid: Grid, side: float) -> Grid:
    windows = [min(max(1, round(side / axis.pitch)), axis.count) for axis in (grid.rows, grid.columns)]
    if max(windows) == 1:
        return grid
    steps = [max(1, window // 2) for window in windows]
    rows, columns = (
        _pooled_axis(axis, window, step)
        for axis, window, step in zip((grid.rows, grid.columns), windows, steps, strict=True)
    )
    tokens = torch.empty((rows.count, columns.count, grid.tokens.shape[2]), dtype=torch.float16)
    band = max(1, _ROWS_OF_VALUES // max(1, steps[0] * grid.columns.count * grid.tokens.shape[2]))
    for first in range(0, rows.count, band):
        last = min(first + band, rows.count)
        part = grid.tokens[first * steps[0] : (last - 1) * steps[0] + windows[0]].float().permute(2, 0, 1)
        means = avg_pool2d(part[None], windows, steps)[0]
        tokens[first:last] = means.permute(1, 2, 0).to(torch.float16)
    return Grid(tokens, rows, columns, grid.count)


def _pooled_axis(axis: Axis, window: int, step: int) -> Axis:
    return replace(
        axis,
        origin=axis.origin + axis.pitch * (window - 1) / 2,
        pitch=axis.pitch * step,
        count=(axis.count - window) // step + 1,
    )
