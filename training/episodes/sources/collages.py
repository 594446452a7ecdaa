"""Episodes from generated shapes that are filled with real textures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from patchfield.backbones.contrast import Reference
from patchfield.samples.microstructure.geometry import Geometry, Layers, LevelSets, Particles
from training.data.collection import Plane
from training.episodes.scene import Pair, Pixels
from training.episodes.sources.base import Magnification, Source, in_contrast
from training.episodes.sources.textures import Textures

_COARSE: tuple[type[Geometry], ...] = (LevelSets, Particles, Layers)
"""Shapes that are wide enough to show a texture."""

_MIN_MAGNIFICATION = 0.8


@dataclass(frozen=True)
class CollageSource(Source):
    """Phases of generated shapes, each filled with the texture of an unlabelled micrograph.

    Real textures with exact masks: the phases of a pair are crops of different micrographs, brought to nearly the same
    mean and deviation in half of the pairs, so that only texture tells them apart. Half of the pairs take all phases
    from one kind of micrograph.

    Parameters
    ----------
    textures : Textures
    magnification : Magnification
    reference : {"middle", "median"}
        What intensities are counted from.
    """

    textures: Textures
    magnification: Magnification
    reference: Reference = "middle"

    @property
    def title(self) -> str:
        """What messages call it."""
        return "the collages"

    def pair(self, side: int, rng: np.random.Generator) -> Pair:
        geometry = _COARSE[rng.integers(len(_COARSE))].from_rng(rng)
        fillings = [self._filling(plane, side, rng) for plane in self._planes(geometry.phases, rng)]
        if rng.random() < 0.5:
            fillings = [_like(filling, fillings[0], rng) for filling in fillings]
        images, masks = [], []
        for number, factor in enumerate(self.magnification.draw(rng)):
            layout = geometry.layout((side, side), rng, factor)
            scene = np.choose(layout.phase[..., None], [filling[number] for filling in fillings])
            images.append(in_contrast(scene.astype(np.float32), self.reference))
            masks.append((layout.phase + 1).astype(np.uint8))
        return Pair((images[0], images[1]), (masks[0], masks[1]))

    def _planes(self, count: int, rng: np.random.Generator) -> Sequence[Plane]:
        kinds = self.textures.draw_kinds(count, rng)
        if rng.random() < 0.5:
            kinds = [kinds[0]] * count
        return [kind[int(rng.integers(len(kind)))] for kind in kinds]

    def _filling(self, plane: Plane, side: int, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
        """Two crops of a micrograph, magnified nearly alike."""
        first, second = (max(factor, _MIN_MAGNIFICATION) for factor in self.magnification.draw(rng))
        return self.textures.crop(plane, side, first, rng), self.textures.crop(plane, side, second, rng)


def _like(
    filling: tuple[Pixels, Pixels], model: tuple[Pixels, Pixels], rng: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """A filling brought near the mean and deviation of another."""
    mean, deviation = filling[0].mean((0, 1)), filling[0].std() + 1e-3
    factor = min(model[0].std() / deviation, 4.0) * float(np.exp(rng.normal(0, 0.15)))
    first, second = ((image - mean) * factor + model[0].mean((0, 1)) for image in filling)
    return first, second
