"""Self-attention by xFormers where it is installed; PyTorch's own otherwise."""

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

if TYPE_CHECKING:
    from timm.layers import Attention
    from timm.models.vision_transformer import VisionTransformer


class MemoryEfficientAttention(nn.Module):
    """timm's self-attention computed by another kernel, sharing its parameters under the same names.

    Parameters
    ----------
    attention : timm.layers.Attention
        Without normalised queries and keys (no model of the DINO family has them).
    kernel : callable
        ``kernel(queries, keys, values, scale=...)`` on tensors (B, n, heads, channels per head), such as
        ``xformers.ops.memory_efficient_attention``.
    """

    def __init__(self, attention: "Attention", kernel: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.qkv = attention.qkv
        self.proj = attention.proj
        self.num_heads = attention.num_heads
        self.scale = attention.scale
        self._kernel = kernel

    def forward(self, tokens: torch.Tensor, attn_mask: None = None, is_causal: bool = False) -> torch.Tensor:
        """Tokens (B, n, D) to tokens of the same shape; timm's blocks pass a mask, which here is never one."""
        queries, keys, values = self.qkv(tokens).unflatten(-1, (3, self.num_heads, -1)).unbind(2)
        attended = self._kernel(queries, keys, values, scale=self.scale)
        projected: torch.Tensor = self.proj(attended.flatten(2))
        return projected


def replace_attention(vit: "VisionTransformer", kernel: Callable[..., torch.Tensor]) -> None:
    """Let all blocks of `vit` compute their attention by `kernel`."""
    for block in vit.blocks:
        block.attn = MemoryEfficientAttention(cast("Attention", block.attn), kernel)


def use_xformers(vit: "VisionTransformer") -> bool:
    """Let `vit` (on a CUDA device) use xFormers' attention where it is installed and works; whether it does."""
    try:
        from xformers.ops import memory_efficient_attention

        probe = torch.zeros(1, 8, 1, 64, dtype=torch.float16, device=next(vit.parameters()).device)
        memory_efficient_attention(probe, probe, probe)
    except (ImportError, NotImplementedError, RuntimeError):  # not there, or built for another PyTorch or GPU
        return False
    replace_attention(vit, memory_efficient_attention)
    return True
