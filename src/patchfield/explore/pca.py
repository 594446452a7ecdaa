"""Principal components of a field, and the field in false colours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from patchfield.explore.standard import SAMPLES, Standard, sample_pixels
from patchfield.field import FeatureField, Region

_PERCENTILES = (1, 99)


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """The directions in which standardised features vary most.

    Components are a linear map, so showing them is a projection. Colours are fixed when fitting: regions agree with
    the whole, and other images of the same backbone can be shown in the same colours.

    Attributes
    ----------
    weights : (channels, count) float32 array
    bias : (count,) float32 array
    limits : (2, count) float32 array
        The component's values that become 0 and 1 (1st and 99th percentile of the sampled pixels).
    explained : (count,) float64 array
        Share of the variance that each component explains.

    Examples
    --------
    >>> import numpy as np, patchfield as pf
    >>> from patchfield.explore import PrincipalComponents
    >>> field = pf.extract(np.random.default_rng(0).random((40, 60)), "filters")
    >>> PrincipalComponents.fit(field).rgb(field).shape
    (40, 60, 3)
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    limits: NDArray[np.float32]
    explained: NDArray[np.float64]

    @classmethod
    def fit(
        cls, fields: FeatureField | Sequence[FeatureField], count: int = 3, samples: int = SAMPLES
    ) -> "PrincipalComponents":
        """Components of `samples` random pixels of one or several fields of the same backbone.

        Of the two possible signs of a component the one is taken whose largest weight is positive. Where the features
        have fewer than `count` directions (a constant image, a single pixel), the missing components are zero.

        Parameters
        ----------
        fields : FeatureField or sequence of FeatureField
        count : int
            Number of components.
        samples : int
            Number of pixels, as many from each field.

        Raises
        ------
        FieldError
            When there are no fields, or they have different channels.
        """
        return cls.from_features(sample_pixels(fields, samples), count)

    @classmethod
    def from_features(cls, features: NDArray[np.float32], count: int = 3) -> "PrincipalComponents":
        """Components of features (n, channels) that were sampled before, of one image or of many."""
        standard = Standard.from_features(features)
        components, explained = _components(standard.standardise(features), count)
        largest = np.abs(components).argmax(1)
        components *= np.where(components[np.arange(count), largest] < 0, -1, 1)[:, None]
        weights, bias = standard.fold(components.T, np.zeros(count))
        limits = np.percentile(features @ weights + bias, _PERCENTILES, axis=0).astype(np.float32)
        return cls(weights, bias, limits, explained)

    def project(self, field: FeatureField, region: Region | None = None) -> NDArray[np.float32]:
        """The components of every pixel, (count, h, w) float32."""
        return field.project(self.weights, self.bias, region)

    def rgb(self, field: FeatureField, region: Region | None = None) -> NDArray[np.float32]:
        """The first three components as colours, (h, w, 3) float32 between 0 and 1; black where there is no value."""
        maps = self.project(field, region)[:3]
        low, high = self.limits[:, :3, None, None]
        span = np.where(high > low, high - low, 1)
        colours = np.clip((maps - low) / span, 0, 1)
        if field.missing is not None:
            colours[:, field.missing[region or ...]] = 0
        return np.ascontiguousarray(colours.transpose(1, 2, 0))


def _components(values: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions (count, channels) of values (n, channels) and the shares of variance; zero where none is left."""
    components, explained = np.zeros((count, values.shape[1])), np.zeros(count)
    if np.ptp(values, axis=0).any():
        pca = PCA(min(count, *values.shape), svd_solver="covariance_eigh").fit(values)
        components[: len(pca.components_)] = pca.components_
        explained[: len(pca.components_)] = pca.explained_variance_ratio_
    return components, explained
