"""The network behind ``micro``: a small U-Net from pixels to features at half resolution."""

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

PITCH = 2
_SURROUNDINGS = ((8, 3), (16, 5))
"""Cells in pixels, and cells across: what local contrast is measured in (24 and 80 pixels)."""

_NOISE = 0.03
"""Deviation, in units of the image's contrast, below which surroundings count as flat."""


@dataclass(frozen=True)
class MicroSpec:
    """Shape of the network.

    Attributes
    ----------
    widths : tuple of int
        Channels at 1/2, 1/4, 1/8, ... of the resolution.
    blocks : tuple of int
        Residual blocks on the way down, at each of these.
    channels : int
        Length of a feature.
    """

    widths: tuple[int, ...] = (32, 64, 96, 128)
    blocks: tuple[int, ...] = (1, 1, 2, 2)
    channels: int = 64

    @property
    def coarsest(self) -> int:
        """Pixels that the sides of a crop must be a multiple of."""
        return max(PITCH * 2 ** (len(self.widths) - 1), *(cell for cell, _ in _SURROUNDINGS))

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_json`; raises TypeError when a value is missing or too many."""
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**fields)


class MicroNet(nn.Module):
    """Images in units of their own contrast to features.

    A U-Net (Ronneberger et al. 2015) of residual blocks (He et al. 2016) whose ways up are added, not concatenated.
    It starts from colour and from grey values relative to mean and deviation of the surroundings, which free it of
    shading. The last features join the two finest resolutions.

    Parameters
    ----------
    spec : MicroSpec

    Examples
    --------
    >>> net = MicroNet(MicroSpec()).eval()
    >>> net(torch.zeros(1, 3, 64, 96)).shape
    torch.Size([1, 64, 32, 48])
    """

    def __init__(self, spec: MicroSpec) -> None:
        super().__init__()
        self.spec = spec
        widths = spec.widths
        inputs = (3 + len(_SURROUNDINGS)) * PITCH**2
        self.stem = _Convolution(inputs, widths[0])
        self.down = nn.ModuleList(_Convolution(fine, coarse, stride=2) for fine, coarse in pairwise(widths))
        self.encoder = nn.ModuleList(
            nn.Sequential(*(_Block(width) for _ in range(count)))
            for width, count in zip(widths, spec.blocks, strict=True)
        )
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairwise(widths))
        self.decoder = nn.ModuleList(_Block(width) for width in widths[:-1])
        self.features = nn.Conv2d(widths[0] + widths[1], spec.channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Features of images.

        Parameters
        ----------
        images : Tensor (B, 3, h, w)
            Counted from the image's median in units of its contrast; sides are multiples of `spec.coarsest`.

        Returns
        -------
        Tensor (B, channels, h / 2, w / 2)
        """
        current = self.stem(functional.pixel_unshuffle(_with_local_contrast(images), PITCH))
        skips = [current := self.encoder[0](current)]
        for down, encode in zip(self.down, self.encoder[1:], strict=True):
            skips.append(current := encode(down(current)))
        coarser = current
        for fine in reversed(range(len(self.up))):
            doubled = functional.interpolate(self.up[fine](current), scale_factor=2.0, mode="nearest")
            coarser, current = current, self.decoder[fine](skips[fine] + doubled)
        smooth = functional.interpolate(coarser, scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.features(torch.cat([current, smooth], dim=1))

    def fused(self) -> "MicroNet":
        """The same function, frozen, its normalisations folded into the convolutions."""
        self.eval()
        for module in self.modules():
            if isinstance(module, _Convolution):
                module.fuse()
        return self.requires_grad_(False)


class _Convolution(nn.Module):
    """3 x 3 convolution, batch normalisation, and ReLU unless it is left out."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, rectified: bool = True) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, padding_mode="zeros", bias=False)
        self.normalisation: nn.Module = nn.BatchNorm2d(outputs)
        self.rectified = rectified

    def forward(self, images: Tensor) -> Tensor:
        normalised = self.normalisation(self.convolution(images))
        return functional.relu(normalised, inplace=True) if self.rectified else normalised

    def fuse(self) -> None:
        assert isinstance(self.normalisation, nn.BatchNorm2d)
        self.convolution = fuse_conv_bn_eval(self.convolution, self.normalisation)
        self.normalisation = nn.Identity()


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _Convolution(width, width)
        self.second = _Convolution(width, width, rectified=False)

    def forward(self, images: Tensor) -> Tensor:
        return functional.relu(images + self.second(self.first(images)))


def _with_local_contrast(images: Tensor) -> Tensor:
    """Colours, and grey values relative to mean and deviation of the surroundings, (B, 3 + 2, h, w)."""
    grey = images.mean(1, keepdim=True)
    moments = torch.cat([grey, grey**2], dim=1)
    relative = []
    for cell, across in _SURROUNDINGS:
        cells = functional.avg_pool2d(moments, cell)
        cells = functional.avg_pool2d(cells, across, 1, across // 2, count_include_pad=False)
        wide = functional.interpolate(cells, scale_factor=cell, mode="bilinear", align_corners=False)
        mean, square = wide.chunk(2, dim=1)
        deviation = (square - mean**2).clamp(min=0).sqrt() + _NOISE
        relative.append((grey - mean) / deviation)
    return torch.cat([images, *relative], dim=1)
