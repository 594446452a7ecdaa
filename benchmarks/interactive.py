"""How live the live segmentation is: what a stroke costs, what a field takes, how long features need.

    python benchmarks/interactive.py [--megapixels 1 16] [--extract-megapixels 1] [--sampling hr-dv2]

The embedded backbones are measured as they are; of transformers a ViT-S/14 with random weights, since time does not
depend on their values. Every row runs in a process of its own, so that its peak memory is its own. The plain method
(dense features, upsampled view by view, then multiplied by the probe's weights) runs beside it on the same tokens;
compare ratios, machines differ.
"""

import argparse
import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from patchfield import LinearProbe
from patchfield.backbones import Backbone, load_backbone
from patchfield.backbones.published import EMBEDDED
from patchfield.backbones.vit import random_vit
from patchfield.field import FeatureField
from patchfield.pipeline import extract, extraction

CLASSES = 3
SAMPLINGS = {"balanced": "balanced (4 views)", "hr-dv2": "hr-dv2 (17 views)"}


def micrograph(megapixels: float) -> NDArray[np.uint8]:
    """A square uint8 image: smooth blobs and noise, since nothing here depends on what is seen."""
    side = round((megapixels * 2**20) ** 0.5)
    rows, columns = np.mgrid[:side, :side]
    blobs = np.sin(rows / 31) * np.cos(columns / 23)
    noise = np.random.default_rng(0).normal(0, 0.2, blobs.shape)
    pixels: NDArray[np.uint8] = np.clip((blobs + noise) * 60 + 128, 0, 255).astype(np.uint8)
    return pixels


def strokes(side: int, count: int) -> np.ndarray:
    """Labels with `count` strokes (5 x 60 px) for each class, scattered over the image."""
    labels = np.zeros((side, side), np.uint8)
    rng = np.random.default_rng(1)
    for _ in range(count):
        for value in range(1, CLASSES + 1):
            row, column = rng.integers(0, side - 64, 2)
            labels[row : row + 5, column : column + 60] = value
    return labels


def stroke_to_segmentation(megapixels: float, sampling: str) -> dict[str, float]:
    """Seconds from one more stroke to a new segmentation, its parts, and the bytes of the field."""
    return _answers_to_strokes(_field_of_random_tokens(megapixels, sampling))


def embedded(megapixels: float, name: str) -> dict[str, float]:
    """Seconds that the features of an embedded backbone take, and then a stroke."""
    backbone, image = load_backbone(name), micrograph(megapixels)
    extract(image[:256, :256], backbone)  # the first call of a network prepares its convolutions
    start = time.perf_counter()
    field = extract(image, backbone)
    return {"features": time.perf_counter() - start, **_answers_to_strokes(field)}


def _answers_to_strokes(field: FeatureField) -> dict[str, float]:
    side = field.shape[0]
    probe = LinearProbe()
    probe.fit([(field, strokes(side, 4))])
    refits, segmentations = [], []
    for count in range(5, 12):
        labels = strokes(side, count)
        refits.append(_seconds(partial(probe.fit, [(field, labels)])))
        segmentations.append(_seconds(partial(probe.segment, field)))
    total = np.median(np.array(refits) + np.array(segmentations))
    return {
        "total": float(total),
        "refit": float(np.median(refits)),
        "segment": float(np.median(segmentations)),
        "field": field.nbytes,
    }


def plain_segmentation(megapixels: float, sampling: str) -> dict[str, float]:
    """Seconds for the same segmentation by dense features: upsample all channels of each view, average, multiply."""
    field = _field_of_random_tokens(megapixels, sampling)
    weights = torch.randn(CLASSES, field.channels)

    def segment() -> torch.Tensor:
        mean = torch.zeros(field.channels, *field.shape)
        grids = field.blocks[0].grids
        for grid in grids:
            maps = grid.tokens.permute(2, 0, 1)[None].float()
            dense = torch.nn.functional.interpolate(maps, size=field.shape, mode="bilinear", align_corners=False)[0]
            mean += torch.roll(dense, (-grid.rows.view.shift, -grid.columns.view.shift), (1, 2)) / len(grids)
        return torch.einsum("kc,chw->khw", weights, mean).argmax(0)

    return {"total": _seconds(segment)}


def extraction_time(megapixels: float, sampling: str) -> dict[str, float]:
    """Seconds to the first usable field, per view and in all, of a real extraction."""
    backbone, image = random_vit(), micrograph(megapixels)
    start, views = time.perf_counter(), []
    for step in extraction(image, backbone, sampling):
        if step.field is not None:
            views.append(time.perf_counter() - start)
    return {"first": views[0], "view": views[-1] / len(views), "total": views[-1]}


