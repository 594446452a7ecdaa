"""Where pairs of images come from: labelled sets, generated microstructures, collages of unlabelled textures."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from patchfield.backbones.contrast import contrast_of
from patchfield.evaluate.labelled import LabelledImage, labels_of
from patchfield.images import model_image, read_image
from patchfield.samples.microstructure import draw_material
from patchfield.samples.microstructure.geometry import Geometry, Layers, LevelSets, Particles
from training.episodes.magnify import crop_of
from training.episodes.scene import Mask, Pair, Pixels

MOST_CLASSES = 255
_TRIES = 12
_LEAST_SHARE = 0.004
"""A class that is to be painted covers at least this share of the first image."""

_COARSE: tuple[type[Geometry], ...] = (LevelSets, Particles, Layers)
"""Shapes that are wide enough to show a texture."""


class Source(ABC):
    """Pairs of images of one kind."""

    @abstractmethod
    def pair(self, side: int, rng: np.random.Generator) -> Pair:
        """Two images of `side` x `side` pixels with masks whose classes may differ."""


@dataclass(frozen=True)
class Magnification:
    """How crops are magnified: the first image by a factor between these, the second by nearly the same.

    Attributes
    ----------
    low, high : float
    deviation : float
        Of the logarithm of the second image's magnification relative to the first's.
    """

    low: float = 0.6
    high: float = 1.8
    deviation: float = 0.12

    def draw(self, rng: np.random.Generator) -> tuple[float, float]:
        first = float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))
        return first, first * float(np.exp(rng.normal(0, self.deviation)))


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
    _read: dict[Path, tuple[Pixels, Mask]] = field(default_factory=dict)

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
        pixels = self._pixels(labelled)
        tried = []
        for _ in range(_TRIES):
            tried.append(crop_of(*pixels, side, factor, rng))
            if len(paintable(tried[-1][1])) >= wanted:
                return tried[-1]
        return max(tried, key=lambda crop: len(paintable(crop[1])))

    def _pixels(self, labelled: LabelledImage) -> tuple[Pixels, Mask]:
        """The whole image in units of its contrast, and its mask."""
        if labelled.image not in self._read:
            image = model_image(read_image(labelled.image).pixels)
            mask = labels_of(labelled.truth, image.shape).astype(np.uint8)
            self._read[labelled.image] = in_contrast(image.whole()), mask
        return self._read[labelled.image]


@dataclass(frozen=True)
class SyntheticSource(Source):
    """Generated microstructures (:mod:`patchfield.samples.microstructure`): endless, with exact masks."""

    magnification: Magnification

    def pair(self, side: int, rng: np.random.Generator) -> Pair:
        material = draw_material(rng)
        first, second = self.magnification.draw(rng)
        drawn = [material.micrograph((side, side), rng, scale) for scale in (first, second)]
        images = [image if image.ndim == 3 else image[..., None].repeat(3, -1) for image, _ in drawn]
        return Pair((in_contrast(images[0]), in_contrast(images[1])), (drawn[0][1], drawn[1][1]))


@dataclass
class CollageSource(Source):
    """Phases of generated shapes, each filled with the texture of an unlabelled micrograph.

    Real textures with exact masks: the phases of a pair are crops of different micrographs, brought to nearly the same
    mean and deviation in half of the pairs, so that only texture tells them apart.

    Parameters
    ----------
    kinds : sequence of sequence of Path
        Images by kind; half of the pairs take all phases from one kind.
    magnification : Magnification
    """

    kinds: Sequence[Sequence[Path]]
    magnification: Magnification
    _read: dict[Path, np.ndarray] = field(default_factory=dict)

    def pair(self, side: int, rng: np.random.Generator) -> Pair:
        geometry = _COARSE[rng.integers(len(_COARSE))].drawn(rng)
        fillings = [self._filling(path, side, rng) for path in self._paths(geometry.phases, rng)]
        if rng.random() < 0.5:
            fillings = [_like(filling, fillings[0], rng) for filling in fillings]
        factors = self.magnification.draw(rng)
        images, masks = [], []
        for number, factor in enumerate(factors):
            layout = geometry.layout((side, side), rng, factor)
            scene = np.choose(layout.phase[..., None], [filling[number] for filling in fillings])
            images.append(in_contrast(scene.astype(np.float32)))
            masks.append((layout.phase + 1).astype(np.uint8))
        return Pair((images[0], images[1]), (masks[0], masks[1]))

    def _paths(self, count: int, rng: np.random.Generator) -> list[Path]:
        kinds = [self.kinds[number] for number in rng.integers(len(self.kinds), size=count)]
        if rng.random() < 0.5:
            kinds = kinds[:1] * count
        return [kind[rng.integers(len(kind))] for kind in kinds]

    def _filling(self, path: Path, side: int, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
        """Two crops of a micrograph, magnified nearly alike, the liveliest of a few (an empty one has no texture)."""
        whole = self._pixels(path).astype(np.float32) / 255
        unlabelled = np.ones(whole.shape[:2], np.uint8)
        factors = self.magnification.draw(rng)
        crops = []
        for factor in factors:
            tried = [crop_of(whole, unlabelled, side, max(factor, 0.8), rng)[0] for _ in range(2)]
            crops.append(max(tried, key=lambda crop: float(crop.std())))
        return crops[0], crops[1]

    def _pixels(self, path: Path) -> np.ndarray:
        if path not in self._read:
            whole = model_image(read_image(path).pixels).whole()
            self._read[path] = (whole * 255).round().astype(np.uint8)
        return self._read[path]


def in_contrast(image: Pixels) -> Pixels:
    """An image (H, W, 3) counted from its median in units of its contrast."""
    contrast = contrast_of(image)
    return ((image - np.float32(contrast.centre)) / np.float32(contrast.contrast)).clip(-4, 4)


def paintable(mask: Mask) -> list[int]:
    """Classes that cover enough of a mask to be painted."""
    values, counts = np.unique(mask[mask > 0], return_counts=True)
    return values[counts >= _LEAST_SHARE * mask.size].tolist()


def _like(
    filling: tuple[Pixels, Pixels], model: tuple[Pixels, Pixels], rng: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """A filling brought near the mean and deviation of another."""
    mean, deviation = filling[0].mean((0, 1)), filling[0].std() + 1e-3
    factor = min(model[0].std() / deviation, 4.0) * float(np.exp(rng.normal(0, 0.15)))
    first, second = ((image - mean) * factor + model[0].mean((0, 1)) for image in filling)
    return first, second
