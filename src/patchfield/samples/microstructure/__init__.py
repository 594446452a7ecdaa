"""Endless random microstructures whose masks are exact: geometry x texture of each phase x imaging.

>>> import numpy as np
>>> material = draw_material(np.random.default_rng(3))
>>> image, mask = material.micrograph((256, 256), np.random.default_rng(0))
>>> image.shape, mask.min(), mask.max() == material.phases
((256, 256), np.uint8(1), np.True_)
"""

from patchfield.samples.microstructure.material import Material, draw_material

__all__ = ["Material", "draw_material"]
