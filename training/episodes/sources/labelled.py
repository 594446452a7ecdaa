"""Episodes from labelled micrographs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from patchfield.backbones.contrast import ImageContrast, measure_contrast
from patchfield.evaluate.micrographs import LabelledImage, labels_of
from patchfield.images import ModelImage, model_image, read_image
from training.episodes.scene import Mask, Pair, Pixels
from training.episodes.sources.base import Magnification, Source, in_contrast, paintable
from training.episodes.sources.squares import Square

_TRIES = 12


@dataclass
class LabelledSource(Source):
    """Crops of labelled images; both images of a pair come from one set, two different files of it where it can be.

    Parameters
    ----------
    sets : sequence of sequence of LabelledImage
    magnification : Magnification
    """

    sets: Sequence[Sequence[LabelledImage]]
    magnification: Magnification
    _read: dict[Path, tuple[ModelImage, ImageContrast, Mask]] = field(default_factory=dict)

    def pair(self, side: int, rng: np.random.Generator) -> Pair:
        images = self.sets[rng.integers(len(self.sets))]
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
        image, contrast, mask = self._image(labelled)
        chosen, most = None, -1
        for _ in range(_TRIES):
            square = Square.drawn(mask.shape, side, factor, rng)
            count = len(paintable(square.classes(mask)))
            if count > most:
                chosen, most = square, count
            if count >= wanted:
                break
        assert chosen is not None
        return in_contrast(chosen.magnified(chosen.pixels(image)), contrast), chosen.classes(mask)

    def _image(self, labelled: LabelledImage) -> tuple[ModelImage, ImageContrast, Mask]:
        """An image as it was stored, the contrast of the whole of it, and its mask."""
        if labelled.image not in self._read:
            image = model_image(read_image(labelled.image).pixels)
            mask = labels_of(labelled.truth, image.shape).astype(np.uint8)
            self._read[labelled.image] = image, measure_contrast(image), mask
        return self._read[labelled.image]
