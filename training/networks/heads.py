"""Heads on patch tokens, trained with the backbone and thrown away afterwards."""

from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from training.errors import require

_DEVIATION = 0.02


@dataclass(frozen=True)
class HeadSettings:
    """The projection that is trained on top of the backbone and thrown away afterwards.

    Attributes
    ----------
    layers : int
        Linear layers, with GELU between them.
    hidden : int
        Channels between the layers.
    channels : int
        Channels of the projected patches, which are compared.
    """

    layers: int = 3
    hidden: int = 2048
    channels: int = 256

    def __post_init__(self) -> None:
        require(self.layers >= 1, "head.layers must be at least 1")
        require(self.hidden >= 1, "head.hidden must be at least 1")
        require(self.channels >= 1, "head.channels must be at least 1")


def projection_head(channels: int, settings: HeadSettings) -> nn.Sequential:
    """Linear layers with GELU between them; truncated normal weights, no biases at the start.

    Examples
    --------
    >>> [type(module).__name__ for module in projection_head(384, HeadSettings(layers=2))]
    ['Linear', 'GELU', 'Linear']
    """
    widths = [channels, *[settings.hidden] * (settings.layers - 1), settings.channels]
    modules: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        linear = nn.Linear(inputs, outputs)
        nn.init.trunc_normal_(linear.weight, std=_DEVIATION)
        nn.init.zeros_(linear.bias)
        modules += [linear, nn.GELU()]
    return nn.Sequential(*modules[:-1])
