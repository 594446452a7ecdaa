"""What a vision transformer's class token attends to."""

from patchfield.backbones import Backbone
from patchfield.backbones.transformer import Facet
from patchfield.backbones.vit import AttentionMaps, ViT
from patchfield.errors import BackboneError
from patchfield.field import FeatureField
from patchfield.images import PlaneIndex
from patchfield.pipeline import Extractor, Image


def attention_field(
    image: Image,
    like: FeatureField,
    backbone: Backbone,
    plane: PlaneIndex | None = None,
    block: int = -1,
    facet: Facet = "attention",
) -> FeatureField:
    """The class token's attention in one block, as a field with one channel per head.

    Parameters
    ----------
    image : Stack, (H, W) or (H, W, C) array
    like : FeatureField
        A field of the image: its sampling, interpolation and image settings are used.
    backbone : Backbone, a ViT
        The transformer that made it.
    plane : tuple of int, optional
        Which plane of a stack.
    block : int
        From 0, or from the last, -1.
    facet : {"attention", "query", "key", "value"}
        Instead of the attention, each head's mean query, key or value of the patches.

    Returns
    -------
    FeatureField
        Values are multiples of what a patch would get if all got the same.

    Raises
    ------
    BackboneError
        When the backbone is no vision transformer, or has no class token.

    Examples
    --------
    >>> import numpy as np
    >>> from patchfield.backbones import random_vit
    >>> vit = random_vit("vit_tiny_patch16_224", depth=2, device="cpu")
    >>> image = np.random.default_rng(0).random((48, 64))
    >>> field = Extractor.from_backbone(vit, "fast").field(image)
    >>> attention_field(image, field, vit).dense().shape
    (3, 48, 64)
    """
    if not isinstance(backbone, ViT):
        raise BackboneError("Only vision transformers have attention maps: choose one of the ViT backbones.")
    recipe = like.recipes[0]
    maps = AttentionMaps(backbone, block, facet)
    extractor = Extractor.from_backbone(maps, recipe.sampling, recipe.interpolation, recipe.image)
    return extractor.field(image, plane)
