"""Which pixels look like this one?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.feature import peak_local_max

from patchfield.explore.standard import SAMPLES, Standard, sample_pixels
from patchfield.field import FeatureField

_STRIP = 1 << 16
"""Pixels whose features are made dense at a time: 100 MB at 384 channels."""


@dataclass(frozen=True, eq=False)
class Similarity:
    """Cosine similarity of the standardised features of any two pixels of a field.

    The numerator is a projection; the length of every pixel's feature does not depend on the pixel asked for and is
    computed once, exactly, by making the field dense strip by strip. A click then costs one projection.

    Attributes
    ----------
    field : FeatureField
    standard : Standard
    lengths : (H, W) float32 array
        Length of the standardised feature of every pixel.

    Examples
    --------
    >>> import numpy as np, patchfield as pf
    >>> from patchfield.explore import Similarity
    >>> field = pf.extract(np.random.default_rng(0).random((40, 60)), "filters")
    >>> round(float(Similarity.from_field(field).to_pixel(10, 20)[10, 20]), 3)
    1.0
    """

    field: FeatureField
    standard: Standard
    lengths: NDArray[np.float32]

    @classmethod
    def from_field(cls, field: FeatureField, samples: int = SAMPLES, standard: Standard | None = None) -> "Similarity":
        """Prepare a field: some seconds per megapixel, once.

        Parameters
        ----------
        field : FeatureField
        samples : int
            Pixels by which the channels are standardised.
        standard : Standard, optional
            That of several images together, so that pixels of one can be compared with those of another.

        Raises
        ------
        FieldError
            When no pixel of the image has a value.
        """
        standard = standard or Standard.from_features(sample_pixels(field, samples))
        weight = (1 / standard.scale).astype(np.float32)[:, None, None]
        offset = (standard.mean / standard.scale).astype(np.float32)[:, None, None]
        height, width = field.shape
        lengths = np.empty(field.shape, np.float32)
        step = max(1, _STRIP // width)
        for start in range(0, height, step):
            rows = slice(start, min(start + step, height))
            features = field.dense((rows, slice(0, width)))
            features *= weight
            features -= offset
            lengths[rows] = np.sqrt(np.einsum("chw,chw->hw", features, features))
        return cls(field, standard, lengths)

    def to_pixel(self, row: int, column: int) -> NDArray[np.float32]:
        """Similarity of every pixel to the one at (row, column): (H, W) float32 from -1 to 1.

        0 where the image has no value.

        Parameters
        ----------
        row, column : int
            From 0, in pixels of the image.

        Raises
        ------
        FieldError
            When the pixel lies outside of the image.
        """
        return self.to_direction(self.direction(row, column))

    def direction(self, row: int, column: int) -> NDArray[np.float64]:
        """The standardised feature of a pixel, as long as 1 unless it is 0: (channels,) float64.

        Raises
        ------
        FieldError
            When the pixel lies outside of the image.
        """
        feature: NDArray[np.float64] = self.standard.standardise(self.field.sample([row], [column]))[0]
        length = np.linalg.norm(feature)
        return feature / length if length > 0 else feature

    def to_direction(self, direction: NDArray[np.float64]) -> NDArray[np.float32]:
        """Similarity of every pixel to a direction, of this image or of another one with the same standard.

        As :meth:`to_pixel` gives it.
        """
        products = self.field.project(*self.standard.fold(direction[:, None], np.zeros(1)))[0]
        cosine: NDArray[np.float32] = np.clip(products / np.maximum(self.lengths, 1e-6), -1, 1)
        if self.field.missing is not None:
            cosine[self.field.missing] = 0
        return cosine


@dataclass(frozen=True)
class Place:
    """A place that looks like the one that was asked for.

    Attributes
    ----------
    image : int
        Which of the images, from 0.
    row, column : int
        From 0, in pixels of that image.
    similarity : float
        From -1 to 1.
    """

    image: int
    row: int
    column: int
    similarity: float


def similar_places(
    images: Sequence[Similarity], direction: NDArray[np.float64], count: int = 20, apart: int = 24
) -> list[Place]:
    """The places of several images that look most like a direction, the best first.

    Parameters
    ----------
    images : sequence of Similarity
        With the same standard.
    direction : (channels,) array
        See :meth:`Similarity.direction`.
    count : int
        At most so many places.
    apart : int
        Pixels between any two places of one image.

    Examples
    --------
    >>> import numpy as np, patchfield as pf
    >>> image = np.random.default_rng(0).random((60, 90))
    >>> similarity = Similarity.from_field(pf.extract(image, "filters"))
    >>> best = similar_places([similarity], similarity.direction(20, 30), count=3)
    >>> (best[0].row, best[0].column), len(best)
    ((20, 30), 3)
    """
    places = []
    for index, image in enumerate(images):
        similarity = image.to_direction(direction)
        peaks = peak_local_max(similarity, min_distance=apart, exclude_border=False, num_peaks=count)
        places += [Place(index, int(r), int(c), float(similarity[r, c])) for r, c in peaks]
    return sorted(places, key=lambda place: -place.similarity)[:count]
