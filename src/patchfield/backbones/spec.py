"""What a vision transformer is: everything needed to build it and feed it, read off its weights' shapes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import isqrt
from typing import TYPE_CHECKING, Self, cast

import torch
from torch import nn

from patchfield.backbones.header import Spec
from patchfield.backbones.positions import PositionRule
from patchfield.backbones.timm_import import import_timm
from patchfield.errors import BackboneError

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer

State = Mapping[str, torch.Tensor]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_HEAD_CHANNELS = 64
"""Channels per attention head in all published models of this family; shapes do not tell."""


@dataclass(frozen=True)
class ViTSpec(Spec):
    """Shape of a vision transformer, its positional rule and the statistics of its input.

    Attributes
    ----------
    channels, depth, heads : int
        Length of a token, number of blocks, attention heads per block.
    patch, grid : int
        Side of a patch in pixels, and patches along a side of the (square) images it was trained on.
    registers : int
        Register tokens.
    class_token : bool
        SelfPatch has none.
    mlp_width : int
        Rows of the first linear layer of the MLP.
    swiglu : bool
        Gated MLP, as in DINOv2 giant.
    layer_scale, qkv_bias : bool
    positions : {"scaled", "exact"}
        See :mod:`patchfield.backbones.positions`.
    mean, std : tuple of float
        Statistics of red, green and blue (0..1) that input is standardised with.

    Raises
    ------
    BackboneError
        For values that no transformer has: sizes of nothing, heads that do not share the channels evenly.

    Examples
    --------
    >>> from patchfield.backbones import find_weight
    >>> find_weight("dinov2-small-reg").spec.summary()
    '12 blocks of 384 channels, patch 14, 37 x 37 patches, 4 registers'
    """

    channels: int
    depth: int
    heads: int
    patch: int
    grid: int
    registers: int
    class_token: bool
    mlp_width: int
    swiglu: bool
    layer_scale: bool
    qkv_bias: bool
    positions: PositionRule
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def __post_init__(self) -> None:
        sizes = (self.channels, self.depth, self.heads, self.patch, self.grid, self.mlp_width)
        if min(sizes) < 1 or self.registers < 0 or self.channels % self.heads or min(self.std) <= 0:
            raise BackboneError(
                f"There is no transformer of {self.summary()}, {self.heads} heads, an MLP of {self.mlp_width} and a "
                f"standard deviation of {min(self.std):g}."
            )

    @property
    def native_side(self) -> int:
        """Side in pixels of the images it was trained on."""
        return self.patch * self.grid

    @property
    def prefix(self) -> int:
        """Class and register tokens together."""
        return self.registers + self.class_token

    def build(self, drop_path: float = 0.0) -> "VisionTransformer":
        """A timm model of this shape, on the meta device: load weights with ``assign=True``.

        Class and register tokens carry their own encodings (timm's ``no_embed_class``), for every family.
        """
        timm = import_timm()
        with torch.device("meta"):
            vit: VisionTransformer = timm.models.VisionTransformer(
                img_size=self.native_side,
                patch_size=self.patch,
                num_classes=0,
                global_pool="",
                embed_dim=self.channels,
                depth=self.depth,
                num_heads=self.heads,
                mlp_ratio=self.mlp_width / self.channels,
                qkv_bias=self.qkv_bias,
                init_values=1.0 if self.layer_scale else None,
                class_token=self.class_token,
                no_embed_class=True,
                reg_tokens=self.registers,
                drop_path_rate=drop_path,
                norm_layer=partial(nn.LayerNorm, eps=1e-6),
                mlp_layer=cast(type[nn.Module], timm.layers.SwiGLUPacked if self.swiglu else timm.layers.Mlp),
                act_layer=nn.SiLU if self.swiglu else nn.GELU,
            )
        return vit

    def without_registers(self) -> "ViTSpec":
        """The same with its register tokens left out, as NeCo's "XR" models start; they use the scaled rule."""
        return replace(self, registers=0, positions="scaled")

    def summary(self) -> str:
        """One phrase for people, such as ``12 blocks of 384 channels, patch 14, 37 x 37 patches, 4 registers``."""
        registers = f"{self.registers} registers" if self.registers else "no registers"
        return (
            f"{self.depth} blocks of {self.channels} channels, patch {self.patch}, "
            f"{self.grid} x {self.grid} patches, {registers}{'' if self.class_token else ', no class token'}"
        )

    @classmethod
    def from_state(cls, state: State, positions: PositionRule | None = None, heads: int | None = None) -> Self:
        """Infer a transformer from the shapes of its weights.

        Parameters
        ----------
        state : mapping of str to Tensor
            Under timm's names, encodings of patches only in ``pos_embed``.
        positions : {"scaled", "exact"}, optional
            By default DINOv2's: ``"exact"`` with registers, else ``"scaled"``.
        heads : int, optional
            By default one per 64 channels, as all published models have.

        Raises
        ------
        BackboneError
            When the shapes are not those of a vision transformer for RGB images.
        """
        channels, colours, patch, patch_columns = _shape(state, "patch_embed.proj.weight", 4)
        depth = _depth(state)
        encodings = _shape(state, "pos_embed", 3)[1]
        grid = isqrt(encodings)
        if colours != 3 or patch != patch_columns or grid * grid != encodings:
            raise BackboneError(
                f"The weights are of a transformer for {colours}-channel patches of {patch} x {patch_columns} pixels "
                f"with {encodings} encodings: only square grids of square RGB patches are supported."
            )
        if heads is None and (channels % _HEAD_CHANNELS or not channels):
            raise BackboneError(
                f"The number of attention heads for {channels} channels is unknown: it is one per 64 channels in the "
                "published models; export the model with patchfield.backbones.export_checkpoint, which records it."
            )
        registers = _shape(state, "reg_token", 3)[1] if "reg_token" in state else 0
        mlp_width = _shape(state, "blocks.0.mlp.fc1.weight", 2)[0]
        return cls(
            channels=channels,
            depth=depth,
            heads=channels // _HEAD_CHANNELS if heads is None else heads,
            patch=patch,
            grid=grid,
            registers=registers,
            class_token="cls_token" in state,
            mlp_width=mlp_width,
            swiglu=_shape(state, "blocks.0.mlp.fc2.weight", 2)[1] * 2 == mlp_width,
            layer_scale="blocks.0.ls1.gamma" in state,
            qkv_bias="blocks.0.attn.qkv.bias" in state,
            positions=positions or ("exact" if registers else "scaled"),
        )


def check_state(vit: nn.Module, state: State) -> None:
    """Refuse weights that are not exactly those of `vit`, in one sentence that names the first difference."""
    expected = vit.state_dict()
    missing = sorted(expected.keys() - state.keys())
    surplus = sorted(state.keys() - expected.keys())
    misshapen = [key for key in expected.keys() & state.keys() if expected[key].shape != state[key].shape]
    if missing:
        problem = f"'{missing[0]}' is missing ({len(missing)} tensors are)"
    elif surplus:
        problem = f"'{surplus[0]}' has no place in it ({len(surplus)} tensors have none)"
    elif misshapen:
        key = min(misshapen)
        problem = f"'{key}' has shape {tuple(state[key].shape)} instead of {tuple(expected[key].shape)}"
    else:
        return
    raise BackboneError(f"The weights do not fit the transformer that their shapes suggest: {problem}.")


def _depth(state: State) -> int:
    """Number of blocks; they must be numbered without a gap, whatever else a file says."""
    found = {int(match[1]) for key in state if (match := re.match(r"blocks\.(\d{1,9})\.", key))}
    missing = set(range(len(found))) - found
    if missing or not found:
        raise BackboneError(
            f"The weights are not of a whole vision transformer: block {min(missing, default=0)} of them is missing."
        )
    return len(found)


def _shape(state: State, key: str, dimensions: int) -> tuple[int, ...]:
    if key not in state or state[key].ndim != dimensions:
        found = f"has shape {tuple(state[key].shape)}" if key in state else "is missing"
        raise BackboneError(f"The weights are not of a vision transformer: '{key}' {found}.")
    return tuple(state[key].shape)
