"""Segment without labels: how much of the drawn classes do clusters find by themselves?

    python benchmarks/unlabelled.py FOLDER [--backbone micro] [--side 16] [--images 4] [--sets NAME ...]

FOLDER holds a folder for each set, with `image_NAME` and `mask_NAME` files. Of each set, sorted by name, every
(n // images)-th image is used. All images of a set are clustered together, into as many groups as its masks have
classes: by plain k-means of the pixels' features, and by the chain of `patchfield clusters`: features pooled over
squares, 80 clusters, merged. Groups and classes are matched one to one over all images of the set (Hungarian), and the
score is the mean over images of the mean IoU over the classes in their masks. The difference is that of the sets'
means, with a 95 % interval over images resampled within sets. The last columns are the number of groups that the rule
without labels proposes, and its score with every group counted for the class it has most of.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.evaluate.metrics import contingency_table, mean_iou_of_image
from patchfield.evaluate.metrics.bootstrap import paired_bootstrap
from patchfield.evaluate.metrics.matching import match_by_precision, match_one_to_one, matched_confusion
from patchfield.evaluate.micrographs import LabelledSet, labelled_sets, labels_of
from patchfield.explore import Clusters, MergeTree, pooled
from patchfield.field import FeatureField, FeatureRecipe
from patchfield.images import read_image
from patchfield.pipeline import Extractor

CLUSTERS = 80


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", default="micro")
    parser.add_argument("--sampling", default="balanced")
    parser.add_argument("--side", type=float, nargs="+", default=[16.0], help="Pixels over which features are pooled.")
    parser.add_argument("--images", type=int, default=4, help="At most so many of each set.")
    parser.add_argument("--sets", nargs="*", help="Only these.")
    arguments = parser.parse_args()
    extractor = Extractor.load(FeatureRecipe(arguments.backbone, arguments.sampling))
    plain: list[float] = []
    chain: dict[float, list[float]] = {side: [] for side in arguments.side}
    of: list[str] = []
    columns = "".join(f"{f'{side:g} px':>10}{'groups':>8}{'score':>7}" for side in arguments.side)
    print(f"{'set':34}{'classes':>8}{'k-means':>9}{columns}")
    for labelled in labelled_sets(arguments.folder):
        if arguments.sets and labelled.name not in arguments.sets:
            continue
        fields, masks = material(labelled, extractor, arguments.images)
        classes = np.unique(np.concatenate([mask[mask > 0] for mask in masks]))
        scores = hungarian([Clusters.fit(fields, len(classes)).assign(field) for field in fields], masks, classes)
        line = f"{labelled.name:34}{len(classes):8}{np.mean(scores):9.3f}"
        for side in arguments.side:
            merged, natural, majority = segmented(fields, masks, classes, side)
            chain[side] += merged
            line += f"{np.mean(merged):10.3f}{natural:8}{np.mean(majority):7.3f}"
        plain += scores
        of += [labelled.name] * len(scores)
        print(line, flush=True)
    for side in arguments.side:
        found = paired_bootstrap(plain, chain[side], of)
        interval = f"{found.low:+.3f} to {found.high:+.3f}"
        print(f"{side:g} px against k-means: {found.mean:+.3f} ({interval}, {found.count} images)")


def material(labelled: LabelledSet, extractor: Extractor, most: int) -> tuple[list[FeatureField], list[NDArray[Any]]]:
    """Fields and masks of some images of a set."""
    images = sorted(labelled.images, key=lambda image: image.name)
    fields, masks = [], []
    for image in images[:: max(1, len(images) // most)][:most]:
        micrograph = read_image(image.image)
        fields.append(extractor.field(micrograph))
        masks.append(labels_of(image.truth, micrograph.pixels.shape[:2]))
    return fields, masks


def segmented(
    fields: list[FeatureField], masks: list[NDArray[Any]], classes: NDArray[Any], side: float
) -> tuple[list[float], int, list[float]]:
    """Scores with as many groups as classes, the proposed number of groups, and the scores with these."""
    wide = [pooled(field, side) for field in fields]
    clusters = Clusters.fit(wide, CLUSTERS)
    tree = MergeTree.from_clusters(clusters)
    numbers = [clusters.assign(field) for field in wide]
    groups = np.append(0, tree.groups(len(classes)))
    proposed = np.append(0, tree.groups(tree.natural))
    exact = hungarian([groups[number] for number in numbers], masks, classes)
    return exact, tree.natural, hungarian([proposed[number] for number in numbers], masks, classes, one_to_one=False)


def hungarian(
    found: list[NDArray[Any]], masks: list[NDArray[Any]], classes: NDArray[Any], one_to_one: bool = True
) -> list[float]:
    """Mean IoU of each image, groups matched to classes over all images together."""
    numbers = range(1, int(max(labels.max() for labels in found)) + 1)
    pairs = zip(found, masks, strict=True)
    tables = np.stack([contingency_table(labels, mask, numbers, classes) for labels, mask in pairs])
    match = (match_one_to_one if one_to_one else match_by_precision)(tables.sum(0))
    return [float(score) for score in mean_iou_of_image(matched_confusion(tables, match))]


if __name__ == "__main__":
    main()
