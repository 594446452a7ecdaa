"""Which patches stand around a patch, and which of them are most like it."""

from functools import lru_cache
from itertools import product
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

Borders = Literal["clip", "wrap"]

_STEPS = [step for step in product((-1, 0, 1), repeat=2) if step != (0, 0)]


@lru_cache(maxsize=16)
def neighbours(rows: int, columns: int, borders: Borders = "clip") -> tuple[Tensor, Tensor]:
    """The eight patches around each patch of a grid.

    Parameters
    ----------
    rows, columns : int
    borders : {"clip", "wrap"}
        Whether patches at the border have fewer neighbours, or those of the opposite side, as published.

    Returns
    -------
    indices : Tensor (rows * columns, 8) int64
        In raster order; 0 where there is none.
    present : Tensor (rows * columns, 8) bool

    Examples
    --------
    >>> neighbours(14, 14)[0][15].tolist()
    [0, 1, 2, 14, 16, 28, 29, 30]
    >>> neighbours(14, 14)[1][0].sum().item(), sorted(neighbours(14, 14, "wrap")[0][0].tolist())
    (3, [1, 13, 14, 15, 27, 182, 183, 195])
    """
    steps = torch.tensor(_STEPS)
    row = torch.arange(rows)[:, None, None] + steps[:, 0]
    column = torch.arange(columns)[None, :, None] + steps[:, 1]
    row, column = row.expand(rows, columns, 8), column.expand(rows, columns, 8)
    present = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    indices = (row % rows) * columns + column % columns
    if borders == "wrap":
        present = torch.ones_like(present)
    return (indices * present).reshape(-1, 8), present.reshape(-1, 8)


def most_similar(tokens: Tensor, grid: tuple[int, int], count: int, borders: Borders) -> tuple[Tensor, Tensor]:
    """The neighbours of each patch that are most like it, by cosine.

    Parameters
    ----------
    tokens : Tensor (B, N, channels)
        Of a grid of N = rows * columns patches.
    grid : (int, int)
        Rows and columns.
    count : int
        How many to keep, at most eight.
    borders : {"clip", "wrap"}

    Returns
    -------
    tokens : Tensor (B, N, count, channels)
        The most similar first.
    present : Tensor (B, N, count) bool
        False where a patch at the border has fewer.
    """
    indices, present = (part.to(tokens.device) for part in neighbours(*grid, borders))
    around = tokens[:, indices]
    directions = normalize(tokens, dim=-1)
    likeness = torch.einsum("bnc,bnkc->bnk", directions, directions[:, indices])
    best = likeness.masked_fill(~present, -torch.inf).topk(count, dim=-1).indices
    chosen = around.gather(2, best[..., None].expand(-1, -1, -1, tokens.shape[2]))
    return chosen, present.expand(len(tokens), -1, -1).gather(2, best)
