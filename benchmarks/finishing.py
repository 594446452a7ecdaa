"""Does cleaning a segmentation make it better? Mean IoU before and after, on the stroke benchmark's predictions.

    python benchmarks/finishing.py FOLDER [--backbone filters] [--sampling balanced] [--set NAME] [--images N]

FOLDER is that of `benchmarks/strokes.py`, and so are the strokes, the splits and the scores: a set's first third of at
most six images gives the strokes, and every image is segmented. Each prediction is then cleaned in several ways. The
table has, for each way, the mean over the sets of the difference in mean IoU, with its 95 % interval (a paired
bootstrap of the images within their sets), the worst set, and how many images got better or worse.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stroke_images import chosen, thirds

from patchfield import LinearProbe
from patchfield.evaluate.metrics import mean_iou, paired_bootstrap
from patchfield.evaluate.micrographs import LabelledSet, labelled_sets, labels_of
from patchfield.field import FeatureRecipe
from patchfield.images import read_image
from patchfield.objects import Cleaning, clean
from patchfield.pipeline import Extractor

WAYS = {
    "smoothing 1": Cleaning(smoothing=1),
    "smoothing 2": Cleaning(smoothing=2),
    "smoothing 4": Cleaning(smoothing=4),
    "pieces of 16 pixels": Cleaning(min_size=16),
    "pieces of 64 pixels": Cleaning(min_size=64),
    "pieces of 256 pixels": Cleaning(min_size=256),
    "smoothing 2, pieces of 64 pixels": Cleaning(smoothing=2, min_size=64),
}


def main() -> None:
    """Print one row for each way of cleaning."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", default="filters")
    parser.add_argument("--sampling", default="balanced")
    parser.add_argument("--set", action="append", help="only this set; repeat it for several")
    parser.add_argument("--images", type=int, help="at most so many images of each set")
    arguments = parser.parse_args()
    extractor = Extractor.load([FeatureRecipe(name, arguments.sampling) for name in arguments.backbone.split("|")])
    rows: list[list[float]] = []
    groups: list[str] = []
    for labelled in labelled_sets(arguments.folder):
        if arguments.set and labelled.name not in arguments.set:
            continue
        found = scores(extractor, labelled, arguments.images)
        before, best = np.mean(found, axis=0)[0], np.mean(found, axis=0)[1:].max()
        print(f"{labelled.name}: {len(found)} images, {before:.3f}, best {best:.3f}", file=sys.stderr)
        rows += found
        groups += [labelled.name] * len(found)
    print_table(np.array(rows), np.array(groups))


def scores(extractor: Extractor, labelled: LabelledSet, limit: int | None) -> list[list[float]]:
    """For every image of a set its mean IoU as predicted, and after each way of cleaning."""
    images = chosen(labelled.images)
    train = [images[number] for number in thirds(len(images))[0][0]]
    strokes = [labels_of(image.strokes, read_image(image.image).shape) for image in train if image.strokes]
    fields = [extractor.field(read_image(image.image)) for image in train]
    probe = LinearProbe().fit(list(zip(fields, strokes, strict=True)))
    found = []
    for image in images[:limit]:
        mask = labels_of(image.truth, read_image(image.image).shape)
        segmentation = probe.segment(extractor.field(read_image(image.image)))
        cleaned = [segmentation, *(clean(segmentation, settings) for settings in WAYS.values())]
        found.append([mean_iou(result, mask) for result in cleaned])
    return found


def print_table(values: NDArray[Any], groups: NDArray[Any]) -> None:
    """The differences as a table in Markdown."""
    before = values[:, 0]
    mean = np.mean([before[groups == group].mean() for group in set(groups)])
    print(f"{len(before)} images of {len(set(groups))} sets, mean IoU {mean:.3f} before\n")
    print("| cleaning | difference | 95 % interval | worst set | better / worse |")
    print("|---|---|---|---|---|")
    for column, name in enumerate(WAYS, start=1):
        change = values[:, column] - before
        found = paired_bootstrap(before, values[:, column], groups)
        by_set = {group: change[groups == group].mean() for group in groups}
        worst = min(by_set, key=lambda group: by_set[group])
        counts = f"{(change > 0).sum()} / {(change < 0).sum()}"
        interval = f"{found.low:+.4f} to {found.high:+.4f}"
        print(f"| {name} | {found.mean:+.4f} | {interval} | {worst} {by_set[worst]:+.4f} | {counts} |")


if __name__ == "__main__":
    main()
