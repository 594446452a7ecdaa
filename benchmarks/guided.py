"""Does guided upsampling draw better borders than bilinear? Mean IoU of both on coarse tokens, and what it costs.

    python benchmarks/guided.py FOLDER [FOLDER ...] [--pool 14] [--of micro] [--sampling balanced] [--side 448]

The tokens are those of a network with patches of --pool pixels, imitated: the features of the embedded backbone --of,
averaged over patches. FOLDERs are those of `benchmarks/strokes.py`. Of each set, two images with strokes are used, cut
to --side pixels where most classes were painted; a probe learns from the strokes of each and segments the same image,
once with bilinear and once with guided upsampling. The table has the mean IoU, and that of the rarest class, over the
sets, with the 95 % interval of the difference (a paired bootstrap of the images within their sets).
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import avg_pool2d

from patchfield import LinearProbe
from patchfield.backbones import Backbone, load_backbone
from patchfield.backbones.base import Level
from patchfield.evaluate.metrics import paired_bootstrap
from patchfield.evaluate.micrographs import LabelledImage, labelled_sets, labels_of
from patchfield.field import Interpolation
from patchfield.images import ModelImage, read_image
from patchfield.pipeline import extract

IMAGES = 2
INTERPOLATIONS: tuple[Interpolation, ...] = ("bilinear", "guided")


class Pooled(Backbone):
    """A backbone of coarse tokens: those of a fine one, averaged over patches."""

    def __init__(self, fine: Backbone, patch: int) -> None:
        channels = sum(level.channels for level in fine.levels)
        self.name, self.options = f"{fine.name} / {patch}", {}
        self.fingerprint, self.device = f"{fine.fingerprint} / {patch}", fine.device
        self.levels = (Level(patch, patch, channels),)
        self.tile, self.margin = fine.tile // patch * patch, fine.margin
        self._fine, self._patch = fine, patch

    def adapted(self, image: ModelImage) -> "Pooled":
        """The same of what the fine backbone becomes."""
        return Pooled(self._fine.adapted(image), self._patch)

    def encode(self, batch: torch.Tensor) -> list[torch.Tensor]:
        """The means of the fine tokens over each patch."""
        unit = max(level.pitch for level in self._fine.levels)
        height, width = batch.shape[2:]
        padded = torch.nn.functional.pad(batch, (0, -width % unit, 0, -height % unit), mode="replicate")
        pooled = []
        for level, tokens in zip(self._fine.levels, self._fine.encode(padded), strict=True):
            pixels = tokens.repeat_interleave(level.pitch, 2).repeat_interleave(level.pitch, 3)
            pooled.append(avg_pool2d(pixels[:, :, :height, :width], self._patch))
        return [torch.cat(pooled, 1)]


def main() -> None:
    """Print what both ways of upsampling reach, and what guides cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="+")
    parser.add_argument("--pool", type=int, default=14)
    parser.add_argument("--of", default="micro")
    parser.add_argument("--sampling", default="balanced")
    parser.add_argument("--side", type=int, default=448)
    arguments = parser.parse_args()
    backbone = Pooled(load_backbone(arguments.of), arguments.pool)
    rows, groups = [], []
    for folder in arguments.folder:
        for labelled in labelled_sets(folder):
            for image in [image for image in labelled.images if image.strokes][:IMAGES]:
                found = scores(image, backbone, arguments.sampling, arguments.side)
                if found is not None:
                    rows.append(found)
                    groups.append(labelled.name)
                    print(f"| {labelled.name} | " + " | ".join(f"{value:.3f}" for value in found.ravel()) + " |")
    print_table(np.array(rows), np.array(groups))
    print_costs(backbone, arguments.sampling)


