"""Class attention: one learned token that looks at any number of patches and sums them up."""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

_DEVIATION = 0.02


class ClassAttention(nn.Module):
    """Learned pooling of patches (CaiT's class attention, Touvron et al., ICCV 2021, without its layer scale).

    Parameters
    ----------
    channels, heads : int
        Of the transformer whose tokens are pooled.
    blocks : int

    Examples
    --------
    >>> ClassAttention(64, 2)(torch.rand(3, 5, 64)).shape
    torch.Size([3, 64])
    """

    def __init__(self, channels: int, heads: int, blocks: int = 2) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, channels))
        nn.init.trunc_normal_(self.token, std=_DEVIATION)
        self.blocks = nn.ModuleList(_Block(channels, heads) for _ in range(blocks))

    def forward(self, patches: Tensor, present: Tensor | None = None) -> Tensor:
        """What the token has seen.

        Parameters
        ----------
        patches : Tensor (B, n, channels)
        present : Tensor (B, n) bool, optional
            Which patches there are; all by default.

        Returns
        -------
        Tensor (B, channels)
        """
        token = self.token.expand(len(patches), -1, -1)
        if present is not None:
            # The token always sees itself, so that a patch without neighbours has something to look at.
            present = nn.functional.pad(present, (1, 0), value=True)[:, None, None]
        for block in self.blocks:
            token = block(token, patches, present)
        return token[:, 0]


class _Block(nn.Module):
    """Attention from the token to itself and the patches, then an MLP; both after a LayerNorm, both added."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = (nn.LayerNorm(channels, eps=1e-6) for _ in range(2))
        self.query, self.key, self.value, self.out = (nn.Linear(channels, channels) for _ in range(4))
        self.mlp = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=_DEVIATION)
                nn.init.zeros_(module.bias)

    def forward(self, token: Tensor, patches: Tensor, present: Tensor | None) -> Tensor:
        sequence = self.norm1(torch.cat([token, patches], dim=1))
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(sequence[:, :1]), self.key(sequence), self.value(sequence))
        )
        seen = scaled_dot_product_attention(query, key, value, attn_mask=present)
        token = token + self.out(seen.transpose(1, 2).flatten(2))
        changed: Tensor = token + self.mlp(self.norm2(token))
        return changed
