"""A probe from a file, corrected by strokes on another image: what keeps what it knew, and learns what is new?

    python benchmarks/correcting.py FOLDER [--backbone filters] [--sampling fast] [--images 4] [--only SET ...]

FOLDER holds a folder for each set, as for `benchmarks/strokes.py`. Of each set up to --images images are used, and
every ordered pair (A, B) of neighbours once: a probe is trained on the strokes of A, saved, loaded, and corrected with
one stroke on B, the largest of the class that the probe knows worst there. Scored by the mean IoU over the classes of
the mask: A, B, and the other images of the set. Compared with training on all strokes of A and that of B again
("scratch"):

- nothing: the probe of A as it is
- forgetting: what was done before samples were kept: a fit to B alone, which needs a stroke of a second class there
- kept N: at most N samples of each class travel in the file
- prior S: the stroke of B, and the squared distance to the loaded weights (of features standardised as A's were) as a
  penalty of S times the probe's

Each row has the mean, and its difference to scratch with a 95 % bootstrap interval over pairs, within sets.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from patchfield import LinearProbe
from patchfield.evaluate.metrics import mean_iou, paired_bootstrap
from patchfield.evaluate.micrographs import LabelledImage, LabelledSet, labelled_sets, labels_of
from patchfield.field import FeatureField, FeatureRecipe
from patchfield.images import read_image
from patchfield.pipeline import Extractor
from patchfield.probe import find_strokes, kept
from patchfield.probe.linear import DEFAULT_L2
from patchfield.probe.solver import LinearMap

KEPT = (50, 125, 500, 2000)
PRIORS = (1.0, 10.0, 100.0)
PLACES = ("A", "B", "others")

Labels = NDArray[np.int64]


class Open:
    """An image of a set with its field, mask and strokes."""

    def __init__(self, image: LabelledImage, extractor: Extractor) -> None:
        assert image.mask is not None
        assert image.strokes is not None
        stack = read_image(image.image)
        self.field: FeatureField = extractor.field(stack)
        self.mask: Labels = labels_of(image.mask, stack.shape)
        self.strokes: Labels = labels_of(image.strokes, stack.shape)

    def score(self, scores: LinearMap, values: Labels) -> float:
        """Mean IoU of a segmentation."""
        return float(mean_iou(values[self.field.argmax(scores.weights, scores.bias)], self.mask))


def main() -> None:
    """Print a row for each method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", default="filters")
    parser.add_argument("--sampling", default="fast")
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--only", nargs="*", help="names of sets")
    arguments = parser.parse_args()
    extractor = Extractor.load(FeatureRecipe(arguments.backbone, arguments.sampling))
    table: dict[str, list[list[float]]] = {}
    groups: list[str] = []
    for labelled in labelled_sets(arguments.folder):
        if arguments.only and labelled.name not in arguments.only:
            continue
        print(labelled.name, file=sys.stderr)
        for scores in of_set(labelled, extractor, arguments.images):
            groups.append(labelled.name)
            for name, places in scores.items():
                table.setdefault(name, []).append(places)
    print_table(table, groups)