def scores(image: LabelledImage, backbone: Backbone, sampling: str, side: int) -> NDArray[np.float64] | None:
    """Mean IoU and that of the rarest class for each interpolation, (2, 2); None where one class only was painted."""
    pixels = read_image(image.image).pixels
    strokes, mask = (labels_of(path, pixels.shape[:2]) for path in (image.strokes, image.truth) if path)
    part = _most_painted(strokes, side)
    pixels, strokes, mask = np.ascontiguousarray(pixels[part]), strokes[part], mask[part]
    if len(np.unique(strokes[strokes > 0])) < 2:
        return None
    found = []
    for interpolation in INTERPOLATIONS:
        field = extract(pixels, backbone, sampling, interpolation)
        segmentation = LinearProbe().fit([(field, strokes)]).segment(field)
        present = [value for value in np.unique(mask) if value > 0]
        overlaps = [_overlap(segmentation, mask, value) for value in present]
        rarest = int(np.argmin([(mask == value).sum() for value in present]))
        found.append([np.mean(overlaps), overlaps[rarest]])
    return np.array(found)


def print_table(values: NDArray[np.float64], groups: NDArray[np.str_]) -> None:
    """The means over sets of both measures, and their differences."""
    print(f"\n{len(values)} images of {len(set(groups))} sets\n")
    print("| | bilinear | guided | difference | 95 % interval | worst set | better / worse by .005 |")
    print("|---|---|---|---|---|---|---|")
    for column, name in enumerate(("mean IoU", "IoU of the rarest class")):
        before, after = values[:, 0, column], values[:, 1, column]
        found = paired_bootstrap(before, after, groups)
        change = after - before
        by_set = {group: change[groups == group].mean() for group in groups}
        worst = min(by_set, key=lambda group: by_set[group])
        means = [np.mean([part[groups == group].mean() for group in set(groups)]) for part in (before, after)]
        print(
            f"| {name} | {means[0]:.3f} | {means[1]:.3f} | {found.mean:+.3f} | {found.low:+.3f} to {found.high:+.3f} "
            f"| {worst} {by_set[worst]:+.3f} | {(change > 0.005).sum()} / {(change < -0.005).sum()} |"
        )


def print_costs(backbone: Backbone, sampling: str) -> None:
    """What a guide adds to an extraction, a stroke and the memory of a field of one megapixel."""
    pixels = np.random.default_rng(0).integers(0, 255, (1024, 1024), np.uint8)
    print("\n| 1024 x 1024 | extraction | stroke to segmentation, 3 classes | field |\n|---|---|---|---|")
    weights = np.random.default_rng(0).standard_normal((backbone.channels, 3)).astype(np.float32)
    for interpolation in INTERPOLATIONS:
        start = time.process_time()
        field = extract(pixels, backbone, sampling, interpolation)
        extraction = time.process_time() - start
        spent = []
        for _ in range(6):
            start = time.process_time()
            field.argmax(weights)
            spent.append(time.process_time() - start)
        # The first segmentation makes the matrix that is kept.
        print(
            f"| {interpolation} | {extraction:.1f} s | {1000 * min(spent):.0f} ms (first {1000 * spent[0]:.0f} ms) "
            f"| {field.nbytes / 1e6:.0f} MB |"
        )


def _most_painted(strokes: NDArray[np.integer], side: int) -> tuple[slice, slice]:
    """The square of nine with most classes, and most pixels, painted."""
    candidates = []
    for top in {0, max(0, (strokes.shape[0] - side) // 2), max(0, strokes.shape[0] - side)}:
        for left in {0, max(0, (strokes.shape[1] - side) // 2), max(0, strokes.shape[1] - side)}:
            part = slice(top, top + side), slice(left, left + side)
            painted = strokes[part][strokes[part] > 0]
            candidates.append(((len(np.unique(painted)), len(painted), -top, -left), part))
    return max(candidates, key=lambda candidate: candidate[0])[1]


def _overlap(segmentation: NDArray[np.integer], mask: NDArray[np.integer], value: int) -> float:
    found, wanted = (segmentation == value) & (mask > 0), mask == value
    return float((found & wanted).sum() / max(1, (found | wanted).sum()))


if __name__ == "__main__":
    main()
