"""Episodes from labelled micrographs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from patchfield.backbones.contrast import ImageContrast, measure_contrast
from patchfield.evaluate.micrographs import LabelledImage, labels_of
from patchfield.images import ModelImage, model_image, read_image
from training.data.cache import BoundedCache
from training.episodes.scene import Mask, Pair, Pixels
from training.episodes.sources.base import Magnification, Source, in_contrast, paintable
from training.episodes.sources.squares import Square

_SQUARES = 12

_CAPACITY = 512 * 2**20
"""Bytes of decoded images and masks that are kept."""

_Decoded = tuple[ModelImage, Mask]


class LabelledSource(Source):
    """Crops of labelled images; both images of a pair come from one set, two different files of it where it can be.

    Parameters
    ----------
    sets : sequence of sequence of LabelledImage
    magnification : Magnification
    capacity : int
        Bytes of decoded images and masks that are kept.
    """

    def __init__(
        self, sets: Sequence[Sequence[LabelledImage]], magnification: Magnification, capacity: int = _CAPACITY
    ) -> None:
        self.sets = sets
        self.magnification = magnification
        self._read: BoundedCache[LabelledImage, _Decoded] = BoundedCache(capacity, self._decoded, _decoded_bytes)
        self._contrasts: dict[Path, ImageContrast] = {}

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"the labelled images in {', '.join(sorted({str(images[0].image.parent) for images in self.sets}))}"

    def pair(self, side: int, rng: np.random.Generator) -> Pair:
        images = self.sets[int(rng.integers(len(self.sets)))]
        first = int(rng.integers(len(images)))
        second = (first + int(rng.integers(1, len(images)))) % len(images) if len(images) > 1 else first
        crops = [
            self._varied_crop(images[number], side, factor, rng)
            for number, factor in zip((first, second), self.magnification.draw(rng), strict=True)
        ]
        return Pair((crops[0][0], crops[1][0]), (crops[0][1], crops[1][1]))

    def _varied_crop(
        self, labelled: LabelledImage, side: int, factor: float, rng: np.random.Generator
    ) -> tuple[Pixels, Mask]:
        """A random crop with more than one class; more classes are likelier."""
        wanted = int(rng.integers(2, 4))
        image, mask = self._read[labelled]
        contrast = self._contrasts[labelled.image]
        chosen, most = None, -1
        for _ in range(_SQUARES):
            square = Square.drawn(mask.shape, side, factor, rng)
            count = len(paintable(square.classes(mask)))
            if count > most:
                chosen, most = square, count
            if count >= wanted:
                break
        assert chosen is not None
        return in_contrast(chosen.magnified(chosen.pixels(image)), contrast), chosen.classes(mask)

    def _decoded(self, labelled: LabelledImage) -> _Decoded:
        """An image as it was stored, and its mask; the contrast of the whole image is measured once."""
        image = model_image(read_image(labelled.image))
        if labelled.image not in self._contrasts:
            self._contrasts[labelled.image] = measure_contrast(image)
        return image, labels_of(labelled.truth, image.shape).astype(np.uint8)


def _decoded_bytes(decoded: _Decoded) -> int:
    image, mask = decoded
    height, width = image.shape
    channels = image.pixels.shape[2] if len(image.pixels.shape) == 3 else 1
    return height * width * channels * image.pixels.dtype.itemsize + mask.nbytes
