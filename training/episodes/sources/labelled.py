"""Episodes from labelled micrographs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from patchfield.backbones.contrast import ImageContrast, Reference, measure_contrast
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
    reference : {"middle", "median"}
        What intensities are counted from.
    composition : float
        Share of pairs whose second image shows something else, as the next image of a series may: any part of the
        image, with as few classes as there happen to be, in units of its own contrast.
    """

    def __init__(
        self,
        sets: Sequence[Sequence[LabelledImage]],
        magnification: Magnification,
        capacity: int = _CAPACITY,
        reference: Reference = "middle",
        composition: float = 0.0,
    ) -> None:
        self.sets = sets
        self.magnification = magnification
        self._reference: Reference = reference
        self._composition = composition
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
        factors = self.magnification.draw(rng)
        image, mask = self._varied_crop(images[first], side, factors[0], rng)
        another = self._composition and rng.random() < self._composition
        next_crop = self._any_crop if another else self._varied_crop
        next_image, next_mask = next_crop(images[second], side, factors[1], rng)
        return Pair((image, next_image), (mask, next_mask))

    def _any_crop(
        self, labelled: LabelledImage, side: int, factor: float, rng: np.random.Generator
    ) -> tuple[Pixels, Mask]:
        """A random crop that knows nothing of the image around it."""
        image, mask = self._read[labelled]
        square = Square.drawn(mask.shape, side, factor, rng)
        return in_contrast(square.magnified(square.pixels(image)), self._reference), square.classes(mask)

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
            self._contrasts[labelled.image] = measure_contrast(image, self._reference)
        return image, labels_of(labelled.truth, image.shape).astype(np.uint8)


def _decoded_bytes(decoded: _Decoded) -> int:
    image, mask = decoded
    height, width = image.shape
    channels = image.pixels.shape[2] if len(image.pixels.shape) == 3 else 1
    return height * width * channels * image.pixels.dtype.itemsize + mask.nbytes
