"""What is done with the features of labelled micrographs to see what they are worth: train on some, segment others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.evaluate.metrics import contingency_table, match_clusters
from patchfield.evaluate.micrographs.patch_memory import PatchMemory
from patchfield.explore.clusters import POINTS_PER_CLUSTER, Clusters
from patchfield.field import FeatureField
from patchfield.probe import LinearProbe
from patchfield.probe.linear import DEFAULT_SAMPLES_PER_CLASS

Labels = NDArray[Any]

CLUSTERED_COMPONENTS = 50
"""Principal components that overclustering keeps, as in the published protocol."""


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

    Returns
    -------
    list of (H, W) array of int
        Class values, one for each test image.
    """
    painted = [(example.field, strokes) for example, strokes in zip(train, labels, strict=True) if np.any(strokes)]
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
    >>> [int(np.count_nonzero(drawn)) for drawn in drawn_pixels([np.full((9, 9), 3), np.zeros((9, 9), int)], 5, seed=0)]
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
    fields = [example.field for example in train]
    found = Clusters.fit(fields, clusters, seed, POINTS_PER_CLUSTER * clusters, CLUSTERED_COMPONENTS)
    seen, unseen = ([found.assign(example.field) for example in part] for part in (train, test))
    fitted = _classes_of_clusters(seen, train, clusters)
    oracle = _classes_of_clusters(unseen, test, clusters)
    return [fitted[numbers] for numbers in unseen], [oracle[numbers] for numbers in unseen]


def retrieval(
    train: Sequence[Example], test: Sequence[Example], neighbours: int, temperature: float, patch: int
) -> list[Labels]:
    """Segment the test images by the most similar patches of the training images; see :class:`PatchMemory`.

    Parameters
    ----------
    train, test : sequence of Example
    neighbours : int
        How many patches vote.
    temperature : float
        Of their weights.
    patch : int
        Side of a patch in pixels.

    Returns
    -------
    list of (H, W) array of int
        Class values, one for each test image.
    """
    memory = PatchMemory(neighbours, temperature, patch).fit((example.field, example.truth) for example in train)
    return [memory.segment(example.field) for example in test]


def classes_of(examples: Sequence[Example]) -> Labels:
    """The class values that occur in the truth, ascending."""
    values = np.unique(np.concatenate([np.unique(example.truth) for example in examples]))
    classes: Labels = values[values != 0]
    return classes


def _classes_of_clusters(clusters: Sequence[Labels], examples: Sequence[Example], count: int) -> Labels:
    """Class value of each cluster number: one to one where there are as many as classes, else by precision.

    Number 0, pixels without a value, stays 0.
    """
    values = classes_of(examples)
    tables = [
        contingency_table(numbers, example.truth, range(count + 1), values)
        for numbers, example in zip(clusters, examples, strict=True)
    ]
    classes: Labels = values[match_clusters(np.sum(tables, axis=0)[:, 1:])]
    return np.concatenate([np.zeros(1, classes.dtype), classes])