def of_set(labelled: LabelledSet, extractor: Extractor, count: int) -> Iterator[dict[str, list[float]]]:
    """The scores of each method at each place, for every pair of neighbours."""
    whole = [image for image in labelled.images if image.mask is not None and image.strokes is not None]
    opened = [Open(image, extractor) for image in whole[:: max(1, len(whole) // count)][:count]]
    if len(opened) < 2:
        return
    for first, a in enumerate(opened):
        second = (first + 1) % len(opened)
        others = [image for number, image in enumerate(opened) if number not in (first, second)]
        yield of_pair(a, opened[second], others)


def of_pair(a: Open, b: Open, others: Sequence[Open]) -> dict[str, list[float]]:
    """The scores of each method on A, on B, and the mean on the others (NaN without any)."""
    trained = LinearProbe().fit([(a.field, a.strokes)])
    stroke = worst_stroke(trained, b)
    found: dict[str, tuple[LinearMap, Labels]] = {"nothing": _known(trained)}
    found["scratch"] = _known(LinearProbe().fit([(a.field, a.strokes), (b.field, stroke)]))
    second = largest_stroke(b.strokes, [value for value in np.unique(b.strokes) if value and value not in stroke])
    found["forgetting"] = _known(LinearProbe().fit([(b.field, stroke + second)]))
    for count in KEPT:
        found[f"kept {count}"] = _known(reloaded(trained, count).fit([(b.field, stroke)]))
    for strength in PRIORS:
        found[f"prior {strength:g}"] = prior(trained, a, b, stroke, strength)
    return {
        name: [
            a.score(*scores),
            b.score(*scores),
            float(np.mean([other.score(*scores) for other in others])) if others else float("nan"),
        ]
        for name, scores in found.items()
    }


def worst_stroke(probe: LinearProbe, image: Open) -> Labels:
    """Labels with one stroke: the largest of the class whose strokes the probe knows worst."""
    strokes = find_strokes(image.strokes)
    rows, columns = np.divmod(strokes.pixels, strokes.width)
    known = probe.scores_on(image.field)
    scores = image.field.sample(rows, columns) @ known.weights + known.bias
    right = probe.values[scores.argmax(1)] == strokes.values
    classes = np.unique(strokes.values)
    worst = classes[np.argmin([right[strokes.values == value].mean() for value in classes])]
    return largest_stroke(image.strokes, [worst])


def largest_stroke(labels: Labels, values: Sequence[int]) -> Labels:
    """Labels with one stroke only, the largest of some classes."""
    strokes = find_strokes(labels)
    sizes = np.where(np.isin(strokes.value_of_strokes, values), strokes.sizes, 0)
    chosen = strokes.numbers == sizes.argmax()
    found = np.zeros(labels.size, np.int64)
    found[strokes.pixels[chosen]] = strokes.values[chosen]
    return found.reshape(labels.shape)


def reloaded(probe: LinearProbe, count: int) -> LinearProbe:
    """The probe from a file that keeps so many samples of each class."""
    usual, kept.MAX_PER_CLASS = kept.MAX_PER_CLASS, count
    try:
        with tempfile.TemporaryDirectory() as folder:
            probe.save(Path(folder) / "a.probe")
            return LinearProbe.load(Path(folder) / "a.probe")
    finally:
        kept.MAX_PER_CLASS = usual


def prior(trained: LinearProbe, a: Open, b: Open, stroke: Labels, strength: float) -> tuple[LinearMap, Labels]:
    """The loaded weights as prior: mean loss of the stroke + strength * l2 / 2 * squared distance to them."""
    known = LinearProbe().fit([(a.field, a.strokes)]).samples
    features = known.features.astype(np.float64)
    mean, scale = features.mean(0), np.maximum(features.std(0), 1e-6)
    rows, columns = np.nonzero(stroke)
    values = np.union1d(trained.values, stroke[rows, columns])
    before = np.zeros((features.shape[1] + 1, len(values)))
    place = np.searchsorted(values, trained.values)
    before[:-1, place] = trained.weights * scale[:, None]
    before[-1, place] = trained.bias + mean @ trained.weights
    samples = torch.from_numpy((b.field.sample(rows, columns) - mean) / scale)
    samples = torch.hstack([samples, torch.ones(len(samples), 1)]).double()
    truth = torch.from_numpy(np.searchsorted(values, stroke[rows, columns]))
    start = torch.from_numpy(before)
    weights = start.clone().requires_grad_()
    solver = torch.optim.LBFGS([weights], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        solver.zero_grad()
        fit = torch.nn.functional.cross_entropy(samples @ weights, truth)
        total: torch.Tensor = fit + strength * DEFAULT_L2 / 2 * (weights - start).square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    solver.step(loss)  # type: ignore[no-untyped-call]
    learned = weights.detach().numpy()
    raw = learned[:-1] / scale[:, None]
    return LinearMap(raw.astype(np.float32), (learned[-1] - mean @ raw).astype(np.float32)), values


def _known(probe: LinearProbe) -> tuple[LinearMap, Labels]:
    return LinearMap(probe.weights, probe.bias), probe.values


def print_table(table: dict[str, list[list[float]]], groups: Sequence[str]) -> None:
    """The scores as a table in Markdown."""
    scratch = np.array(table["scratch"])
    print(f"{len(groups)} pairs of images of {len(set(groups))} sets; mean IoU (difference to scratch)\n")
    print("| method | " + " | ".join(PLACES) + " |")
    print("|---|" + "---|" * len(PLACES))
    for name, rows in table.items():
        cells = []
        for place, scores in enumerate(np.array(rows).T):
            there = np.isfinite(scores)
            cell = f"{_mean_of_sets(scores[there], np.array(groups)[there]):.3f}"
            if name != "scratch":
                gap = paired_bootstrap(scratch[there, place], scores[there], np.array(groups)[there])
                cell += f" ({gap.mean:+.3f}: {gap.low:+.3f} to {gap.high:+.3f})"
            cells.append(cell)
        print(f"| {name} | " + " | ".join(cells) + " |")


def _mean_of_sets(scores: NDArray[np.float64], groups: NDArray[np.str_]) -> float:
    return float(np.mean([scores[groups == group].mean() for group in np.unique(groups)]))


if __name__ == "__main__":
    main()
