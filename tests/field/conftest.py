"""An image for tests of fields."""

import numpy as np
import pytest


@pytest.fixture
def noise() -> np.ndarray:
    """(61, 83, 3) float32 in 0..1: no multiple of anything."""
    return np.random.default_rng(1).random((61, 83, 3), dtype=np.float32)
