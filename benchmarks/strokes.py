"""A few strokes on a third of a set's images: how well are these, and the others, segmented?

    python benchmarks/strokes.py FOLDER [FOLDER ...] [--backbone micro] [--baselines] [--kept DIR]

FOLDER holds a folder for each set, with `image_NAME` and `mask_NAME` files. Of a set's images, sorted by name, every
(n // 6)-th is used, at most six. The strokes of a third of them train one method; every image is scored by the mean IoU
over the classes in its mask. Each third gives the strokes once, and strokes are drawn several times inside the masks by
`patchfield.samples.strokes`; a set's score is the mean over all. Give --backbone several times to compare, with | to
join features (--backbone micro --backbone "micro|filters"); `folds:DIR` is the networks of `unseen_kinds.py`.

Printed are the score of each set, and for all sets together, of the images that gave no strokes, the mean, the interval
of the difference to forest and logistic regression (bootstrap over sets: a new user is a new set), the regret (how far
below the best method of the run on the same set), and the share of images that collapse (more than .2 below the best
method of the run on the same image with the same strokes).

Baselines, on request in the same run: a forest of 100 trees and a logistic regression (scikit-learn) on the classical
features of scikit-image.

With --kept, features, strokes and scores are kept in a folder, and only what is new is computed the next time.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from stroke_images import COUNTS, DRAWS, Kept, Scored, chosen, find_sets, thirds
from stroke_methods import Method, Probe, SampledField, baselines
from stroke_tables import print_counts, print_sets, print_summary

from patchfield.evaluate.metrics import mean_iou
from patchfield.evaluate.micrographs import LabelledSet
from patchfield.probe.linear import DEFAULT_L2


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--backbone", action="append", help="names or files, joined by |; repeat it to compare")
    parser.add_argument("--sampling", default="balanced")
    parser.add_argument("--l2", type=float, default=DEFAULT_L2, help="the probe's penalty")
    parser.add_argument("--baselines", action="store_true", help="forest and logistic regression, too")
    parser.add_argument("--strokes", type=int, action="append", choices=COUNTS, help="of a class on an image (4)")
    parser.add_argument("--draws", type=int, default=DRAWS, choices=range(1, DRAWS + 1), help="of strokes")
    parser.add_argument("--set", action="append", help="only this set; repeat it for several")
    parser.add_argument("--kept", type=Path, help="folder for features, strokes and scores")
    arguments = parser.parse_args()
    methods: list[Method] = [
        Probe(joined.split("|"), arguments.sampling, arguments.l2) for joined in arguments.backbone or ["micro"]
    ]
    if arguments.baselines:
        methods += baselines()
    counts = arguments.strokes or [4]
    sets = [part for part in find_sets(arguments.folders) if not arguments.set or part.name in arguments.set]
    with TemporaryDirectory() as temporary:
        kept = Kept(arguments.kept or Path(temporary))
        scores = {
            count: {
                labelled.name: [set_scores(m, labelled, count, arguments.draws, kept) for m in methods]
                for labelled in sets
            }
            for count in counts
        }
    names = [method.name for method in methods]
    for count, by_set in scores.items():
        print(f"\n{count} stroke(s) of each class\n")
        print_sets(names, by_set)
        print()
        print_summary(names, by_set)
    if len(counts) > 1:
        print()
        print_counts(names, scores)
    print("\nseconds: " + ", ".join(f"{method.name} {method.seconds:.0f}" for method in methods))


def set_scores(method: Method, labelled: LabelledSet, count: int, draws: int, kept: Kept) -> NDArray[np.float64]:
    """Mean IoU by draw of strokes, third and image, (draws, thirds, images); -1 - IoU where the image gave strokes."""
    images = [Scored(image, kept) for image in chosen(labelled.images)]
    digests = " ".join([method.settings, *(image.digest for image in images)])
    folder = f"scores/{method.key(labelled.name)}/{labelled.name}-{sha256(digests.encode()).hexdigest()[:12]}"
    fields: list[SampledField] = []

    def computed(draw: int) -> NDArray[np.float64]:
        print(f"{method.name}: {labelled.name}, {count} stroke(s), draw {draw + 1}", file=sys.stderr, flush=True)
        fields.extend([method.field(image, labelled.name) for image in images] if not fields else [])
        return draw_scores(method, images, fields, count, draw)

    return np.stack([kept.array(f"{folder}/{count}-{draw}", partial(computed, draw)) for draw in range(draws)])


def draw_scores(
    method: Method, images: Sequence[Scored], fields: Sequence[SampledField], count: int, draw: int
) -> NDArray[np.float64]:
    """Mean IoU by third and image for one draw of strokes."""
    strokes = [image.strokes(draw, count) for image in images]
    asked = [(field, image.scored) for field, image in zip(fields, images, strict=True)]
    scores = []
    for train, _ in thirds(len(images)):
        found = method.timed([fields[n] for n in train], [strokes[n] for n in train], asked)
        ious = [mean_iou(labels, image.truth) for labels, image in zip(found, images, strict=True)]
        scores.append([-1 - iou if n in train else iou for n, iou in enumerate(ious)])
    return np.array(scores)


if __name__ == "__main__":
    main()
