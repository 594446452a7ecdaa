"""Fields whose feature at every pixel is given."""

import numpy as np
import pytest
import torch

from patchfield.field import FeatureField
from patchfield.field.axis import Axis
from patchfield.field.field import Block
from patchfield.field.grid import Grid
from patchfield.field.views import AxisView


@pytest.fixture
def field_of():
    """Factory of a field from its features (H, W, channels), kept in float16."""

    def make(features) -> FeatureField:
        tokens = torch.from_numpy(np.ascontiguousarray(features)).half()
        rows, columns = (Axis(size, AxisView(), 0.0, 1, size) for size in tokens.shape[:2])
        return FeatureField(tuple(tokens.shape[:2]), (Block((Grid(tokens, rows, columns),), "bilinear"),))

    return make


@pytest.fixture
def phases():
    """(64, 48) classes 3, 5 and 9 in blocks of 8 pixels."""
    blocks = np.random.default_rng(0).choice([3, 5, 9], (8, 6))
    return np.kron(blocks, np.ones((8, 8), int)).astype(np.uint8)


@pytest.fixture
def features_of():
    """Factory of features that are a direction per class plus noise: (H, W, 12)."""

    def make(labels, noise, seed=0):
        directions = np.random.default_rng(99).normal(size=(256, 12))
        return directions[labels] + noise * np.random.default_rng(seed).normal(size=(*labels.shape, 12))

    return make
