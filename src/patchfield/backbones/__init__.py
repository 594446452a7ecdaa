"""Backbones: pixels in, tokens on regular grids out. Load one by name or from a checkpoint file."""

from patchfield.backbones.base import Backbone, Level
from patchfield.backbones.checkpoints import Checkpoint, export_checkpoint, read_checkpoint
from patchfield.backbones.download import find_local, weights_folder
from patchfield.backbones.loading import default_backbone, load_backbone, models
from patchfield.backbones.registry import RECOMMENDED, Weight
from patchfield.backbones.spec import ViTSpec
from patchfield.backbones.transformer import Tokens, Transformer
from patchfield.backbones.vit import AttentionMaps, ViT, random_vit

__all__ = [
    "RECOMMENDED",
    "AttentionMaps",
    "Backbone",
    "Checkpoint",
    "Level",
    "Tokens",
    "Transformer",
    "ViT",
    "ViTSpec",
    "Weight",
    "default_backbone",
    "export_checkpoint",
    "find_local",
    "load_backbone",
    "models",
    "random_vit",
    "read_checkpoint",
    "weights_folder",
]
