"""What linear scores of classes say at every pixel of a field: the class, probabilities, and how sure they are."""

import numpy as np
import torch
from numpy.typing import NDArray

from patchfield.field import FeatureField, Region
from patchfield.probe.labels import Integers
from patchfield.probe.solver import LinearMap


def most_probable(
    scores: LinearMap, values: Integers, field: FeatureField, region: Region | None = None
) -> NDArray[np.unsignedinteger]:
    """The label value (K,) `values` of the class of the largest score, (H, W); 0 where the image has no value."""
    smallest = values.astype(np.min_scalar_type(values.max()))
    labels: NDArray[np.unsignedinteger] = smallest[field.argmax(scores.weights, scores.bias, region)]
    if field.missing is not None:
        labels[field.missing[region or ...]] = 0
    return labels


def probabilities(scores: LinearMap, field: FeatureField, region: Region | None = None) -> NDArray[np.float32]:
    """Softmax of the scores, (K, H, W); all are 0 where the image has no value."""
    maps = torch.from_numpy(field.project(scores.weights, scores.bias, region))
    shares: NDArray[np.float32] = torch.softmax(maps, 0).numpy()
    if field.missing is not None:
        shares[:, field.missing[region or ...]] = 0
    return shares


def uncertainty(scores: LinearMap, field: FeatureField, region: Region | None = None) -> NDArray[np.float32]:
    """One minus the difference of the two largest probabilities, (H, W); 0 where the image has no value."""
    unsure: NDArray[np.float32] = 1 - _margin(field.project(scores.weights, scores.bias, region))
    if field.missing is not None:
        unsure[field.missing[region or ...]] = 0
    return unsure


def _margin(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Difference of the two largest softmax probabilities of scores (K, h, w)."""
    maps = torch.from_numpy(scores)
    best, second = maps[0].clone(), torch.full_like(maps[0], -torch.inf)
    for later in maps[1:]:
        second = torch.maximum(second, torch.minimum(best, later))
        torch.maximum(best, later, out=best)
    total = (maps - best).exp_().sum(0)
    return ((1 - (second - best).exp_()) / total).numpy()
