"""Overclustering: are the classes unions of clusters that no label has shaped?"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from patchfield.field import FeatureField

_POINTS_PER_CLUSTER = 256
_COMPONENTS = 50


class PixelClusters:
    """k-means of the pixels of some fields, applied to any field as a projection.

    Features are standardised and reduced to 50 principal components, as NeCo's evaluation does, and clustered on a
    random sample of 256 pixels per cluster, the same number from each field. All of it is affine, so the nearest
    centroid of a pixel is an argmax over a projection of the field: ``argmin |z - c|^2 = argmax (z . c - |c|^2 / 2)``.

    Parameters
    ----------
    count : int
        Number of clusters.
    seed : int
        Of the choice of pixels and of the first centroids.

    Examples
    --------
    >>> clusters = PixelClusters(12).fit([field]).segment(other_field)       # doctest: +SKIP
    """

    def __init__(self, count: int, seed: int = 0) -> None:
        self.count, self.seed = count, seed

    def fit(self, fields: Sequence[FeatureField]) -> "PixelClusters":
        """Find the clusters of some fields; no labels are involved."""
        generator = np.random.default_rng(self.seed)
        pixels = -(-_POINTS_PER_CLUSTER * self.count // len(fields))
        features = np.concatenate([_random_features(field, pixels, generator) for field in fields]).astype(np.float64)
        scaler = StandardScaler()
        reduction = PCA(min(_COMPONENTS, *features.shape), random_state=self.seed)
        reduced = make_pipeline(scaler, reduction).fit_transform(features)
        centroids = KMeans(self.count, n_init=1, random_state=self.seed).fit(reduced).cluster_centers_
        weights = (centroids @ reduction.components_ / scaler.scale_).T
        centre = scaler.mean_ + reduction.mean_ * scaler.scale_
        self._weights = weights.astype(np.float32)
        self._bias = (-centre @ weights - (centroids**2).sum(1) / 2).astype(np.float32)
        return self

    def segment(self, field: FeatureField) -> NDArray:
        """Cluster number (H, W), 0 to ``count - 1``, of each pixel."""
        return field.argmax(self._weights, self._bias)


def _random_features(field: FeatureField, count: int, generator: np.random.Generator) -> NDArray[np.float32]:
    height, width = field.shape
    chosen = generator.choice(height * width, min(count, height * width), replace=False)
    return field.sample(chosen // width, chosen % width)
