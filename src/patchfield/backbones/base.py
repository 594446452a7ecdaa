"""What every backbone is: pixels in, tokens on regular grids out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch

from patchfield.images import ModelImage


@dataclass(frozen=True)
class Level:
    """One grid of tokens that a backbone makes of a crop.

    Attributes
    ----------
    pitch : int
        Distance of neighbouring tokens in pixels.
    patch : int
        Side of the square of pixels that a token is centred in: token (i, j) of a crop is centred at pixel
        ``(i * pitch + (patch - 1) / 2, j * pitch + (patch - 1) / 2)`` of that crop.
    channels : int
        Length of each token.
    """

    pitch: int
    patch: int
    channels: int

    def tokens(self, length: int) -> int:
        """Number of tokens along an axis of `length` pixels (``length >= patch``)."""
        return (length - self.patch) // self.pitch + 1

    def pixels(self, tokens: int) -> int:
        """Number of pixels along an axis that `tokens` tokens cover."""
        return (tokens - 1) * self.pitch + self.patch


class Backbone(ABC):
    """A frozen network (or filter bank) that describes patches of an image by tokens.

    Attributes
    ----------
    name : str
        What :func:`patchfield.load_backbone` finds it again by: a name, or the path of a file.
    options : dict
        The JSON-able keyword options that, with `name`, make this backbone again.
    fingerprint : str
        Short hash of weights and options: equal fingerprints mean equal features.
    levels : tuple of Level
        The grids that `encode` returns, finest first.
    tile : int
        Side in pixels of the crops it is at its best on.
    margin : int
        Pixels along a crop's edge whose tokens lack context; faded out where a neighbouring crop covers them.
    device : torch.device
        Where `encode` computes.
    """

    name: str
    options: dict[str, Any]
    fingerprint: str
    levels: tuple[Level, ...]
    tile: int
    margin: int
    device: torch.device

    @property
    def channels(self) -> int:
        """Length of a pixel's feature: all levels together."""
        return sum(level.channels for level in self.levels)

    def adapted(self, image: ModelImage) -> "Backbone":
        """This backbone with what it wants to know of a whole image before it sees its crops; itself by default.

        A filter bank takes its units from the image. Fingerprint, options and levels stay the same.
        """
        return self

    @abstractmethod
    def encode(self, batch: torch.Tensor) -> list[torch.Tensor]:
        """Tokens of a batch of crops.

        Parameters
        ----------
        batch : Tensor (B, 3, h, w) float32
            Crops with values 0 to 1; the backbone standardises them itself. Both sides hold whole tokens of
            every level: ``h == level.pixels(level.tokens(h))``.

        Returns
        -------
        list of Tensor (B, channels, n_h, n_w) float32
            One per level, on any device.
        """
