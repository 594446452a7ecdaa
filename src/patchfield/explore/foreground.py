"""Objects against a background, without labels: by the first component of the features."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from skimage.filters.rank import entropy
from skimage.morphology import disk
from skimage.transform import resize

from patchfield.explore.pca import PrincipalComponents
from patchfield.field import FeatureField, Region

ENTROPY_RADIUS = 10
"""Pixels around each one whose grey levels count, as HR-Dv2 has it."""
_COMPARED_SIDE = 512
"""Larger images are reduced to this side before the two sides of the threshold are compared."""


@dataclass(frozen=True, eq=False)
class Foreground:
    """How much every pixel belongs to the foreground: a linear score of its feature.

    The first principal component divides most images into objects and background, and its sign is arbitrary. As in
    HR-Dv2 (Docherty et al., arXiv 2410.19836), the foreground is the side whose grey levels have the larger entropy
    per area, in a disk of 10 pixels: objects have structure where a background is even.

    Attributes
    ----------
    components : PrincipalComponents
        One component, large on the foreground.

    Examples
    --------
    >>> import patchfield as pf
    >>> image = np.zeros((60, 90), np.uint8)
    >>> image[10:50, 40:80] = np.random.default_rng(0).integers(100, 255, (40, 40))
    >>> field = pf.extract(image, "filters")
    >>> mask = Foreground.from_first_component([field], [image / 255]).mask(field)
    >>> bool(mask[30, 60]), bool(mask[30, 5])
    (True, False)
    """

    components: PrincipalComponents

    @classmethod
    def from_first_component(
        cls, fields: Sequence[FeatureField], pictures: Sequence[NDArray[np.floating]]
    ) -> "Foreground":
        """By the first component of one or several fields together.

        Parameters
        ----------
        fields : sequence of FeatureField
            Of the same backbone.
        pictures : sequence of (H, W) float arrays
            The grey image of each, 0 to 1.

        Raises
        ------
        FieldError
            When there are no fields, or they have different channels.
        """
        first = cls(PrincipalComponents.fit(fields, 1))
        inside = outside = inside_pixels = outside_pixels = 0.0
        for field, picture in zip(fields, pictures, strict=True):
            structure, mask = _structure(picture), _reduced(first.mask(field).astype(np.float32)) > 0.5
            inside, inside_pixels = inside + structure[mask].sum(), inside_pixels + mask.sum()
            outside, outside_pixels = outside + structure[~mask].sum(), outside_pixels + (~mask).sum()
        return first if inside * outside_pixels >= outside * inside_pixels else first.inverted()

    def inverted(self) -> "Foreground":
        """Background and foreground exchanged."""
        found = self.components
        limits = np.ascontiguousarray(-found.limits[::-1])
        return Foreground(replace(found, weights=-found.weights, bias=-found.bias, limits=limits))

    @property
    def middle(self) -> float:
        """The score of the mean feature: the published threshold."""
        low, high = self.components.limits[:, 0]
        return float(-low / (high - low)) if high > low else 0.5

    def score(self, field: FeatureField, region: Region | None = None) -> NDArray[np.float32]:
        """From 0 (background) to 1 (foreground), (h, w) float32; 0 where the image has no value."""
        low, high = self.components.limits[:, 0]
        values = (self.components.project(field, region)[0] - low) / (high - low if high > low else 1)
        score: NDArray[np.float32] = np.clip(values, 0, 1)
        if field.missing is not None:
            score[field.missing[region or ...]] = 0
        return score

    def mask(self, field: FeatureField, threshold: float | None = None) -> NDArray[np.bool_]:
        """Pixels with more than this score, (H, W); `middle` where none is given."""
        found: NDArray[np.bool_] = self.score(field) > (self.middle if threshold is None else threshold)
        return found


def _structure(picture: NDArray[np.floating]) -> NDArray[np.float64]:
    """Entropy of the grey levels around every pixel of a reduced picture."""
    levels = np.round(np.clip(_reduced(np.nan_to_num(picture)), 0, 1) * 255).astype(np.uint8)
    found: NDArray[np.float64] = entropy(levels, disk(ENTROPY_RADIUS))
    return found


def _reduced(picture: NDArray[np.floating]) -> NDArray[np.floating]:
    factor = _COMPARED_SIDE / max(picture.shape)
    if factor >= 1:
        return picture
    shape = [max(1, round(side * factor)) for side in picture.shape]
    found: NDArray[np.floating] = resize(picture, shape, order=1, anti_aliasing=True, preserve_range=True)
    return found
