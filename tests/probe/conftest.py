"""Small real fields: a backbone whose tokens are a fixed random lift of the pixels of small patches."""

import numpy as np
import pytest

from patchfield.field import FeatureField
from patchfield.pipeline import extract
from patchfield.testing.backbones import RandomLift


@pytest.fixture(scope="session")
def image() -> np.ndarray:
    """(64, 96) float32: a dark, a bright and a striped third, with noise."""
    pixels = np.zeros((64, 96))
    pixels[:, 32:64] = 1
    pixels[::4, 64:] = 1
    pixels += np.random.default_rng(1).normal(scale=0.3, size=pixels.shape)
    return pixels.astype(np.float32)


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
