"""Small real fields: a backbone whose tokens are a fixed random lift of the pixels of small patches."""

import numpy as np
import pytest
import torch

from patchfield.backbones.base import Backbone, Level
from patchfield.field import FeatureField, extract


class RandomLift(Backbone):
    """A convolution with random weights and a ReLU: features that differ wherever the texture does."""

    def __init__(self, channels: int = 24, fingerprint: str = "lift-1") -> None:
        self.name, self.fingerprint, self.options = "random-lift", fingerprint, {}
        self.levels = (Level(4, 4, channels),)
        self.tile, self.margin, self.device = 512, 0, torch.device("cpu")
        self._weights = torch.from_numpy(np.random.default_rng(0).standard_normal((channels, 3, 4, 4))).float()

    def encode(self, batch: torch.Tensor) -> list[torch.Tensor]:
        return [torch.relu(torch.nn.functional.conv2d(batch - 0.4, self._weights, stride=4))]


@pytest.fixture(scope="session")
def image() -> np.ndarray:
    """(64, 96) float32: a dark, a bright and a striped third, with noise."""
    pixels = np.zeros((64, 96))
    pixels[:, 32:64] = 1
    pixels[::4, 64:] = 1
    pixels += np.random.default_rng(1).normal(scale=0.3, size=pixels.shape)
    return pixels.astype(np.float32)


@pytest.fixture(scope="session")
def lift():
    return RandomLift


@pytest.fixture(scope="session")
def field(image) -> FeatureField:
    return extract(image, RandomLift(), "fast")


@pytest.fixture
def labels() -> np.ndarray:
    """(64, 96) uint8: three strokes of each third, of classes 2, 5 and 200."""
    strokes = np.zeros((64, 96), np.uint8)
    for row in (10, 30, 50):
        strokes[row, 5:25], strokes[row, 40:60], strokes[row : row + 2, 70:90] = 2, 5, 200
    return strokes