def whole_image_pass(megapixels: float) -> dict[str, float]:
    """Seconds for one view with the whole image in one attention, as the published code runs it."""
    backbone = random_vit(precision="fp32")
    side = int((megapixels * 2**20) ** 0.5) // 14 * 14
    batch = torch.rand(1, 3, side, side)
    return {"view": _seconds(lambda: backbone.encode(batch))}


def _field_of_random_tokens(megapixels: float, sampling: str) -> FeatureField:
    """A field with the geometry of a real one, filled without waiting for a transformer."""
    vit = random_vit(depth=1)
    return extract(micrograph(megapixels), _Noise(vit), sampling)


class _Noise(Backbone):
    """Random tokens on the grids of another backbone."""

    def __init__(self, like: Backbone) -> None:
        self.name, self.options, self.fingerprint = "noise", {}, "noise"
        self.levels, self.tile, self.margin = like.levels, like.tile, like.margin
        self.device = torch.device("cpu")

    def encode(self, batch: torch.Tensor) -> list[torch.Tensor]:
        height, width = batch.shape[2:]
        return [
            torch.randn(len(batch), level.channels, level.tokens(height), level.tokens(width)) for level in self.levels
        ]


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _in_own_process(function: Callable[..., dict[str, float]], *arguments: Any) -> dict[str, float]:
    """Run `function` in a fresh process; adds `peak`, the bytes by which its memory grew above the imports."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_with_peak, (function, arguments))


def _with_peak(function: Callable[..., dict[str, float]], arguments: tuple[Any, ...]) -> dict[str, float]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = function(*arguments)
    result["peak"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    return result


def report_strokes(console: Console, sizes: list[float]) -> None:
    table = Table(
        "megapixels", "sampling", "stroke to segmentation", "refit", "segment", "field", "peak", "plain segment"
    )
    for megapixels in sizes:
        for sampling, title in SAMPLINGS.items():
            ours = _in_own_process(stroke_to_segmentation, megapixels, sampling)
            plain = "-"
            if megapixels <= 1:
                dense = _in_own_process(plain_segmentation, megapixels, sampling)
                plain = f"{dense['total']:.1f} s, peak {dense['peak'] / 1e9:.1f} GB"
            milliseconds = [f"{ours[part] * 1e3:.0f} ms" for part in ("total", "refit", "segment")]
            memory = [f"{ours['field'] / 1e6:.0f} MB", f"{ours['peak'] / 1e6:.0f} MB"]
            table.add_row(f"{megapixels:g}", title, *milliseconds, *memory, plain)
    console.print(table)


def report_extraction(console: Console, sizes: list[float], sampling: str) -> None:
    table = Table(
        "megapixels", "sampling", "first usable field", "per view", "all views", "peak", "one view in one piece"
    )
    for megapixels in sizes:
        ours = _in_own_process(extraction_time, megapixels, sampling)
        whole = "-"
        if megapixels <= 1:
            plain = _in_own_process(whole_image_pass, megapixels)
            whole = f"{plain['view']:.1f} s, peak {plain['peak'] / 1e9:.1f} GB"
        seconds = [f"{ours[part]:.1f} s" for part in ("first", "view", "total")]
        table.add_row(
            f"{megapixels:g}", SAMPLINGS.get(sampling, sampling), *seconds, f"{ours['peak'] / 1e9:.2f} GB", whole
        )
    console.print(table)


def report_embedded(console: Console, sizes: list[float]) -> None:
    table = Table("megapixels", "embedded", "features", "stroke to segmentation", "refit", "segment", "field")
    for megapixels in sizes:
        for weight in EMBEDDED:
            ours = _in_own_process(embedded, megapixels, weight.name)
            milliseconds = [f"{ours[part] * 1e3:.0f} ms" for part in ("total", "refit", "segment")]
            row = [f"{megapixels:g}", weight.name, f"{ours['features']:.2f} s", *milliseconds]
            table.add_row(*row, f"{ours['field'] / 1e6:.0f} MB")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 16], help="image sizes (default: 1 16)")
    parser.add_argument("--extract-megapixels", type=float, nargs="*", default=[1], help="sizes of the extraction rows")
    parser.add_argument("--sampling", default="hr-dv2", help="sampling of the extraction rows (default: hr-dv2)")
    options = parser.parse_args()
    console = Console(width=140)
    console.print(f"{os.cpu_count()} cores, torch {torch.__version__} with {torch.get_num_threads()} threads, ViT-S/14")
    report_embedded(console, options.extract_megapixels)
    report_strokes(console, options.megapixels)
    report_extraction(console, options.extract_megapixels, options.sampling)


if __name__ == "__main__":
    main()
