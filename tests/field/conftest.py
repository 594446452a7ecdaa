"""A backbone whose features are known in closed form: the mean of each patch, mixed into more channels."""

import numpy as np
import pytest
import torch

from patchfield.backbones.base import Backbone, Level


class PatchMeans(Backbone):
    """Tokens are patch means of the pixels (level by level), mixed by a fixed random matrix."""

    def __init__(self, levels: tuple[Level, ...], tile: int = 10_000, margin: int = 0) -> None:
        self.name, self.fingerprint, self.options = "patch-means", "test", {}
        self.levels, self.tile, self.margin = levels, tile, margin
        self.device = torch.device("cpu")
        self.crops: list[tuple[int, ...]] = []

    def encode(self, batch: torch.Tensor) -> list[torch.Tensor]:
        self.crops.append(tuple(batch.shape))
        return [self._level(batch, level) for level in self.levels]

    @staticmethod
    def _level(batch: torch.Tensor, level: Level) -> torch.Tensor:
        means = torch.nn.functional.avg_pool2d(batch, level.patch, level.pitch)
        mixing = np.random.default_rng(level.patch).standard_normal((level.channels, 3)).astype(np.float32)
        mixing[:2] = np.eye(3)[: min(2, level.channels)]  # channel 0 is the red mean, channel 1 the green
        return torch.einsum("kc,bchw->bkhw", torch.from_numpy(mixing), means)


@pytest.fixture
def patch_means():
    """Factory of backbones with one level (pitch, patch, channels) or several."""

    def make(*levels: tuple[int, int, int], **settings) -> PatchMeans:
        return PatchMeans(tuple(Level(*level) for level in levels), **settings)

    return make


@pytest.fixture
def noise() -> np.ndarray:
    """(61, 83, 3) float32 in 0..1: no multiple of anything."""
    return np.random.default_rng(1).random((61, 83, 3), dtype=np.float32)
