"""Token grids and the linear maps from tokens to pixels.

Upsampling is linear along each axis, so K maps on a grid of h x w tokens become K maps of H x W pixels by
``A_rows @ maps @ A_columns.T``. Both matrices are banded, and only their bands are multiplied. Grids that share their
column geometry (all views that shift rows only, say) are added up before the second, larger product.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from scipy.sparse import csr_array

from patchfield.errors import FieldError
from patchfield.field.axis import Axis, Band, Interpolation

_CHUNK = 1 << 22
"""Token values converted to float32 at a time: enough to keep both cores busy, few enough to stay in cache."""


_ON_DISK_FROM = 1 << 30
"""Bytes of one view's tokens from which they are kept in a file: `micro`'s at 33 megapixels."""


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

    def of_pixels(self, shape: tuple[int, int]) -> "Grid":
        """The same tokens, for the pixels of an image (H, W) that was resampled before they were made."""
        height, width = shape
        return replace(self, rows=replace(self.rows, pixels=height), columns=replace(self.columns, pixels=width))

    def maps(self, maps_of: Callable[[torch.Tensor], torch.Tensor], rows: slice, columns: slice) -> torch.Tensor:
        """The maps (K, rows, columns) float32 that `maps_of` makes of some of the tokens."""
        return maps_of(self.tokens[rows, columns])


class Mappable(Protocol):
    """A regular grid along image axes that linear maps can be had of: tokens, or nodes that are mixed of them."""

    @property
    def rows(self) -> Axis: ...
    @property
    def columns(self) -> Axis: ...
    @property
    def count(self) -> int: ...
    def maps(self, maps_of: Callable[[torch.Tensor], torch.Tensor], rows: slice, columns: slice) -> torch.Tensor: ...


def empty_tokens(rows: int, columns: int, channels: int) -> torch.Tensor:
    """Zeros (rows, columns, channels) float16 for the tokens of one view, in memory or, if very large, on disk.

    On disk they lie in a temporary file without a name that ends with the tensor.

    Raises
    ------
    FieldError
        When the temporary folder has no room for them.
    """
    nbytes = rows * columns * channels * torch.float16.itemsize
    if nbytes < _ON_DISK_FROM:
        return torch.zeros((rows, columns, channels), dtype=torch.float16)
    with tempfile.TemporaryFile(prefix="patchfield-") as file:  # the mapping keeps the nameless file alive
        try:
            _reserve(file.fileno(), nbytes)
        except OSError as error:
            raise FieldError(
                f"The folder for temporary files, {tempfile.gettempdir()}, has no room for {nbytes / 2**30:.1f} GiB of "
                f"features ({error.strerror}): make room, or set TMPDIR to a folder on a larger disk."
            ) from error
        return torch.from_numpy(np.memmap(file, np.float16, "r+", shape=(rows, columns, channels)))


def _reserve(file: int, nbytes: int) -> None:
    """Claim room on disk now: a mapping of a sparse file ends the process when the disk is full."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, nbytes)
    else:
        block = bytes(1 << 20)
        for written in range(0, nbytes, len(block)):
            os.write(file, block[: nbytes - written])


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


def project_tokens(tokens: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Tokens (h, w, C) float16 times weights (C, K) float32: maps (K, h, w) float32, computed in float32."""
    height, width, channels = tokens.shape
    flat = tokens.reshape(-1, channels)
    maps = torch.empty(weights.shape[1], height * width)
    step = max(1, _CHUNK // channels)
    for start in range(0, len(flat), step):
        maps[:, start : start + step] = weights.T @ flat[start : start + step].float().T
    return maps.reshape(-1, height, width)


class ColumnPass:
    """An upsampling that is done along the rows and waits to be done along the columns, strip by strip.

    Parameters
    ----------
    grids : iterable of Mappable
        Their weighted mean is what is wanted.
    maps_of : callable
        Turns tokens (h, w, C) into the K maps wanted, (K, h, w) float32.
    rows, columns : (H,), (W,) int arrays
        Pixels wanted along the two axes.
    how : {"nearest", "bilinear", "bicubic"}
    """

    def __init__(
        self,
        grids: Iterable[Mappable],
        maps_of: Callable[[torch.Tensor], torch.Tensor],
        rows: np.ndarray,
        columns: np.ndarray,
        how: Interpolation,
    ) -> None:
        grids = list(grids)
        total = sum(grid.count for grid in grids)
        self._width = len(columns)
        self._bands = {grid.columns: grid.columns.bands(columns, how) for grid in grids}
        self._maps: dict[Axis, tuple[int, torch.Tensor]] = {}
        for grid in grids:
            used = _extent(self._bands[grid.columns])
            row_bands = grid.rows.bands(rows, how)
            maps = grid.maps(maps_of, _extent(row_bands), used)
            upsampled = _along_rows(maps, grid.rows, row_bands).mul_(grid.count / total)
            if grid.columns in self._maps:
                self._maps[grid.columns][1].add_(upsampled)
            else:
                self._maps[grid.columns] = (used.start, upsampled)

    def add_to(self, maps: torch.Tensor, rows: slice) -> None:
        """Add a strip of rows to `maps`, (K, h, W) float32."""
        for axis, (first, upsampled) in self._maps.items():
            strip = upsampled[:, rows]
            if axis.is_pixel_grid:
                maps += strip
                continue
            for band in self._bands[axis]:
                tokens = slice(band.tokens.start - first, band.tokens.stop - first)
                maps[:, :, band.pixels] += strip[:, :, tokens] @ torch.from_numpy(band.matrix).T


def strips(height: int, width: int, maps: int) -> Iterator[slice]:
    """Ranges of rows whose `maps` maps stay in a core's cache together."""
    step = max(8, (1 << 18) // max(1, width * maps))
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


def _extent(bands: list[Band]) -> slice:
    """The range of tokens that the bands touch together."""
    return slice(min(band.tokens.start for band in bands), max(band.tokens.stop for band in bands))


def _along_rows(maps: torch.Tensor, axis: Axis, bands: list[Band]) -> torch.Tensor:
    """Maps (K, h, w) that begin at the first token of the bands, upsampled to (K, H, w)."""
    if axis.is_pixel_grid:
        return maps
    first = _extent(bands).start
    parts = [
        torch.from_numpy(band.matrix) @ maps[:, band.tokens.start - first : band.tokens.stop - first] for band in bands
    ]
    return torch.cat(parts, dim=1)
