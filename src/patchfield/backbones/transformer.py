"""A vision transformer that can be asked for dense tokens: any input size, any stride, any block."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import torch
from torch import nn

from patchfield.backbones.positions import resample_positions
from patchfield.backbones.spec import State, ViTSpec, check_state
from patchfield.errors import BackboneError

if TYPE_CHECKING:
    from timm.layers import Attention


Facet = Literal["attention", "query", "key", "value"]
"""What a block's attention can be asked for: the class token's, or what each patch itself contributes."""


class Tokens(NamedTuple):
    """What a block makes of a batch, after the final LayerNorm.

    Attributes
    ----------
    prefix : Tensor (B, p, D)
        Class token (where there is one), then register tokens.
    grid : Tensor (B, D, n_h, n_w)
        Patch tokens.
    """

    prefix: torch.Tensor
    grid: torch.Tensor


class Transformer(nn.Module):
    """timm's vision transformer with the published rules for positional encodings and an optional finer stride.

    Trainable like any module; its parameters are those of `vit`, under timm's names.

    Parameters
    ----------
    spec : ViTSpec
    state : mapping of str to Tensor
        Weights under timm's names; the module takes the tensors over without copying.
    stride : int, optional
        Distance of patches in pixels (Amir et al., arXiv 2112.05814); the patch's side by default.
    drop_path : float
        Rate of stochastic depth at the last block, for training.

    Raises
    ------
    BackboneError
        When the weights are not exactly those of `spec`, or the stride is not between 1 and the patch's side.

    Examples
    --------
    >>> from patchfield.backbones import random_vit
    >>> transformer = random_vit("vit_tiny_patch16_224", depth=2).transformer
    >>> transformer(torch.rand(1, 3, 64, 96)).grid.shape
    torch.Size([1, 192, 4, 6])
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, spec: ViTSpec, state: State, stride: int | None = None, drop_path: float = 0.0) -> None:
        super().__init__()
        self.spec = spec
        self.stride = spec.patch if stride is None else int(stride)
        if not 1 <= self.stride <= spec.patch:
            raise BackboneError(f"stride={stride} is not possible: give 1 to {spec.patch}, the side of a patch.")
        self.vit = spec.build(drop_path)
        check_state(self.vit, state)
        self.vit.load_state_dict(dict(state), assign=True)
        self.vit.patch_embed.proj.stride = (self.stride, self.stride)
        # Not part of the state: they are the spec's.
        self.register_buffer("mean", torch.tensor(spec.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(3, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor) -> Tokens:
        """Tokens of the last block.

        Parameters
        ----------
        images : Tensor (B, 3, h, w)
            Values 0 to 1. A remainder of less than a stride at the bottom and the right is left out.
        """
        return self.intermediate(images, [self.spec.depth - 1])[0]

    def intermediate(self, images: torch.Tensor, blocks: Sequence[int]) -> list[Tokens]:
        """Tokens of several blocks (counted from 0, increasing), each after the final LayerNorm."""
        sequence, grid = self._embed(images)
        found = []
        for index, block in enumerate(self.vit.blocks[: blocks[-1] + 1]):
            sequence = block(sequence)
            if index in blocks:
                found.append(self._split(self.vit.norm(sequence), grid))
        return found

    def unnormalised(self, images: torch.Tensor) -> Tokens:
        """Tokens of the last block before the final LayerNorm, for training objectives that go on from there."""
        sequence, grid = self._embed(images)
        for block in self.vit.blocks:
            sequence = block(sequence)
        return self._split(sequence, grid)

    def attention(self, images: torch.Tensor, block: int = -1, facet: Facet = "attention") -> torch.Tensor:
        """Attention of the class token to the patches in one block, or a patch's own query, key or value.

        The softmax is over all tokens; the columns of class and register tokens are left out of the result, so a
        map sums to less than one. Of queries, keys and values each head's mean is given, as HR-Dv2 shows them.

        Parameters
        ----------
        images : Tensor (B, 3, h, w)
            Values 0 to 1.
        block : int
            From 0, or from the last, -1.
        facet : {"attention", "query", "key", "value"}

        Returns
        -------
        Tensor (B, heads, n_h, n_w)

        Raises
        ------
        BackboneError
            When the transformer has no class token and its attention is asked for.
        """
        if not self.spec.class_token and facet == "attention":
            raise BackboneError("This backbone has no class token, hence no attention maps: choose another backbone.")
        sequence, grid = self._embed(images)
        blocks = list(self.vit.blocks)
        chosen = blocks[block]
        for earlier in blocks[: block % len(blocks)]:
            sequence = earlier(sequence)
        attention = cast("Attention", chosen.attn)
        normalised = cast(nn.Module, chosen.norm1)(sequence)
        queries, keys, values = attention.qkv(normalised).unflatten(-1, (3, self.spec.heads, -1)).unbind(2)
        if facet != "attention":
            vectors = {"query": queries, "key": keys, "value": values}[facet]
            means: torch.Tensor = vectors[:, self.spec.prefix :].float().mean(-1).transpose(1, 2)
            return means.reshape(*means.shape[:2], *grid)
        scores = torch.einsum("bhc,bnhc->bhn", queries[:, 0] * attention.scale, keys)
        maps = scores.float().softmax(-1)[..., self.spec.prefix :]
        return maps.reshape(*maps.shape[:2], *grid)

    def _embed(self, images: torch.Tensor) -> tuple[torch.Tensor, tuple[int, int]]:
        """The sequence that enters the first block (B, p + n, D), and the grid's rows and columns."""
        patches = self.vit.patch_embed.proj((images - self.mean) / self.std)
        grid = (int(patches.shape[2]), int(patches.shape[3]))
        positions = resample_positions(cast(torch.Tensor, self.vit.pos_embed), grid, self.spec.positions)
        prefix = [token for token in (self.vit.cls_token, self.vit.reg_token) if token is not None]
        parts = [token.expand(len(images), -1, -1) for token in prefix]
        return torch.cat([*parts, patches.flatten(2).transpose(1, 2) + positions], dim=1), grid

    def _split(self, sequence: torch.Tensor, grid: tuple[int, int]) -> Tokens:
        prefix = self.spec.prefix
        return Tokens(sequence[:, :prefix], sequence[:, prefix:].transpose(1, 2).reshape(len(sequence), -1, *grid))
