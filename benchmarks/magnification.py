"""How far may the magnification of an image be from that of the strokes? Where the warning about pixel sizes begins.

    python benchmarks/magnification.py FOLDER [--backbone filters] [--sampling fast] [--images 2]

FOLDER holds a folder for each set, as for `benchmarks/strokes.py`. A probe is trained on the strokes of an image and
segments the same image enlarged and reduced (bilinear, smoothed before it is reduced): mean IoU over the classes of the
mask, which is scaled alike; and once more with the image resampled back, as `patchfield segment --resample` does it
from the sizes of the pixels. The table has the means over sets for each factor, and the differences to factor 1 with
95 % bootstrap intervals over images, within sets.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize

from patchfield import LinearProbe
from patchfield.evaluate.metrics import mean_iou, paired_bootstrap
from patchfield.evaluate.micrographs import LabelledImage, labelled_sets, labels_of
from patchfield.field import FeatureRecipe
from patchfield.images import ImageSettings, model_image, read_image
from patchfield.pipeline import Extractor

FACTORS = (1.0, 0.33, 0.5, 0.67, 0.8, 1.25, 1.5, 2.0)
MAX_PIXELS = 600_000
"""Larger images are left out: enlarged, they take minutes."""


def main() -> None:
    """Print a row for each factor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", default="filters")
    parser.add_argument("--sampling", default="fast")
    parser.add_argument("--images", type=int, default=2)
    arguments = parser.parse_args()
    extractor = Extractor.load(FeatureRecipe(arguments.backbone, arguments.sampling, image=ImageSettings("none")))
    rows: list[list[tuple[float, float]]] = []
    groups: list[str] = []
    for labelled in labelled_sets(arguments.folder):
        print(labelled.name, file=sys.stderr)
        small = [image for image in labelled.images if np.prod(read_image(image.image).shape) <= MAX_PIXELS]
        for image in small[: arguments.images]:
            rows.append(scores(image, extractor))
            groups.append(labelled.name)
    table, names = np.array(rows), np.array(groups)
    print(f"{len(groups)} images of {len(set(groups))} sets, {arguments.backbone}, {arguments.sampling}\n")
    print("| factor | mean IoU | difference | resampled back | difference |\n|---|---|---|---|---|")
    for place, factor in sorted(enumerate(FACTORS), key=lambda entry: entry[1]):
        print(f"| {factor:g} | {_cells(table[:, :, 0], place, names)} | {_cells(table[:, :, 1], place, names)} |")


def _cells(table: NDArray[Any], place: int, names: NDArray[np.str_]) -> str:
    mean = np.mean([table[names == name, place].mean() for name in np.unique(names)])
    gap = paired_bootstrap(table[:, 0], table[:, place], names)
    return f"{mean:.3f} | {gap.mean:+.3f}: {gap.low:+.3f} to {gap.high:+.3f}"


def scores(image: LabelledImage, extractor: Extractor) -> list[tuple[float, float]]:
    """Mean IoU at each factor: of the scaled image, and of the same resampled back."""
    stack = read_image(image.image)
    # One contrast at all sizes: what a probe sees of other objects is not the question.
    pixels = model_image(stack).whole()
    mask, strokes = (labels_of(_known(path), stack.shape) for path in (image.mask, image.strokes))
    probe = LinearProbe().fit([(extractor.field(pixels), strokes)])
    found = []
    for factor in FACTORS:
        shape = tuple(max(32, round(length * factor)) for length in stack.shape)
        scaled = resize(pixels, (*shape, 3), order=1, anti_aliasing=factor < 1).astype(np.float32)
        truth: NDArray[Any] = resize(mask, shape, order=0, preserve_range=True, anti_aliasing=False)
        back = extractor.seen_with(replace(extractor.recipes[0].image, zoom=1 / factor))
        segmented = [probe.segment(each.field(scaled)) for each in (extractor, back)]
        as_it_is, resampled = (float(mean_iou(each, truth.astype(np.int64))) for each in segmented)
        found.append((as_it_is, resampled))
    return found


def _known(path: Path | None) -> Path:
    if path is None:
        raise SystemExit("Every image needs a mask and strokes.")
    return path


if __name__ == "__main__":
    main()
