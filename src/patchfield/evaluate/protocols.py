"""What is done with the features of labelled micrographs to see what they are worth: train on some, segment others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.evaluate.matching import match_by_precision, match_one_to_one
from patchfield.evaluate.metrics import contingency_table
from patchfield.evaluate.overclustering import PixelClusters
from patchfield.evaluate.retrieval import DenseRetrieval
from patchfield.field import FeatureField
from patchfield.probe import LinearProbe
from patchfield.probe.linear import DEFAULT_SAMPLES_PER_CLASS

Labels = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Example:
    """The field of an image with its labels.

    Attributes
    ----------
    name : str
    field : FeatureField
    truth : (H, W) array of int
        What segmentations are compared with, 0 unlabelled.
    strokes : (H, W) array of int, or None
        Sparse labels as a person paints them.
    """

    name: str
    field: FeatureField
    truth: Labels
    strokes: Labels | None


def linear_probe(
    train: Sequence[Example],
    test: Sequence[Example],
    labels: Sequence[Labels],
    samples_per_class: int = DEFAULT_SAMPLES_PER_CLASS,
) -> list[Labels]:
    """Segment the test images with a linear probe trained on some labels of the training images.

    Parameters
    ----------
    train, test : sequence of Example
    labels : sequence of (H, W) array of int
        One for each training image: strokes, or :func:`drawn_pixels`. Whole masks would mislead: the probe shares its
        samples equally among connected areas, so that the specks of a mask outvote its grains.
    samples_per_class : int
        Pixels of a class beyond which only some are used.
    """
    painted = [(example.field, each) for example, each in zip(train, labels, strict=True) if np.any(each)]
    probe = LinearProbe(samples_per_class=samples_per_class).fit(painted)
    return [probe.segment(example.field) for example in test]


def drawn_pixels(truths: Sequence[Labels], per_class: int, seed: int) -> list[Labels]:
    """Labels of a few pixels: `per_class` of each class, drawn from all images together.

    Parameters
    ----------
    truths : sequence of (H, W) array of int
        0 is unlabelled.
    per_class : int
        All pixels of a class that has fewer.
    seed : int

    Returns
    -------
    list of (H, W) array of int
        Zero but for the drawn pixels.

    Examples
    --------
    >>> [int(np.count_nonzero(each)) for each in drawn_pixels([np.full((9, 9), 3), np.zeros((9, 9), int)], 5, seed=0)]
    [5, 0]
    """
    generator = np.random.default_rng(seed)
    whole = np.concatenate([np.ravel(truth) for truth in truths])
    drawn = np.zeros_like(whole)
    for value in np.unique(whole[whole != 0]):
        pixels = np.flatnonzero(whole == value)
        drawn[generator.choice(pixels, min(per_class, len(pixels)), replace=False)] = value
    ends = np.cumsum([np.size(truth) for truth in truths])[:-1]
    return [part.reshape(np.shape(truth)) for part, truth in zip(np.split(drawn, ends), truths, strict=True)]


def overclustering(
    train: Sequence[Example], test: Sequence[Example], clusters: int, seed: int
) -> tuple[list[Labels], list[Labels]]:
    """Segment the test images by clusters of the training images' features, under two maps from clusters to classes.

    Parameters
    ----------
    train, test : sequence of Example
    clusters : int
    seed : int

    Returns
    -------
    fitted : list of (H, W) array of int
        The map was fitted on the labels of the training images.
    oracle : list of (H, W) array of int
        The map was fitted on the labels of the test images themselves: what the clusters could do at best.
    """
    found = PixelClusters(clusters, seed).fit([example.field for example in train])
    seen, unseen = ([found.segment(example.field) for example in part] for part in (train, test))
    fitted = _classes_of_clusters(seen, train, clusters)
    oracle = _classes_of_clusters(unseen, test, clusters)
    return [fitted[each] for each in unseen], [oracle[each] for each in unseen]


def retrieval(
    train: Sequence[Example], test: Sequence[Example], neighbours: int, temperature: float, patch: int
) -> list[Labels]:
    """Segment the test images by the most similar patches of the training images; see :class:`DenseRetrieval`."""
    memory = DenseRetrieval(neighbours, temperature, patch).fit((example.field, example.truth) for example in train)
    return [memory.segment(example.field) for example in test]


def classes_of(examples: Sequence[Example]) -> Labels:
    """The class values that occur in the truth, ascending."""
    values = np.unique(np.concatenate([np.unique(example.truth) for example in examples]))
    return values[values != 0]


def _classes_of_clusters(clusters: Sequence[Labels], examples: Sequence[Example], count: int) -> Labels:
    """Class value of each cluster: one to one where there are as many as classes, else by precision."""
    values = classes_of(examples)
    table = sum(
        contingency_table(each, example.truth, range(count), values)
        for each, example in zip(clusters, examples, strict=True)
    )
    match = match_one_to_one if count == len(values) else match_by_precision
    return values[match(table)]
