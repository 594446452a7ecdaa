"""Overclustering: are the classes unions of clusters that no label has shaped?"""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from patchfield.explore.standard import Standard, sample_pixels
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
        features = sample_pixels(fields, _POINTS_PER_CLUSTER * self.count, self.seed)
        standard = Standard.of(features)
        standardised = standard.standardise(features)
        reduction = PCA(min(_COMPONENTS, *features.shape), svd_solver="covariance_eigh").fit(standardised)
        means = KMeans(self.count, n_init=1, random_state=self.seed).fit(reduction.transform(standardised))
        weights = reduction.components_.T @ means.cluster_centers_.T
        bias = -reduction.mean_ @ weights - (means.cluster_centers_**2).sum(1) / 2
        self._weights, self._bias = standard.fold(weights, bias)
        return self

    def segment(self, field: FeatureField) -> NDArray[Any]:
        """Cluster number (H, W), 0 to ``count - 1``, of each pixel."""
        return field.argmax(self._weights, self._bias)
