"""Backbones whose features are known in closed form: no weights, no waiting."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, conv2d

from patchfield.backbones.base import Backbone, Level

_BACKGROUND = 0.4
"""Subtracted from colours, so that features have both signs."""


class PatchMeans(Backbone):
    """Mean colours of patches, level by level, mixed into any number of channels by a fixed random matrix.

    Channel 0 of each level is the mean of red, channel 1 that of green. Any geometry can be asked for, and every
    feature can be computed by hand: for tests of grids, views and tiles.

    Parameters
    ----------
    *levels : (int, int, int)
        Pitch, patch and channels of each level, finest first.
    tile, margin : int
        See :class:`patchfield.Backbone`.

    Attributes
    ----------
    crops : list of tuple
        Shapes of all batches that were encoded.

    Examples
    --------
    >>> backbone = PatchMeans((2, 4, 3), (8, 8, 5))
    >>> [tuple(tokens.shape) for tokens in backbone.encode(torch.rand(1, 3, 16, 24))]
    [(1, 3, 7, 11), (1, 5, 2, 3)]
    """

    def __init__(self, *levels: tuple[int, int, int], tile: int = 10_000, margin: int = 0) -> None:
        self.name = "patch-means"
        self.options = {}
        self.levels = tuple(Level(*level) for level in levels)
        self.fingerprint = f"patch-means {levels}"
        self.tile = tile
        self.margin = margin
        self.device = torch.device("cpu")
        self.crops: list[tuple[int, ...]] = []

    def encode(self, batch: torch.Tensor) -> list[torch.Tensor]:
        """Mixed means; see :meth:`patchfield.Backbone.encode`."""
        self.crops.append(tuple(batch.shape))
        return [self._level(batch, level) for level in self.levels]

    @staticmethod
    def _level(batch: torch.Tensor, level: Level) -> torch.Tensor:
        means = avg_pool2d(batch, level.patch, level.pitch)
        mixing = np.random.default_rng(level.patch).standard_normal((level.channels, 3)).astype(np.float32)
        mixing[:2] = np.eye(3)[: min(2, level.channels)]
        return torch.einsum("kc,bchw->bkhw", torch.from_numpy(mixing), means)


class RandomLift(Backbone):
    """A convolution of patches of 4 pixels with fixed random weights, and a ReLU: texture makes a difference.

    Parameters
    ----------
    channels : int
    fingerprint : str
        Another one passes for other weights.

    Examples
    --------
    >>> RandomLift(channels=8).encode(torch.rand(2, 3, 16, 24))[0].shape
    torch.Size([2, 8, 4, 6])
    """

    def __init__(self, channels: int = 24, fingerprint: str = "lift-1") -> None:
        self.name = "random-lift"
        self.options = {}
        self.fingerprint = fingerprint
        self.levels = (Level(4, 4, channels),)
        self.tile = 512
        self.margin = 0
        self.device = torch.device("cpu")
        self._weights = torch.from_numpy(np.random.default_rng(0).standard_normal((channels, 3, 4, 4))).float()

    def encode(self, batch: torch.Tensor) -> list[torch.Tensor]:
        """Lifted patches; see :meth:`patchfield.Backbone.encode`."""
        return [torch.relu(conv2d(batch - _BACKGROUND, self._weights, stride=4))]


class PatchColours(Backbone):
    """Mean colours of patches times a gain per colour, and channels of noise: what sees some colours and not others.

    Parameters
    ----------
    name : str
        Its fingerprint is ``NAME-print``.
    patch : int
        Side of a patch in pixels.
    gain : sequence of 3 floats
        Of red, green and blue; 0 is blind.
    noise : float
        Standard deviation that is added to each colour, and that of two further channels.

    Examples
    --------
    >>> PatchColours(patch=8).encode(torch.rand(1, 3, 32, 64))[0].shape
    torch.Size([1, 5, 4, 8])
    """

    def __init__(
        self,
        name: str = "patch-colours",
        patch: int = 8,
        gain: Sequence[float] = (1.0, 1.0, 1.0),
        noise: float = 0.05,
    ) -> None:
        self.name = name
        self.options = {}
        self.fingerprint = f"{name}-print"
        self.levels = (Level(patch, patch, 5),)
        self.tile = 448
        self.margin = 0
        self.device = torch.device("cpu")
        self._gain = torch.tensor(gain)[:, None, None]
        self._noise = noise

    def encode(self, batch: torch.Tensor) -> list[torch.Tensor]:
        """Colours and noise; see :meth:`patchfield.Backbone.encode`."""
        colours = (avg_pool2d(batch, self.levels[0].patch) - _BACKGROUND) * self._gain
        noise = self._noise * _noise(5, colours)
        return [torch.cat([colours + noise[:, :3], noise[:, 3:]], dim=1)]


class GreyLevels(Backbone):
    """How near the mean of a patch of 4 pixels is to each of some grey levels, and three channels of noise.

    Parameters
    ----------
    levels : sequence of float
        Grey levels, 0 to 1.
    width : float
        Distance from a level at which a channel has fallen to 1/e.
    sees : bool
        Whether the grey levels are seen at all, or only the noise.

    Examples
    --------
    >>> GreyLevels((0.25, 0.5, 0.75)).encode(torch.rand(1, 3, 16, 24))[0].shape
    torch.Size([1, 6, 4, 6])
    """

    def __init__(self, levels: Sequence[float], width: float = 0.1, sees: bool = True) -> None:
        self.name = "grey-levels" if sees else "blind"
        self.options = {}
        self.fingerprint = f"{self.name} {tuple(levels)} {width}"
        self.levels = (Level(4, 4, len(levels) + 3),)
        self.tile = 256
        self.margin = 0
        self.device = torch.device("cpu")
        self._levels = torch.tensor(levels)[:, None, None]
        self._width = width
        self._sees = float(sees)

    def encode(self, batch: torch.Tensor) -> list[torch.Tensor]:
        """Nearness and noise; see :meth:`patchfield.Backbone.encode`."""
        grey = avg_pool2d(batch[:, :1], 4)
        nearness = torch.exp(-(((grey - self._levels) / self._width) ** 2))
        return [torch.cat([self._sees * nearness, 0.1 * _noise(3, grey)], dim=1)]


def _noise(channels: int, like: torch.Tensor) -> torch.Tensor:
    """The same noise for every image of a batch (B, ?, h, w): (B, channels, h, w)."""
    noise = torch.randn(1, channels, *like.shape[2:], generator=torch.Generator().manual_seed(0))
    return noise.expand(len(like), -1, -1, -1)
