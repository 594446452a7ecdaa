"""Overclustering as in the tables of NeCo and Leopart: clusters of the validation images, mapped with their own labels.

The map from clusters to classes is fitted on the labels that it is scored on: an oracle, and so called here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from patchfield.backbones.base import Backbone
from patchfield.errors import LabelError
from patchfield.evaluate.metrics import contingency_table, match_clusters, matched_confusion, mean_iou_of_set
from patchfield.evaluate.published.crops import (
    Crops,
    Track,
    batches,
    encoded_batches,
    labels_at,
    patch_of,
    silently,
    squashed,
)
from patchfield.evaluate.published.datasets import Benchmark
from patchfield.explore.clusters import POINTS_PER_CLUSTER

_TOKENS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Overclustering:
    """Published protocol "overclustering"; the defaults are the published values of the headline rows.

    Attributes
    ----------
    clusters : int
        500 and 300 in the headline rows. With as many clusters as classes they are matched one to one, otherwise each
        goes to the class of the highest precision.
    size : int
        Side of the crops in pixels.
    mask : int
        Side of the masks that clusters are compared with.
    components : int
        Principal components of the standardised tokens that are clustered.
    iterations : int
        Of k-means, at most.
    restarts : int
        Of k-means, of which the best is kept.
    seeds : int
        Clusterings to average over.
    batch : int
        Images encoded together.
    """

    name: ClassVar[str] = "overclustering"
    needs: ClassVar[str] = "classes"
    clusters: int = 500
    size: int = 448
    mask: int = 100
    components: int = 50
    iterations: int = 100
    restarts: int = 5
    seeds: int = 5
    batch: int = 64

    def __call__(
        self, backbone: Backbone, benchmark: Benchmark, workers: int = 0, track: Track = silently
    ) -> "OverclusteringResult":
        """Cluster the tokens of the validation images and score the clusters by the oracle map, once for each seed.

        Returns
        -------
        OverclusteringResult

        Raises
        ------
        LabelError
            The validation images hold fewer patches than there are clusters.
        """
        side = self.size // patch_of(backbone)
        val = batches(Crops(benchmark.val, benchmark, squashed(self.size)), self.batch, workers)
        collected, masks = [], []
        for features, values in encoded_batches(backbone, track(val, "tokens")):
            collected.append(features.permute(0, 2, 3, 1).reshape(-1, features.shape[1]).half().cpu().numpy())
            masks.append(labels_at(values, self.mask).numpy())
        truth = np.concatenate(masks)
        patches = np.concatenate(collected)
        if len(patches) < self.clusters:
            raise LabelError(
                f"{self.clusters} clusters cannot be made of the {len(patches)} patches of {len(benchmark.val)} "
                "validation images: ask for fewer clusters."
            )
        reduced = standardised_components(patches, self.components)
        scores = []
        for seed in track(range(self.seeds), "k-means"):
            clusters = self._clusters(reduced, seed).reshape(-1, side, side)
            table = contingency_table(
                labels_at(torch.from_numpy(clusters), self.mask).numpy(),
                truth,
                range(self.clusters),
                range(benchmark.classes),
                benchmark.ignore,
            )
            scores.append(float(mean_iou_of_set(matched_confusion(table, match_clusters(table)))))
        return OverclusteringResult(tuple(scores))

    def _clusters(self, features: NDArray[np.float32], seed: int) -> NDArray[np.int64]:
        generator = np.random.default_rng(seed)
        count = min(len(features), POINTS_PER_CLUSTER * self.clusters)
        sample = features[generator.choice(len(features), count, replace=False)]
        means = KMeans(
            self.clusters, init="random", n_init=self.restarts, max_iter=self.iterations, random_state=seed
        ).fit(sample)
        return np.concatenate([means.predict(part) for part in _chunks(features)]).astype(np.int64)


@dataclass(frozen=True)
class OverclusteringResult:
    """Mean IoU over all classes under the oracle map, for each seed.

    Attributes
    ----------
    oracle_miou_of_seeds : tuple of float
    """

    oracle_miou_of_seeds: tuple[float, ...]

    @property
    def oracle_miou(self) -> float:
        """Mean over the seeds."""
        return float(np.mean(self.oracle_miou_of_seeds))

    def figures(self) -> dict[str, float]:
        """What a table shows."""
        return {"mIoU, oracle map": self.oracle_miou}


def standardised_components(features: NDArray[np.float16], components: int) -> NDArray[np.float32]:
    """Leading principal components of standardised features, without a second copy of them in memory.

    Parameters
    ----------
    features : (n, channels) float16
    components : int
        All channels when there are fewer.

    Returns
    -------
    (n, components) float32
    """
    total = sum(part.sum(0, dtype=np.float64) for part in _chunks(features))
    mean = total / len(features)
    scatter = sum(_scatter(part.astype(np.float64) - mean) for part in _chunks(features))
    deviation = np.sqrt(np.diagonal(scatter) / len(features))
    deviation = np.where(deviation > 0, deviation, 1.0)
    _, directions = np.linalg.eigh(scatter / np.outer(deviation, deviation))
    weights = directions[:, ::-1][:, :components] / deviation[:, None]
    return np.concatenate([((part - mean) @ weights).astype(np.float32) for part in _chunks(features)])


def _scatter(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    return centred.T @ centred


def _chunks(features: NDArray[Any]) -> Iterable[NDArray[Any]]:
    return (features[start : start + _TOKENS_AT_ONCE] for start in range(0, len(features), _TOKENS_AT_ONCE))
