"""Image -> field: the views of an image, tile by tile, through a backbone."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from patchfield.backbones import Backbone
from patchfield.backbones.base import Level
from patchfield.backbones.filters import FilterBank
from patchfield.field.field import Block, FeatureField
from patchfield.field.grid import Grid, empty_tokens
from patchfield.field.guide import GUIDE_VERSION, MIN_PITCH, guide_weights
from patchfield.field.guide_features import GuideFeatures
from patchfield.field.lattice import Lattice, LatticeAxis
from patchfield.field.recipe import FeatureRecipe
from patchfield.field.tiles import Tiling, tile_axis
from patchfield.field.views import Sampling, View
from patchfield.images import ModelImage

_GPU_BATCH = 8
"""Crops sent to a GPU together; on a CPU one crop already keeps all cores busy, and cancelling is quicker."""

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


def extraction_steps(image: ModelImage, backbone: Backbone, recipe: FeatureRecipe) -> Iterator[ExtractionStep]:
    """The steps towards the field of an image: one per batch of crops, with a usable field after the first view.

    Close the iterator (or just stop asking) to cancel: nothing goes on in the background.

    Parameters
    ----------
    image : ModelImage
    backbone : Backbone
    recipe : FeatureRecipe
        That of this backbone and this image.

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
    for view, tiling, count in plan:
        canvas = _Canvas(tiling, backbone.levels)
        *batches, last = _batches(tiling, backbone.device)
        for batch in batches:
            _encode(image, view, batch, backbone, canvas)
            done += len(batch)
            yield ExtractionStep(done, total, None)
        _encode(image, view, last, backbone, canvas)
        done += len(last)
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


def estimate(shape: tuple[int, int], backbone: Backbone, sampling: str | Sampling = "balanced") -> Estimate:
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
    first = plan[0][1]
    pixels = first.rows.length * first.columns.length
    return Estimate(nbytes, len(plan), sum(len(tiling) for _, tiling, _ in plan), pixels)


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


def _batches(tiling: Tiling, device: torch.device) -> list[list[tuple[int, int]]]:
    size = 1 if device.type == "cpu" else _GPU_BATCH
    tiles = list(tiling)
    return [tiles[start : start + size] for start in range(0, len(tiles), size)]


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

    def add(self, level: int, tile: tuple[int, int], values: torch.Tensor) -> None:
        """Add the tokens (C, h, w) of a crop, weighted by its share in the overlaps."""
        rows, columns = (fade[i].to(values.device) for fade, i in zip(self._fades[level], tile, strict=True))
        weighted = torch.nan_to_num(values.float()) * rows[:, None] * columns
        rows_of_tile = self.tiling.rows.tokens(tile[0], self._levels[level])
        columns_of_tile = self.tiling.columns.tokens(tile[1], self._levels[level])
        self._tokens[level][rows_of_tile, columns_of_tile] += (
            weighted.clamp_(-_HALF_MAX, _HALF_MAX).permute(1, 2, 0).half().cpu()
        )

    def grids(self, count: int) -> list[Grid]:
        """The finished grids, one per level, for a view that occurs `count` times."""
        tiling = self.tiling
        return [
            Grid(tokens, tiling.rows.axis(level), tiling.columns.axis(level), count)
            for tokens, level in zip(self._tokens, self._levels, strict=True)
        ]
