"""Token grids and the linear maps from tokens to pixels.

Upsampling is linear along each axis, so K maps on a grid of h x w tokens become K maps of H x W pixels by
``A_rows @ maps @ A_columns.T``. Grids that share their column geometry (all views that shift rows only, say)
are added up before the second, larger product.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array

from patchfield.field.axis import Axis, Interpolation

_DENSE_FROM_PITCH = 6
"""From this pitch on a matrix product beats gathering the taps (both measured at one megapixel)."""

_CHUNK = 1 << 22
"""Token values converted to float32 at a time: enough to keep both cores busy, few enough to stay in cache."""


@dataclass(frozen=True, eq=False)
class Grid:
    """The tokens of one view, in image orientation.

    Attributes
    ----------
    tokens : Tensor (h, w, C) float16, on the CPU
        Channels last: a token's values lie together.
    rows, columns : Axis
        Where the tokens stand along the image's rows and columns.
    count : int
        How often the view occurs in the sampling: its weight in the mean.
    """

    tokens: torch.Tensor
    rows: Axis
    columns: Axis
    count: int = 1

    def cropped(self, rows: slice, columns: slice) -> torch.Tensor:
        """The tokens in a range of rows and columns."""
        return self.tokens[rows, columns]


def gather(grids: Iterable[Grid], rows: np.ndarray, columns: np.ndarray, how: Interpolation) -> np.ndarray:
    """Mean feature over `grids` at pixels (rows[i], columns[i]): (n, C) float32.

    Only the tokens that the pixels touch are converted, and a sparse matrix mixes them: a stroke of a thousand
    pixels touches a few dozen tokens.
    """
    grids = list(grids)
    total = sum(grid.count for grid in grids)
    features = np.zeros((len(rows), grids[0].tokens.shape[2]), np.float32)
    for grid in grids:
        row_tokens, row_weights = grid.rows.taps(rows, how)
        column_tokens, column_weights = grid.columns.taps(columns, how)
        flat = row_tokens[:, :, None] * grid.columns.count + column_tokens[:, None, :]
        weights = row_weights[:, :, None] * column_weights[:, None, :] * (grid.count / total)
        touched, position = np.unique(flat, return_inverse=True)
        values = grid.tokens.reshape(-1, grid.tokens.shape[2])[torch.from_numpy(touched)].float().numpy()
        taps = flat.shape[1] * flat.shape[2]
        starts = np.arange(0, flat.size + 1, taps)
        mixture = csr_array(
            (weights.reshape(-1).astype(np.float32), position.reshape(-1), starts),
            shape=(len(rows), len(touched)),
        )
        features += mixture @ values
    return features


def interpolate(
    grids: Iterable[Grid],
    maps_of: Callable[[torch.Tensor], torch.Tensor],
    rows: np.ndarray,
    columns: np.ndarray,
    how: Interpolation,
) -> "ColumnPass":
    """First half of an upsampling: maps of all grids along the rows.

    Parameters
    ----------
    grids : iterable of Grid
        Their mean is what is wanted.
    maps_of : callable
        Turns tokens (h, w, C) into the K maps wanted, (K, h, w) float32.
    rows, columns : (H,), (W,) int arrays
        Pixels wanted along the two axes.
    """
    grids = list(grids)
    total = sum(grid.count for grid in grids)
    by_columns: dict[Axis, torch.Tensor] = {}
    for grid in grids:
        row_tokens = _token_range(grid.rows, rows, how)
        column_tokens = _token_range(grid.columns, columns, how)
        maps = maps_of(grid.cropped(row_tokens, column_tokens)) * (grid.count / total)
        upsampled = _along_rows(maps, grid.rows, rows, how)
        if grid.columns in by_columns:
            by_columns[grid.columns] += upsampled
        else:
            by_columns[grid.columns] = upsampled
    return ColumnPass(by_columns, columns, how)


class ColumnPass:
    """Second half of an upsampling, done for any strip of rows.

    Parameters
    ----------
    by_columns : dict of Axis to Tensor (K, H, w)
        Maps already upsampled along the rows, by the geometry of their columns.
    columns : (W,) int array
        Pixels wanted.
    how : Interpolation
    """

    def __init__(self, by_columns: dict[Axis, torch.Tensor], columns: np.ndarray, how: Interpolation) -> None:
        self._fine = [(axis, maps) for axis, maps in by_columns.items() if axis.pitch < _DENSE_FROM_PITCH]
        coarse = [(axis, maps) for axis, maps in by_columns.items() if axis.pitch >= _DENSE_FROM_PITCH]
        self._columns, self._how = columns, how
        self._maps = torch.cat([maps for _, maps in coarse], dim=2) if coarse else None
        matrices = [axis.matrix(columns, how)[1] for axis, _ in coarse]
        self._matrix = torch.from_numpy(np.hstack(matrices).T.copy()) if coarse else None

    def strip(self, rows: slice) -> torch.Tensor:
        """The maps (K, h, W) float32 of a range of rows."""
        sum_ = None
        if self._maps is not None and self._matrix is not None:
            sum_ = self._maps[:, rows] @ self._matrix
        for axis, maps in self._fine:
            part = _along_columns(maps[:, rows], axis, self._columns, self._how)
            sum_ = part if sum_ is None else sum_ + part
        if sum_ is None:
            raise AssertionError("a block of a field has at least one grid")
        return sum_


def project_tokens(tokens: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Tokens (h, w, C) float16 times weights (C, K) float32: maps (K, h, w) float32, computed in float32."""
    height, width, channels = tokens.shape
    maps = torch.empty(height, width, weights.shape[1])
    step = max(1, _CHUNK // max(1, width * channels))
    for start in range(0, height, step):
        torch.matmul(tokens[start : start + step].float(), weights, out=maps[start : start + step])
    return maps.permute(2, 0, 1).contiguous()


def strips(height: int, width: int, maps: int) -> Iterator[slice]:
    """Ranges of rows whose `maps` maps stay in a core's cache together."""
    step = max(8, (1 << 18) // max(1, width * maps))
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


def _token_range(axis: Axis, pixels: np.ndarray, how: Interpolation) -> slice:
    tokens, _ = axis.taps(pixels, how)
    return slice(int(tokens.min()), int(tokens.max()) + 1)


def _along_rows(maps: torch.Tensor, axis: Axis, pixels: np.ndarray, how: Interpolation) -> torch.Tensor:
    """Maps (K, h, w) upsampled to (K, len(pixels), w); `maps` begins at the first token that is involved."""
    if axis.pitch >= _DENSE_FROM_PITCH:
        _, matrix = axis.matrix(pixels, how)
        return torch.from_numpy(matrix) @ maps
    return _weighted_taps(maps, axis, pixels, how, dim=1)


def _along_columns(maps: torch.Tensor, axis: Axis, pixels: np.ndarray, how: Interpolation) -> torch.Tensor:
    return _weighted_taps(maps, axis, pixels, how, dim=2)


def _weighted_taps(maps: torch.Tensor, axis: Axis, pixels: np.ndarray, how: Interpolation, dim: int) -> torch.Tensor:
    """Sum over taps of gathered maps: cheaper than a matrix where tokens are almost as many as pixels."""
    tokens, weights = axis.taps(pixels, how)
    if tokens.shape == (maps.shape[dim], 1) and (np.diff(tokens[:, 0]) == 1).all():
        return maps
    tokens = tokens - tokens.min()
    shape = (1, -1, 1) if dim == 1 else (1, 1, -1)
    result: torch.Tensor | None = None
    for tap in range(tokens.shape[1]):
        weight = torch.from_numpy(weights[:, tap].astype(np.float32)).reshape(shape)
        part = maps.index_select(dim, torch.from_numpy(tokens[:, tap]))
        result = part.mul_(weight) if result is None else result.addcmul_(part, weight)
    if result is None:
        raise AssertionError("every interpolation has a tap")
    return result
