"""The feature field: a dense feature map that is never stored dense."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from patchfield.errors import FieldError
from patchfield.field.axis import Interpolation
from patchfield.field.grid import ColumnPass, Grid, Mappable, gather, project_tokens, strips
from patchfield.field.guide import GuidedGrid
from patchfield.field.recipe import FeatureRecipe

Region = tuple[slice, slice]
"""Rows and columns of a part of an image, without steps: ``(slice(0, 100), slice(50, 150))``."""

_DENSE_CHANNELS = 32
"""Channels upsampled together by `dense`, to bound what it needs beside its result."""

_LATTICE = 64

_BAND_PIXELS = 1 << 23
_MIN_BAND_ROWS = 256
"""Tokens are projected for about eight megapixels at a time; narrower bands would project the tokens at their seams
several times."""


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive channels of a field: the mean of several views of one backbone level.

    Attributes
    ----------
    grids : tuple of Grid
        The views seen so far.
    interpolation : {"nearest", "bilinear", "bicubic", "guided"}
    guide : Tensor (h, w, 25) float16, optional
        Weights of the tokens around each node of the image, where these are upsampled with a guide.
    """

    grids: tuple[Grid, ...]
    interpolation: Interpolation
    guide: torch.Tensor | None = None

    @property
    def channels(self) -> int:
        return int(self.grids[0].tokens.shape[2])

    @cached_property
    def guided(self) -> GuidedGrid | None:
        """What pixels interpolate in place of the tokens, where there is a guide."""
        return None if self.guide is None else GuidedGrid(self.grids, self.guide)

    @property
    def sources(self) -> tuple[Mappable, ...]:
        """The grids whose mean pixels interpolate."""
        return self.grids if self.guided is None else (self.guided,)

    def gather(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Features at pixels (rows[i], columns[i]): (n, channels) float32."""
        if self.guided is not None:
            return self.guided.gather(rows, columns)
        return gather(self.grids, rows, columns, self.interpolation)


@dataclass(frozen=True, eq=False)
class FeatureField:
    """Features at every pixel, kept as the tokens of each view and their geometry.

    Everything after the transformer is linear (upsampling, undoing the view, the mean over views, a linear
    probe), and linear maps commute: a field can be *sampled* at some pixels, *projected* through a small matrix,
    and, on demand, made *dense* for a region. Fields are immutable; ``a | b`` has the channels of both.

    Attributes
    ----------
    shape : (int, int)
        Height and width of the image in pixels.
    blocks : tuple of Block
    recipes : tuple of FeatureRecipe
        How the field was made, one per part joined by ``|``.
    missing : (H, W) bool array or None
        Pixels without a value (NaN), whose features mean nothing; None where there are none.

    Examples
    --------
    >>> import numpy as np, patchfield as pf
    >>> field = pf.extract(np.eye(64), "filters")
    >>> features = field.sample([3, 10], [5, 20])                         # (2, channels) float32
    >>> maps = field.project(np.ones((field.channels, 3), np.float32))     # (3, 64, 64) float32
    """

    shape: tuple[int, int]
    blocks: tuple[Block, ...]
    recipes: tuple[FeatureRecipe, ...] = ()
    missing: NDArray[np.bool_] | None = None

    @property
    def channels(self) -> int:
        """Length of the feature of a pixel."""
        return sum(block.channels for block in self.blocks)

    @property
    def nbytes(self) -> int:
        """Bytes that the tokens occupy, and the weights of guides."""
        tokens = [grid.tokens for block in self.blocks for grid in block.grids]
        guides = [block.guide for block in self.blocks if block.guide is not None]
        return sum(tensor.numel() * tensor.element_size() for tensor in (*tokens, *guides))

    @cached_property
    def centre(self) -> NDArray[np.float32]:
        """Mean feature, (channels,): over a lattice of at most 64 x 64 of the pixels that have a value."""
        rows, columns = (np.unique(np.linspace(0, size - 1, _LATTICE).round().astype(np.int64)) for size in self.shape)
        pixels = [part.ravel() for part in np.meshgrid(rows, columns, indexing="ij")]
        if self.missing is not None:
            present = ~self.missing[pixels[0], pixels[1]]
            pixels = [part[present] for part in pixels] if present.any() else pixels
        mean: NDArray[np.float32] = self.sample(pixels[0], pixels[1]).mean(0, dtype=np.float64).astype(np.float32)
        return mean

    def __or__(self, other: "FeatureField") -> "FeatureField":
        """The field with the channels of both.

        Raises
        ------
        FieldError
            When the images differ in size.
        """
        if self.shape != other.shape:
            raise FieldError(
                f"Fields of images of different size ({_size(self.shape)} and {_size(other.shape)}) cannot be "
                "joined: extract both from the same image."
            )
        both = [field.missing for field in (self, other) if field.missing is not None]
        missing = np.logical_or.reduce(both) if both else None
        return FeatureField(self.shape, self.blocks + other.blocks, self.recipes + other.recipes, missing)

    def of_pixels(
        self, shape: tuple[int, int], recipes: tuple[FeatureRecipe, ...], missing: NDArray[np.bool_] | None
    ) -> "FeatureField":
        """The same features for the pixels of an image (H, W) that was resampled before they were made."""
        blocks = tuple(
            replace(block, grids=tuple(grid.of_pixels(shape) for grid in block.grids)) for block in self.blocks
        )
        return FeatureField(shape, blocks, recipes, missing)

    def sample(self, rows: Sequence[int] | np.ndarray, columns: Sequence[int] | np.ndarray) -> np.ndarray:
        """Features at pixels (rows[i], columns[i]).

        Returns
        -------
        (n, channels) float32 array

        Raises
        ------
        FieldError
            When a pixel lies outside of the image.
        """
        rows, columns = np.atleast_1d(np.asarray(rows, np.int64)), np.atleast_1d(np.asarray(columns, np.int64))
        for name, pixels, size in zip(("Rows", "Columns"), (rows, columns), self.shape, strict=True):
            if len(pixels) and (pixels.min() < 0 or pixels.max() >= size):
                raise FieldError(f"{name} {pixels.min()} to {pixels.max()} were asked of a field that has {size}.")
        return np.hstack([block.gather(rows, columns) for block in self.blocks])

    def project(self, weights: np.ndarray, bias: np.ndarray | None = None, region: Region | None = None) -> np.ndarray:
        """Features times weights plus bias at every pixel, without making the features dense.

        Parameters
        ----------
        weights : (channels, K) array
        bias : (K,) array, optional
        region : (slice, slice), optional
            Rows and columns wanted; the whole image by default.

        Returns
        -------
        (K, h, w) float32 array

        Raises
        ------
        FieldError
            When the weights have another number of channels, or the region leaves the image.
        """
        weights = self._checked_weights(weights, bias)
        rows, columns = self._pixels(region)
        maps = torch.zeros(weights.shape[1], len(rows), len(columns))
        for band in _bands(len(rows), len(columns)):
            passes = self._passes(weights, rows[band], columns)
            for strip in strips(band.stop - band.start, len(columns), len(maps)):
                _add_up(passes, strip, bias, maps[:, band][:, strip])
        return maps.numpy()

    def argmax(self, weights: np.ndarray, bias: np.ndarray | None = None, region: Region | None = None) -> np.ndarray:
        """Index of the largest projection at every pixel, ties to the smaller index.

        The K maps exist only for a strip of rows at a time. Differences to the first map are compared, which
        saves one map.

        Returns
        -------
        (h, w) uint8 array, uint16 for more than 256 maps
        """
        weights = self._checked_weights(weights, bias)
        rows, columns = self._pixels(region)
        count = weights.shape[1]
        index = torch.zeros(len(rows), len(columns), dtype=torch.uint8 if count <= 256 else torch.int32)
        offsets = np.zeros(count, np.float32) if bias is None else np.asarray(bias, np.float32)
        differences = weights[:, 1:] - weights[:, :1]
        for band in _bands(*index.shape) if count > 1 else ():
            passes = self._passes(differences, rows[band], columns)
            for strip in strips(band.stop - band.start, len(columns), count):
                maps = torch.zeros(count - 1, strip.stop - strip.start, len(columns))
                _add_up(passes, strip, offsets[1:] - offsets[0], maps)
                index[band][strip] = _argmax_against_zero(maps, index.dtype)
        return index.numpy() if count <= 256 else index.numpy().astype(np.uint16)

    def dense(self, region: Region | None = None) -> np.ndarray:
        """The features of every pixel: 4 bytes times channels times pixels, so mind the region.

        Returns
        -------
        (channels, h, w) float32 array
        """
        rows, columns = self._pixels(region)
        maps = np.zeros((self.channels, len(rows), len(columns)), np.float32)
        start = 0
        for block in self.blocks:
            for first in range(0, block.channels, _DENSE_CHANNELS):
                last = min(first + _DENSE_CHANNELS, block.channels)
                part = ColumnPass(block.sources, _channels(first, last), rows, columns, block.interpolation)
                part.add_to(torch.from_numpy(maps[start + first : start + last]), slice(0, len(rows)))
            start += block.channels
        return maps

    def _pixels(self, region: Region | None) -> tuple[np.ndarray, np.ndarray]:
        if region is None:
            return np.arange(self.shape[0]), np.arange(self.shape[1])
        if len(region) != 2 or not all(isinstance(part, slice) for part in region):
            raise FieldError(f"Region {region} is no pair of slices: give (slice(top, bottom), slice(left, right)).")
        rows, columns = (np.arange(size)[part] for size, part in zip(self.shape, region, strict=True))
        if any(part.step not in (None, 1) for part in region) or not (len(rows) and len(columns)):
            raise FieldError(f"Region {region} is empty or has steps; the field has {_size(self.shape)} pixels.")
        return rows, columns

    def _checked_weights(self, weights: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
        weights = np.asarray(weights, np.float32)
        if weights.ndim != 2 or weights.shape[0] != self.channels or not weights.shape[1]:
            raise FieldError(f"Weights of shape {weights.shape} do not fit a field of {self.channels} channels.")
        if bias is not None and np.shape(bias) != weights.shape[1:]:
            raise FieldError(f"A bias of shape {np.shape(bias)} does not fit weights of shape {weights.shape}.")
        return weights

    def _passes(self, weights: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> list[ColumnPass]:
        """Project the tokens around some rows and upsample them along the rows; columns follow strip by strip."""
        passes, start = [], 0
        for block in self.blocks:
            part = torch.from_numpy(np.ascontiguousarray(weights[start : start + block.channels]))
            passes.append(ColumnPass(block.sources, _projection(part), rows, columns, block.interpolation))
            start += block.channels
        return passes


def _bands(height: int, width: int) -> Iterator[slice]:
    """Ranges of rows that are projected one after the other, so that memory does not grow with the image."""
    step = max(_MIN_BAND_ROWS, _BAND_PIXELS // width)
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))


def _add_up(passes: list[ColumnPass], rows: slice, bias: np.ndarray | None, maps: torch.Tensor) -> None:
    """Bias and all blocks, added to a strip of `maps` (K, h, W)."""
    if bias is not None:
        maps += torch.as_tensor(bias, dtype=torch.float32)[:, None, None]
    for part in passes:
        part.add_to(maps, rows)


def _projection(weights: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda tokens: project_tokens(tokens, weights)


def _channels(first: int, last: int) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda tokens: tokens[:, :, first:last].permute(2, 0, 1).float()


def _argmax_against_zero(maps: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Argmax of (0, maps[0], maps[1], ...) over the first axis: two passes a map instead of a strided search."""
    best = maps[0].clamp(min=0)
    index = (maps[0] > 0).to(dtype)
    for k in range(1, len(maps)):
        index.masked_fill_(maps[k] > best, k + 1)
        torch.maximum(best, maps[k], out=best)
    return index


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[0]} x {shape[1]}"
