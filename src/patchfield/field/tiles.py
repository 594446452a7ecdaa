"""Cutting a view into overlapping crops near the backbone's native size, and where their tokens go.

Attention is quadratic in the crop: two by two crops of half the side cost a quarter of the attention. Crops
overlap; in the overlap their tokens are cross-faded, tokens without context (the margin) count for nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, lcm

import numpy as np

from patchfield.backbones.base import Level
from patchfield.field.axis import Axis
from patchfield.field.views import AxisView

_STRETCH = 1.25
"""How much larger than native a crop may become before another one is cut."""

_FINE_PITCH = 2
"""Grids with tokens this many pixels apart have no phases: another grid in between would show nothing new."""

_FAINT = 1e-3
"""Relative weight of tokens inside the margin: they only count where nothing else is."""


@dataclass(frozen=True)
class AxisTiles:
    """The crops of a view along one image axis.

    Attributes
    ----------
    size : int
        Pixels of the image along the axis.
    view : AxisView
    start : int
        Position in the view (negative: by reflection) of the first crop's first pixel.
    unit : int
        Pixels between possible crop positions: a multiple of every level's pitch.
    offsets : tuple of int
        First token of each crop, in units.
    length : int
        Pixels of every crop.
    total : int
        Pixels of all crops together.
    margin : int
        Pixels at an inner edge of a crop whose tokens lack context.
    """

    size: int
    view: AxisView
    start: int
    unit: int
    offsets: tuple[int, ...]
    length: int
    total: int
    margin: int

    def axis(self, level: Level) -> Axis:
        """Geometry of the level's tokens along this axis, all crops put together."""
        origin = self.start + (level.patch - 1) / 2
        return Axis(self.size, self.view_direction, origin, level.pitch, level.tokens(self.total))

    @property
    def view_direction(self) -> AxisView:
        """The view without its phase, which `start` holds."""
        return AxisView(self.view.flip, self.view.shift)

    def pixels(self, tile: int) -> np.ndarray:
        """Image pixels that crop number `tile` shows, (length,) int."""
        first = self.start + self.offsets[tile] * self.unit
        return self.view.source(np.arange(first, first + self.length), self.size)

    def tokens(self, tile: int, level: Level) -> slice:
        """Where the tokens of crop number `tile` stand in the level's grid."""
        first = self.offsets[tile] * self.unit // level.pitch
        return slice(first, first + level.tokens(self.length))

    def fade(self, level: Level) -> np.ndarray:
        """Weight of each crop's tokens, (crops, tokens of a crop) float32; over all crops they sum to 1."""
        local = np.arange(level.tokens(self.length)) * level.pitch + (level.patch - 1) / 2
        weights = np.ones((len(self.offsets), len(local)))
        last = len(self.offsets) - 1
        for tile in range(len(self.offsets)):
            before = local + 0.5 if tile > 0 else np.full_like(local, np.inf)
            after = self.length - 0.5 - local if tile < last else np.full_like(local, np.inf)
            weights[tile] = np.clip((np.minimum(before, after) - self.margin) / self._ramp, _FAINT, 1)
        total = np.zeros(level.tokens(self.total))
        for tile, weight in enumerate(weights):
            total[self.tokens(tile, level)] += weight
        for tile in range(len(weights)):
            weights[tile] /= total[self.tokens(tile, level)]
        return weights.astype(np.float32)

    @property
    def _ramp(self) -> float:
        """Pixels over which a crop fades in: what its narrowest overlap leaves beside the margins."""
        steps = np.diff(self.offsets) * self.unit
        overlap = self.length - int(steps.max(initial=0))
        return max(1.0, overlap - 2.0 * self.margin)


@dataclass(frozen=True)
class Tiling:
    """The crops of one view: every pair of a crop along the rows and one along the columns."""

    rows: AxisTiles
    columns: AxisTiles

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return product(range(len(self.rows.offsets)), range(len(self.columns.offsets)))

    def __len__(self) -> int:
        return len(self.rows.offsets) * len(self.columns.offsets)


def tile_axis(size: int, view: AxisView, levels: Sequence[Level], tile: int, margin: int) -> AxisTiles:
    """Plan the crops of one axis.

    The grid begins at the view's phase and is laid so that the cells of its tokens (squares of the pitch, around
    their centres) tile the image; what the outermost patches see beyond the image is reflected. A stride smaller
    than the patch therefore displaces nothing.

    Parameters
    ----------
    size : int
        Pixels of the image along the axis.
    view : AxisView
    levels : sequence of Level
        Of the backbone.
    tile, margin : int
        Of the backbone, in pixels.
    """
    unit = lcm(*(level.pitch for level in levels))
    patch, pitch = max(level.patch for level in levels), levels[0].pitch
    lead = max(0, (patch - unit) // 2)
    phase = round(view.phase * pitch) % pitch if pitch > _FINE_PITCH else 0
    start = phase - unit - lead if phase else -lead
    count = max(1, ceil((size - start - lead) / unit))
    native = max(1, (tile - patch) // unit + 1)
    overlap = 2 * ceil(margin / unit) + 2
    longest = max(_STRETCH * native, 2 * overlap)  # crops that were mostly overlap would never cover the image
    crops, length = 1, count
    while length > longest:
        crops += 1
        length = ceil((count + (crops - 1) * overlap) / crops)
    offsets = tuple(round(i * (count - length) / max(1, crops - 1)) for i in range(crops))
    pixels = (length - 1) * unit + patch
    return AxisTiles(size, view, start, unit, offsets, pixels, (count - 1) * unit + patch, margin)
