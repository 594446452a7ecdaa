"""The network behind ``micro``: a small U-Net from pixels to features at half resolution."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from patchfield.backbones.filters import LEVELS as FILTERS
from patchfield.backbones.filters import compute_channels
from patchfield.backbones.header import Spec
from patchfield.errors import BackboneError

PITCH = 2
_FILTERS = {level.pitch: level.channels for level in FILTERS}
"""Channels of the filter bank by pitch: those of the pixels join the finest grid, the others the grid of their own."""


@dataclass(frozen=True)
class MicroSpec(Spec):
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

    def __post_init__(self) -> None:
        sizes = (*self.widths, *self.blocks, self.channels)
        if not self.widths or len(self.widths) != len(self.blocks) or min(sizes) < 1:
            raise BackboneError(
                f"There is no network of widths {self.widths}, {self.blocks} blocks and {self.channels} channels."
            )

    @property
    def coarsest(self) -> int:
        """Pixels that the sides of a crop must be a multiple of."""
        return int(max(PITCH * 2 ** (len(self.widths) - 1), *_FILTERS))

    def summary(self) -> str:
        """One phrase for people, such as ``residual U-Net of widths 32, 64, 96, 128 on the filter bank``."""
        return f"residual U-Net of widths {', '.join(map(str, self.widths))} on the filter bank"

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Self:
        """Infer the shape of the network whose weights these are, from names and shapes.

        Raises
        ------
        BackboneError
            When they are of something else.

        Examples
        --------
        >>> MicroSpec.from_state(MicroNet(MicroSpec()).state_dict()) == MicroSpec()
        True
        """
        convolutions = ["stem", *(f"down.{number}" for number in range(_count(state, "down")))]
        return cls(
            widths=tuple(_rows(state, f"{name}.convolution.weight") for name in convolutions),
            blocks=tuple(_count(state, f"encoder.{number}") for number in range(len(convolutions))),
            channels=_rows(state, "fine_features.weight"),
        )


class MicroNet(nn.Module):
    """Images in units of their own contrast to features.

    A U-Net (Ronneberger et al. 2015) of residual blocks (He et al. 2016) whose ways up are added, not concatenated.
    The filter bank of :mod:`patchfield.backbones.filters` enters twice: every grid of the way down sees the channels of
    its pitch, and so do the features, which are linear in them and in the two finest grids of the way up. What the
    filters tell on any micrograph need not be learned, only what they miss.

    Parameters
    ----------
    spec : MicroSpec

    Examples
    --------
    >>> net = MicroNet(MicroSpec()).eval()
    >>> net(torch.zeros(1, 3, 64, 96), [0.1] * 5).shape
    torch.Size([1, 64, 32, 48])
    """

    def __init__(self, spec: MicroSpec) -> None:
        super().__init__()
        self.spec = spec
        widths = spec.widths
        fine, middle, coarse = _FILTERS[1] + _FILTERS[2], _FILTERS[4], _FILTERS[8]
        self.scaled = nn.ModuleList(nn.BatchNorm2d(count, affine=False) for count in (fine, middle, coarse))
        self.stem = _Convolution(3 * PITCH**2 + fine, widths[0])
        self.enter = nn.ModuleList(
            nn.Conv2d(*pair, 1, bias=False) for pair in zip((middle, coarse), widths[1:], strict=False)
        )
        self.down = nn.ModuleList(_Convolution(*pair, stride=2) for pair in pairwise(widths))
        self.encoder = nn.ModuleList(
            nn.Sequential(*(_Block(width) for _ in range(count)))
            for width, count in zip(widths, spec.blocks, strict=True)
        )
        self.up = nn.ModuleList(nn.Conv2d(coarser, finer, 1) for finer, coarser in pairwise(widths))
        self.decoder = nn.ModuleList(_Block(width) for width in widths[:-1])
        self.fine_features = nn.Conv2d(widths[0] + fine, spec.channels, 1)
        self.middle_features = nn.Conv2d(widths[1] + middle + coarse, spec.channels, 1, bias=False)

    def forward(self, images: Tensor, energies: Sequence[float] | Tensor) -> Tensor:
        """Features of images.

        Parameters
        ----------
        images : Tensor (B, 3, h, w)
            Counted from the middle of the image's range in units of its contrast; sides are multiples of
            `spec.coarsest`.
        energies : sequence of float, or Tensor (5, B, 1, 1)
            Mean gradients of the image; see :func:`patchfield.backbones.filters.compute_channels`.

        Returns
        -------
        Tensor (B, channels, h / 2, w / 2)
        """
        fine, middle, coarse = self._filtered(images, energies)
        current = self.stem(torch.cat([functional.pixel_unshuffle(images, PITCH), fine], dim=1))
        skips = [current := self.encoder[0](current)]
        entering = [enter(planes) for enter, planes in zip(self.enter, (middle, coarse), strict=False)]
        for down, encode, filtered in zip_longest(self.down, self.encoder[1:], entering):
            current = down(current) if filtered is None else down(current) + filtered
            skips.append(current := encode(current))
        coarser = current
        for number in reversed(range(len(self.up))):
            doubled = functional.interpolate(self.up[number](current), scale_factor=2.0, mode="nearest")
            coarser, current = current, self.decoder[number](skips[number] + doubled)
        surrounding = self.middle_features(torch.cat([coarser, middle, _doubled(coarse)], dim=1))
        features: Tensor = self.fine_features(torch.cat([current, fine], dim=1)) + _doubled(surrounding)
        return features

    def _filtered(self, images: Tensor, energies: Sequence[float] | Tensor) -> list[Tensor]:
        """Channels of the filter bank at 1/2, 1/4 and 1/8 of the resolution, standardised."""
        pixels, *coarser = compute_channels(images, energies)
        fine = torch.cat([functional.avg_pool2d(pixels, PITCH), coarser[0]], dim=1)
        return [scaled(planes) for scaled, planes in zip(self.scaled, (fine, *coarser[1:]), strict=True)]

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


def _count(state: Mapping[str, Tensor], name: str) -> int:
    """Number of modules in a list of modules."""
    return len({key.removeprefix(f"{name}.").partition(".")[0] for key in state if key.startswith(f"{name}.")})


def _rows(state: Mapping[str, Tensor], key: str) -> int:
    if key not in state or state[key].ndim != 4:
        raise BackboneError(f"The weights are not of a small network of Patchfield: '{key}' is missing or misshapen.")
    return state[key].shape[0]


def _doubled(planes: Tensor) -> Tensor:
    return functional.interpolate(planes, scale_factor=2.0, mode="bilinear", align_corners=False)
