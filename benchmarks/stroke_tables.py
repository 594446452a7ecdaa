"""Tables of the stroke benchmark."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from patchfield.evaluate.metrics import paired_bootstrap

Scores = Mapping[str, Sequence[NDArray[np.float64]]]
"""By set, for each method: mean IoU by draw, third and image; -1 - IoU where the image gave strokes."""

BASELINES = ("forest", "logistic")
COLLAPSE = 0.2
"""An image has collapsed when its mean IoU is this far below the best method's, with the same strokes."""


def print_sets(names: Sequence[str], scores: Scores) -> None:
    """A row for each set: images that gave strokes / the others."""
    print("| set | " + " | ".join(f"{name}: same / other" for name in names) + " |")
    print("|---|" + "---|" * len(names))
    for name, methods in sorted(scores.items()):
        print(f"| {name} | " + " | ".join(f"{same(values):.3f} / {other(values):.3f}" for values in methods) + " |")
    means = [
        (np.mean([same(methods[n]) for methods in scores.values()]), mean)
        for n, mean in enumerate(set_means(scores).mean(0))
    ]
    print("| **mean** | " + " | ".join(f"{first:.3f} / {second:.3f}" for first, second in means) + " |")


def print_summary(names: Sequence[str], scores: Scores) -> None:
    """A row for each method: mean on the other images, differences with intervals over sets, regret, collapses."""
    means = set_means(scores)
    compared = [name for name in BASELINES if name in names]
    regret = means.max(1, keepdims=True) - means
    shares = collapses(scores)
    heads = ["mean IoU, other images", *(f"less {name} (95 % over sets)" for name in compared)]
    if len(compared) > 1:
        heads.append("less the better of both")
    print("| method | " + " | ".join([*heads, "mean regret", "worst set", "images that collapse"]) + " |")
    print("|---|" + "---|" * (len(heads) + 3))
    references = [means[:, names.index(name)] for name in compared]
    if len(references) > 1:
        references.append(np.max(references, axis=0))
    sets = list(scores)
    for number, name in enumerate(names):
        column = means[:, number]
        worst = int(regret[:, number].argmax())
        cells = [f"{column.mean():.3f}", *(interval(reference, column) for reference in references)]
        cells += [f"{regret[:, number].mean():.3f}", f"{sets[worst]} -{regret[worst, number]:.3f}"]
        print(f"| {name} | " + " | ".join([*cells, f"{shares[number]:.1%}"]) + " |")


def print_counts(names: Sequence[str], scores: Mapping[int, Scores]) -> None:
    """Mean IoU on the other images by the number of strokes."""
    print("| strokes of a class | " + " | ".join(names) + " |")
    print("|---|" + "---|" * len(names))
    for count, by_set in scores.items():
        print(f"| {count} | " + " | ".join(f"{mean:.3f}" for mean in set_means(by_set).mean(0)) + " |")


def interval(before: NDArray[np.float64], after: NDArray[np.float64]) -> str:
    """Mean difference over sets with its interval."""
    if np.array_equal(before, after):
        return ""
    found = paired_bootstrap(before, after)
    return f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def same(values: NDArray[np.float64]) -> float:
    """Mean over the images that gave strokes."""
    return float(-1 - values[values < 0].mean())


def other(values: NDArray[np.float64]) -> float:
    """Mean over the images that gave none."""
    return float(values[values >= 0].mean())


def set_means(scores: Scores) -> NDArray[np.float64]:
    """Mean on the other images, (sets, methods)."""
    return np.array([[other(values) for values in methods] for methods in scores.values()])


def collapses(scores: Scores) -> NDArray[np.float64]:
    """Share of images that collapse, for each method, mean over sets."""
    shares = []
    for methods in scores.values():
        stacked = np.stack([values[values >= 0] for values in methods])
        shares.append((stacked < stacked.max(0) - COLLAPSE).mean(1))
    means: NDArray[np.float64] = np.mean(shares, axis=0)
    return means
