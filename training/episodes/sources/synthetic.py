"""Episodes from generated microstructures."""

from dataclasses import dataclass

import numpy as np

from patchfield.backbones.contrast import Reference
from patchfield.samples.microstructure import draw_material
from training.episodes.scene import Pair
from training.episodes.sources.base import Magnification, Source, in_contrast


@dataclass(frozen=True)
class SyntheticSource(Source):
    """Generated microstructures (:mod:`patchfield.samples.microstructure`): endless, with exact masks."""

    magnification: Magnification
    reference: Reference = "middle"

    @property
    def title(self) -> str:
        """What messages call it."""
        return "the generated microstructures"

    def pair(self, side: int, rng: np.random.Generator) -> Pair:
        material = draw_material(rng)
        first, second = self.magnification.draw(rng)
        drawn = [material.micrograph((side, side), rng, scale) for scale in (first, second)]
        images = [image if image.ndim == 3 else image[..., None].repeat(3, -1) for image, _ in drawn]
        return Pair(
            (in_contrast(images[0], self.reference), in_contrast(images[1], self.reference)), (drawn[0][1], drawn[1][1])
        )
