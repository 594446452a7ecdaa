"""Image -> field: the views of an image, tile by tile, through a backbone."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray

from patchfield.backbones import Backbone
from patchfield.backbones.base import Level
from patchfield.backbones.filters import FilterBank
from patchfield.field.axis import Interpolation
from patchfield.field.field import Block, FeatureField, Region
from patchfield.field.grid import Grid, empty_tokens
from patchfield.field.guide import GUIDE_VERSION, MIN_PITCH, guide_bytes, guide_weights
from patchfield.field.guide_features import GuideFeatures
from patchfield.field.lattice import Lattice, LatticeAxis
from patchfield.field.recipe import FeatureRecipe
from patchfield.field.tiles import Tiling, tile_axis
from patchfield.field.views import Sampling, View
from patchfield.images import ModelImage

_GPU_BATCH = 8
"""Crops sent to a GPU together; on a CPU one crop already keeps all cores busy, and cancelling is quicker."""

_GROWTH = 1.25
"""A field that grows is told anew when it has so many times the crops."""

_GROWS_FROM = 8
"""A view of so many crops takes long enough to show it while it grows."""

_HALF_MAX = float(torch.finfo(torch.float16).max)


@dataclass(frozen=True)
class ExtractionStep:
    """Progress of an extraction.

    Attributes
    ----------
    done, total : int
        Crops encoded so far, and in all.
    field : FeatureField or None
        The field so far, whenever another view is complete: it has its final channels and refines with each view.
        Where the crops come in the order of what is looked at, also before: pixels that are still to come are missing.
    """

    done: int
    total: int
    field: FeatureField | None


@dataclass(frozen=True)
class Estimate:
    """What an extraction will take: bytes of the field, distinct views, crops, and pixels per crop."""

    nbytes: int
    views: int
    tiles: int
    pixels_per_tile: int


LookedAt = Callable[[], Region | None]
"""What is looked at right now; asked before every batch of crops."""


def extraction_steps(
    image: ModelImage, backbone: Backbone, recipe: FeatureRecipe, looked_at: LookedAt | None = None
) -> Iterator[ExtractionStep]:
    """The steps towards the field of an image: one per batch of crops, with a usable field after the first view.

    Close the iterator (or just stop asking) to cancel: nothing goes on in the background.

    Parameters
    ----------
    image : ModelImage
    backbone : Backbone
    recipe : FeatureRecipe
        That of this backbone and this image.
    looked_at : callable, optional
        Crops of the first view that lie nearest to it come first, and the field grows from there.

    Yields
    ------
    ExtractionStep
    """
    plan = _distinct_tilings(image.shape, backbone, Sampling.parse(recipe.sampling))
    missing = image.missing()
    total, done = sum(len(tiling) for _, tiling, _ in plan), 0
    backbone = backbone.adapted(image)
    guides = _Guides(image) if recipe.interpolation == "guided" else None
    grids: list[list[Grid]] = [[] for _ in backbone.levels]
    for number, (view, tiling, count) in enumerate(plan):
        canvas = _Canvas(tiling, backbone.levels)
        order = _Order(tiling, image.shape, backbone, looked_at if number == 0 else None)
        for batch in order:
            _encode(image, view, batch, backbone, canvas)
            done += len(batch)
            if not order.left:
                break
            field = None
            if order.has_grown():
                # Guide weights are of the whole image: they come with the whole view.
                how = "bilinear" if recipe.interpolation == "guided" else recipe.interpolation
                blocks = tuple(Block((grid,), how) for grid in canvas.grids(count))
                field = FeatureField(image.shape, blocks, (recipe,), order.missing(missing))
            yield ExtractionStep(done, total, field)
        for level_grids, grid in zip(grids, canvas.grids(count), strict=True):
            level_grids.append(grid)
        blocks = tuple(_block(tuple(level_grids), recipe, guides) for level_grids in grids)
        yield ExtractionStep(done, total, FeatureField(image.shape, blocks, (recipe,), missing))


def _block(grids: tuple[Grid, ...], recipe: FeatureRecipe, guides: "_Guides | None") -> Block:
    coarse = grids[0].rows.pitch >= MIN_PITCH
    return Block(grids, recipe.interpolation, guides.weights(grids) if guides is not None and coarse else None)


class _Guides:
    """Guide weights of an image for the lattices of its levels, made when they are asked for."""

    def __init__(self, image: ModelImage) -> None:
        self._image = image
        self._features: GuideFeatures | None = None
        self._known: dict[tuple[LatticeAxis, LatticeAxis], torch.Tensor] = {}

    def weights(self, grids: tuple[Grid, ...]) -> torch.Tensor:
        """The weights (h, w, 25) float16 for the lattice of some views."""
        lattice = Lattice(grids)
        key = lattice.rows, lattice.columns
        if key not in self._known:
            self._features = self._features or _guide_features(self._image)
            self._known[key] = guide_weights(lattice, self._features)
        return self._known[key]


def guide_fingerprint() -> str:
    """Hash of what guided interpolation goes by: equal ones weigh alike."""
    digest = hashlib.sha256(f"{GUIDE_VERSION} {FilterBank().fingerprint}".encode())
    return digest.hexdigest()[:16]


def _guide_features(image: ModelImage) -> GuideFeatures:
    """What the filter bank says of an image: what the guide goes by."""
    bank = FilterBank()
    recipe = FeatureRecipe.for_backbone(bank, "fast", image=image.settings)
    return GuideFeatures(final_field(extraction_steps(image, bank, recipe)))


def final_field(
    steps: Iterable[ExtractionStep], progress: Callable[[ExtractionStep], None] | None = None
) -> FeatureField:
    """The field that some steps end with; `progress` is called with each of them."""
    field = None
    for step in steps:
        field = step.field or field
        if progress is not None:
            progress(step)
    if field is None:
        raise AssertionError("an extraction ends with a field")
    return field


def is_coarse(backbone: Backbone) -> bool:
    """Whether all tokens of a backbone stand so far apart that guided interpolation has something to do.

    Examples
    --------
    >>> import patchfield as pf
    >>> is_coarse(pf.load_backbone("filters"))
    False
    """
    return min(level.pitch for level in backbone.levels) >= MIN_PITCH


def estimate(
    shape: tuple[int, int],
    backbone: Backbone,
    sampling: str | Sampling = "balanced",
    interpolation: Interpolation = "bilinear",
) -> Estimate:
    """What the field of an image of `shape` will take, without computing it.

    Examples
    --------
    >>> import patchfield as pf
    >>> from patchfield.field import estimate
    >>> estimate((1024, 1024), pf.load_backbone("filters"), "fast").views
    1
    """
    plan = _distinct_tilings(shape, backbone, Sampling.parse(sampling))
    nbytes = 0
    for _, tiling, _ in plan:
        for level in backbone.levels:
            rows, columns = _counts(tiling, level)
            nbytes += rows * columns * level.channels * torch.float16.itemsize
    if interpolation == "guided":
        nbytes += sum(guide_bytes(shape) for level in backbone.levels if level.pitch >= MIN_PITCH)
    first = plan[0][1]
    pixels = first.rows.length * first.columns.length
    return Estimate(nbytes, len(plan), sum(len(tiling) for _, tiling, _ in plan), pixels)


def is_alike(backbone: Backbone, sampling: str | Sampling, other: str | Sampling) -> bool:
    """Whether two samplings give the same features: a backbone of fine pitch has no phases.

    Examples
    --------
    >>> import patchfield as pf
    >>> from patchfield.field import is_alike
    >>> filters = pf.load_backbone("filters")
    >>> is_alike(filters, "fast", "fine"), is_alike(filters, "fast", "hr-dv2")
    (True, False)
    """
    side = 2 * backbone.tile
    plans = [_distinct_tilings((side, side), backbone, Sampling.parse(each)) for each in (sampling, other)]
    shares = [
        {(view.transpose, tiling): count / sum(count for _, _, count in plan) for view, tiling, count in plan}
        for plan in plans
    ]
    return shares[0] == shares[1]


def _distinct_tilings(shape: tuple[int, int], backbone: Backbone, sampling: Sampling) -> list[tuple[View, Tiling, int]]:
    """The views with their crops; views whose crops are the same (a filter bank has no phases) count as one."""
    distinct: dict[tuple[object, ...], tuple[View, Tiling, int]] = {}
    for view, count in sampling.counted().items():
        axes = [
            tile_axis(size, axis_view, backbone.levels, backbone.tile, backbone.margin)
            for size, axis_view in zip(shape, (view.rows, view.columns), strict=True)
        ]
        key = (view.transpose, *((axis.view_direction, axis.start) for axis in axes))
        first_view, tiling, so_far = distinct.get(key, (view, Tiling(*axes), 0))
        distinct[key] = (first_view, tiling, so_far + count)
    return list(distinct.values())


class _Order:
    """The crops of a view, batch by batch: row by row, or those first that are looked at.

    Parameters
    ----------
    tiling : Tiling
    shape : (int, int)
        Of the image.
    backbone : Backbone
    looked_at : callable, optional

    Attributes
    ----------
    left : list of (int, int)
        The crops that are still to come.
    """

    def __init__(self, tiling: Tiling, shape: tuple[int, int], backbone: Backbone, looked_at: LookedAt | None) -> None:
        self.left = list(tiling)
        self._shape, self._looked_at = shape, looked_at if len(self.left) >= _GROWS_FROM else None
        self._size = 1 if backbone.device.type == "cpu" else _GPU_BATCH
        self._reach = max(level.patch for level in backbone.levels)
        self._boxes = [
            [_extent(axis.pixels(tile)) for tile in range(len(axis.offsets))] for axis in (tiling.rows, tiling.columns)
        ]
        self._total, self._told = len(self.left), 0

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        while self.left:
            looked_at = None if self._looked_at is None else self._looked_at()
            if looked_at is not None:
                self.left.sort(key=lambda tile: self._distance(tile, looked_at))
            batch, self.left = self.left[: self._size], self.left[self._size :]
            yield batch

    def has_grown(self) -> bool:
        """Whether it is worth a field that so many crops are there: each time by a quarter more."""
        done = self._total - len(self.left)
        grown = self._looked_at is not None and done >= max(1, _GROWTH * self._told)
        if grown:
            self._told = done
        return grown

    def missing(self, missing: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        """The pixels without a value, and all that crops still to come contribute to."""
        absent = np.zeros(self._shape, bool) if missing is None else missing.copy()
        for row, column in self.left:
            (top, bottom), (left, right) = self._boxes[0][row], self._boxes[1][column]
            rows = slice(max(0, top - self._reach), bottom + self._reach)
            absent[rows, max(0, left - self._reach) : right + self._reach] = True
        return absent

    def _distance(self, tile: tuple[int, int], looked_at: Region) -> float:
        """Pixels from the middle of what is looked at to that of a crop."""
        distance = 0.0
        for boxes, index, part in zip(self._boxes, tile, looked_at, strict=True):
            first, last = boxes[index]
            distance += abs((first + last) / 2 - (int(part.start) + int(part.stop)) / 2)
        return distance


def _within(part: slice, whole: slice) -> slice:
    """A part, counted from where the whole begins."""
    return slice(part.start - whole.start, part.stop - whole.start)


def _extent(pixels: NDArray[np.integer]) -> tuple[int, int]:
    """First pixel and the one behind the last."""
    return int(pixels.min()), int(pixels.max()) + 1


def _encode(image: ModelImage, view: View, batch: list[tuple[int, int]], backbone: Backbone, canvas: "_Canvas") -> None:
    """Encode a batch of crops of a view and put their tokens into place."""
    rows, columns = canvas.tiling.rows, canvas.tiling.columns
    crops = [image.crop(rows.pixels(i), columns.pixels(j)) for i, j in batch]
    pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
    encoded = backbone.encode(pixels.transpose(2, 3) if view.transpose else pixels)
    for level, tokens in enumerate(encoded):
        oriented = tokens.transpose(2, 3) if view.transpose else tokens
        for tile, values in zip(batch, oriented, strict=True):
            canvas.add(level, tile, values)


def _counts(tiling: Tiling, level: Level) -> tuple[int, int]:
    return tiling.rows.axis(level).count, tiling.columns.axis(level).count


class _Canvas:
    """The token grids of one view while its crops come in.

    Parameters
    ----------
    tiling : Tiling
    levels : sequence of Level
    """

    def __init__(self, tiling: Tiling, levels: Sequence[Level]) -> None:
        self.tiling, self._levels = tiling, levels
        self._tokens = [empty_tokens(*_counts(tiling, level), level.channels) for level in levels]
        self._fades = [
            tuple(torch.from_numpy(axis.fade(level)) for axis in (tiling.rows, tiling.columns)) for level in levels
        ]
        self._corners: dict[tuple[int, int, int], dict[tuple[int, int], torch.Tensor]] = {}

    def add(self, level: int, tile: tuple[int, int], values: torch.Tensor) -> None:
        """Add the tokens (C, h, w) of a crop, weighted by its share in the overlaps.

        In which order crops come changes no bit: two summands commute, and where four crops meet they wait for each
        other.
        """
        rows, columns = (fade[i].to(values.device) for fade, i in zip(self._fades[level], tile, strict=True))
        weighted = torch.nan_to_num(values.float()) * rows[:, None] * columns
        share = weighted.clamp_(-_HALF_MAX, _HALF_MAX).permute(1, 2, 0).half().cpu()
        rows_of_tile = self.tiling.rows.tokens(tile[0], self._levels[level])
        columns_of_tile = self.tiling.columns.tokens(tile[1], self._levels[level])
        for row, column in product((tile[0] - 1, tile[0]), (tile[1] - 1, tile[1])):
            shared = self._meeting(level, row, column)
            if shared is not None:
                part = share[_within(shared[0], rows_of_tile), _within(shared[1], columns_of_tile)]
                self._wait(level, (row, column), tile, shared, part)
                part.zero_()
        self._tokens[level][rows_of_tile, columns_of_tile] += share

    def _meeting(self, level: int, row: int, column: int) -> tuple[slice, slice] | None:
        """The tokens that the crops (row, column) and (row + 1, column + 1) share with the two beside them."""
        both = []
        for axis, first in ((self.tiling.rows, row), (self.tiling.columns, column)):
            if not 0 <= first < len(axis.offsets) - 1:
                return None
            before, after = (axis.tokens(tile, self._levels[level]) for tile in (first, first + 1))
            if after.start >= before.stop:
                return None
            both.append(slice(after.start, before.stop))
        return both[0], both[1]

    def _wait(
        self,
        level: int,
        meeting: tuple[int, int],
        tile: tuple[int, int],
        shared: tuple[slice, slice],
        part: torch.Tensor,
    ) -> None:
        """Keep a part until all four are there, and add them row by row."""
        parts = self._corners.setdefault((level, *meeting), {})
        parts[tile] = part.clone()
        if len(parts) == 4:
            for _, each in sorted(self._corners.pop((level, *meeting)).items()):
                self._tokens[level][shared] += each

    def grids(self, count: int) -> list[Grid]:
        """The finished grids, one per level, for a view that occurs `count` times."""
        tiling = self.tiling
        return [
            Grid(tokens, tiling.rows.axis(level), tiling.columns.axis(level), count)
            for tokens, level in zip(self._tokens, self._levels, strict=True)
        ]
