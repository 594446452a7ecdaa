"""K-means clusters of a field: a segmentation without labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans

from patchfield.errors import FieldError
from patchfield.explore.standard import SAMPLES, Standard, sample_pixels
from patchfield.field import FeatureField, Region


@dataclass(frozen=True, eq=False)
class Clusters:
    """K-means centres of standardised features.

    The nearest centre c maximises ``x . c - |c|^2 / 2``, so assigning every pixel is the argmax of a projection.

    Attributes
    ----------
    weights : (channels, count) float32 array
    bias : (count,) float32 array

    Examples
    --------
    >>> import numpy as np, patchfield as pf
    >>> from patchfield.explore import Clusters
    >>> field = pf.extract(np.random.default_rng(0).random((40, 60)), "filters")
    >>> Clusters.fit(field, 4).assign(field).max()
    np.uint8(4)
    """

    weights: np.ndarray
    bias: np.ndarray

    @classmethod
    def fit(
        cls, fields: FeatureField | Sequence[FeatureField], count: int, seed: int = 0, samples: int = SAMPLES
    ) -> "Clusters":
        """Cluster `samples` random pixels of one or several fields of the same backbone.

        Clusters are numbered by size, the largest first.

        Raises
        ------
        FieldError
            When there are fewer pixels than clusters, or less than two clusters are asked for.
        """
        features = sample_pixels(fields, samples)
        if not 2 <= count <= len(features):
            raise FieldError(
                f"{count} clusters cannot be made of {len(features)} pixels: choose 2 or more, not too many."
            )
        standard = Standard.of(features)
        found = KMeans(count, n_init=1, random_state=seed).fit(standard.standardise(features))
        largest_first = np.bincount(found.labels_, minlength=count).argsort(kind="stable")[::-1]
        centres = found.cluster_centers_[largest_first]
        return cls(*standard.fold(centres.T, -(centres**2).sum(1) / 2))

    def assign(self, field: FeatureField, region: Region | None = None) -> np.ndarray:
        """Number of the nearest centre of every pixel, from 1: (h, w) uint8, uint16 for more than 255 clusters."""
        index = field.argmax(self.weights, self.bias, region)
        numbers = np.arange(1, self.weights.shape[1] + 1)
        return numbers.astype(np.min_scalar_type(numbers[-1]))[index]
