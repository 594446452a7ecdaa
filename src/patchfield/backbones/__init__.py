"""Backbones: pixels in, tokens on regular grids out. Load one by name or from a checkpoint file."""

from patchfield.backbones.base import Backbone, Level
from patchfield.backbones.catalogue import (
    availability,
    default_backbone,
    download_size,
    find_weight,
    is_here,
    models,
    shortlist,
)
from patchfield.backbones.checkpoints import Checkpoint, export_checkpoint, read_checkpoint
from patchfield.backbones.loading import load_backbone
from patchfield.backbones.local import find_local, weights_folder
from patchfield.backbones.published import RECOMMENDED
from patchfield.backbones.spec import ViTSpec
from patchfield.backbones.timm_backbone import TimmBackbone, random_timm
from patchfield.backbones.transformer import Tokens, Transformer
from patchfield.backbones.vit import AttentionMaps, ViT, random_vit
from patchfield.backbones.weights import TIMM_PREFIX, Embedded, Hub, Trained, Weight

__all__ = [
    "RECOMMENDED",
    "TIMM_PREFIX",
    "AttentionMaps",
    "Backbone",
    "Checkpoint",
    "Embedded",
    "Hub",
    "Level",
    "TimmBackbone",
    "Tokens",
    "Trained",
    "Transformer",
    "ViT",
    "ViTSpec",
    "Weight",
    "availability",
    "default_backbone",
    "download_size",
    "export_checkpoint",
    "find_local",
    "find_weight",
    "is_here",
    "load_backbone",
    "models",
    "random_timm",
    "random_vit",
    "read_checkpoint",
    "shortlist",
    "weights_folder",
]
