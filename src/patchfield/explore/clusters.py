"""K-means clusters of a field: a segmentation without labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from patchfield.errors import FieldError
from patchfield.explore.standard import SAMPLES, Standard, sample_pixels
from patchfield.field import FeatureField, Region

Metric = Literal["euclidean", "cosine"]

POINTS_PER_CLUSTER = 256
"""Pixels or patches drawn for each cluster where clusterings are evaluated, as in the published protocols."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """K-means centres of standardised features.

    The nearest centre c maximises ``x . c - |c|^2 / 2``, so assigning every pixel is the argmax of a projection; it
    stays one when features are reduced to their principal components first, which are a linear map, too.

    Attributes
    ----------
    weights : (channels, count) float32 array
    bias : (count,) float32 array
    centres : (count, dimensions) float64 array
        Where distances are measured: standardised and reduced features, or unit ones.
    sizes : (count,) int64 array
        How many of the sampled pixels are nearest to each centre.

    Examples
    --------
    >>> import numpy as np, patchfield as pf
    >>> from patchfield.explore import Clusters
    >>> field = pf.extract(np.random.default_rng(0).random((40, 60)), "filters")
    >>> Clusters.fit(field, 4).assign(field).max()
    np.uint8(4)
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    centres: NDArray[np.float64]
    sizes: NDArray[np.int64]

    @classmethod
    def fit(
        cls,
        fields: FeatureField | Sequence[FeatureField],
        count: int,
        seed: int = 0,
        samples: int = SAMPLES,
        components: int | None = None,
        metric: Metric = "euclidean",
    ) -> "Clusters":
        """Cluster random pixels of one or several fields of the same backbone.

        Clusters are numbered by size, the largest first. Where fewer than `count` pixels differ (a constant image),
        there are only as many clusters.

        Parameters
        ----------
        fields : FeatureField or sequence of FeatureField
        count : int
            Number of clusters.
        seed : int
            Of the choice of pixels and of the first centres.
        samples : int
            Number of pixels to cluster, as many from each field.
        components : int, optional
            Reduce the features to this many principal components first.
        metric : {"euclidean", "cosine"}
            Distances between standardised features, or the angle between raw ones, as HR-Dv2 has it.

        Raises
        ------
        FieldError
            When there are fewer pixels than clusters, or less than two clusters are asked for.
        """
        return cls.from_features(sample_pixels(fields, samples, seed), count, seed, components, metric)

    @classmethod
    def from_features(
        cls,
        features: NDArray[np.float32],
        count: int,
        seed: int = 0,
        components: int | None = None,
        metric: Metric = "euclidean",
    ) -> "Clusters":
        """Cluster features (n, channels) that were sampled before; the parameters are those of :meth:`fit`."""
        if not 2 <= count <= len(features):
            raise FieldError(
                f"{count} clusters cannot be made of {len(features)} pixels: choose 2 or more, not too many."
            )
        if metric == "cosine":
            lengths = np.linalg.norm(features, axis=1, keepdims=True)
            centres, sizes = _centres(features / np.maximum(lengths, 1e-12), count, seed)
            centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
            return cls(centres.T.astype(np.float32), np.zeros(len(centres), np.float32), centres, sizes)
        standard = Standard.from_features(features)
        values = standard.standardise(features)
        reduction = None
        if components is not None:
            reduction = PCA(min(components, *values.shape), svd_solver="covariance_eigh").fit(values)
            values = reduction.transform(values)
        centres, sizes = _centres(values, count, seed)
        weights, bias = centres.T, -(centres**2).sum(1) / 2
        if reduction is not None:
            weights = reduction.components_.T @ weights
            bias = bias - reduction.mean_ @ weights
        return cls(*standard.fold(weights, bias), centres, sizes)

    def margin(self, field: FeatureField, groups: NDArray[np.integer] | None = None) -> NDArray[np.float32]:
        """How much nearer the nearest centre is than that of any other group, (H, W) float32, 0 and more.

        Parameters
        ----------
        field : FeatureField
        groups : (count,) int array, optional
            The group of each cluster; each is its own by default.
        """
        groups = np.arange(len(self.bias)) if groups is None else np.asarray(groups)
        best = second = np.full(field.shape, -np.inf, np.float32)
        for group in np.unique(groups):
            chosen = np.flatnonzero(groups == group)
            score = field.project(self.weights[:, chosen], self.bias[chosen]).max(0)
            second = np.maximum(second, np.minimum(best, score))
            best = np.maximum(best, score)
        return np.zeros(field.shape, np.float32) if np.isneginf(second).all() else best - second

    def assign(self, field: FeatureField, region: Region | None = None) -> NDArray[Any]:
        """Number of the nearest centre of every pixel, from 1: (h, w) uint8, uint16 for more than 255 clusters.

        0 where the image has no value.
        """
        index = field.argmax(self.weights, self.bias, region)
        numbers = np.arange(1, self.weights.shape[1] + 1)
        labels: NDArray[Any] = numbers.astype(np.min_scalar_type(numbers[-1]))[index]
        if field.missing is not None:
            labels[field.missing[region or ...]] = 0
        return labels


def _centres(values: NDArray[np.floating], count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Centres (clusters, channels) of values (n, channels) and their sizes, those of large clusters first."""
    count = min(count, _distinct(values, count))
    found = KMeans(count, n_init=1, random_state=seed).fit(values)
    sizes = np.bincount(found.labels_, minlength=count)
    largest_first = sizes.argsort(kind="stable")[::-1]
    centres: NDArray[np.float64] = found.cluster_centers_[largest_first].astype(np.float64)
    return centres, sizes[largest_first]


def _distinct(values: NDArray[np.floating], enough: int) -> int:
    """How many rows differ; stops counting where one column alone shows that there are enough."""
    of_first_channel = len(np.unique(values[:, 0]))
    return of_first_channel if of_first_channel >= enough else len(np.unique(values, axis=0))
