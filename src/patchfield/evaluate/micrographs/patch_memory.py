"""Dense nearest-neighbour retrieval: a patch takes the labels of the labelled patches that it resembles most."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from patchfield.errors import LabelError
from patchfield.evaluate.metrics.patches import PatchGrid
from patchfield.evaluate.metrics.search import vote
from patchfield.field import FeatureField


class PatchMemory:
    """A memory of labelled patches that segments fields without training.

    Dense retrieval after Balazevic et al. (NeurIPS 2023), with an exact search and no matching of predicted to true
    classes: the label of a patch is the weighted mean of the soft labels of its `neighbours` most similar patches by
    cosine, with weights ``softmax(cosine / temperature)``; pixels follow by bilinear interpolation and argmax.

    Parameters
    ----------
    neighbours : int
        How many patches vote; all of the memory when it holds fewer.
    temperature : float
        Small values trust the nearest only.
    patch : int
        Side of a patch in pixels.

    Examples
    --------
    >>> import patchfield as pf
    >>> image = np.random.default_rng(0).random((56, 84))
    >>> image[:, 42:] += 3
    >>> field = pf.extract(image, "filters")
    >>> mask = np.where(image > 2, 2, 1)
    >>> memory = PatchMemory(neighbours=3).fit([(field, mask)])
    >>> float(np.mean(memory.segment(field) == mask)) > 0.9
    True
    """

    def __init__(self, neighbours: int = 30, temperature: float = 0.02, patch: int = 14) -> None:
        self.neighbours, self.temperature, self.patch = neighbours, temperature, patch

    def fit(self, pairs: Iterable[tuple[FeatureField, ArrayLike]]) -> "PatchMemory":
        """Remember the patches of the training images that hold a labelled pixel.

        Parameters
        ----------
        pairs : iterable of (FeatureField, (H, W) array of int)
            Fields with their labels, 0 unlabelled.

        Raises
        ------
        LabelError
            No pixel is labelled.
        """
        labelled = [(field, np.asarray(labels)) for field, labels in pairs]
        self.values = np.unique(np.concatenate([np.unique(labels) for _, labels in labelled]))
        self.values = self.values[self.values != 0]
        if not self.values.size:
            raise LabelError("no pixel of the training images is labelled: retrieval has nothing to remember.")
        features, soft = zip(*(self._remember(field, labels) for field, labels in labelled), strict=True)
        self._memory = torch.from_numpy(np.concatenate(features))
        self._labels = torch.from_numpy(np.concatenate(soft))
        return self

    def segment(self, field: FeatureField) -> NDArray[Any]:
        """Label values (H, W) of a field."""
        grid = PatchGrid(field.shape, self.patch)
        scores = self.vote(field.sample(*grid.centres()))
        labels: NDArray[Any] = self.values[grid.upsample(scores).argmax(0)]
        return labels

    def vote(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Soft labels (n, K) of patches with the given features (n, channels)."""
        queries = torch.from_numpy(_normalised(features))
        return vote(queries, self._memory, self._labels, self.neighbours, self.temperature).numpy()

    def _remember(self, field: FeatureField, labels: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        grid = PatchGrid(field.shape, self.patch)
        soft = grid.soft_labels(labels, self.values)
        labelled = soft.any(1)
        return _normalised(field.sample(*grid.centres())[labelled]), soft[labelled]


def _normalised(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of unit length; a row of zeros stays."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    unit: NDArray[np.float32] = features / np.maximum(length, np.finfo(np.float32).tiny).astype(np.float32)
    return unit
