"""Where a vision transformer's class token looks."""

import numpy as np

from patchfield.backbones import Backbone
from patchfield.backbones.vit import AttentionMaps, ViT
from patchfield.errors import BackboneError
from patchfield.field import FeatureField, Recipe, extract


def attention_field(image: np.ndarray, like: FeatureField, backbone: Backbone) -> FeatureField:
    """The class token's attention in the last block, as a field with one channel per head.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array
    like : FeatureField
        A field of the image: its sampling, interpolation and image settings are used.
    backbone : Backbone, a ViT
        The transformer that made it.

    Returns
    -------
    FeatureField
        Values are multiples of what a patch would get if all got the same.

    Raises
    ------
    BackboneError
        When the backbone is no vision transformer, or has no class token.
    """
    if not isinstance(backbone, ViT):
        raise BackboneError("Only vision transformers have attention maps: choose one of the ViT backbones.")
    recipe: Recipe = like.recipes[0]
    settings = recipe.image
    maps = AttentionMaps(backbone)
    return extract(image, maps, recipe.sampling, recipe.interpolation, settings.contrast, settings.channels)
