import numpy as np
import pytest

from patchfield.evaluate.micrographs import position_predictability


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(size=(280, 350, 16))


def test_position_in_the_features_is_found(field_of, noise):
    ramps = np.moveaxis(np.indices(noise.shape[:2]) / 350, 0, -1)
    mixed = ramps @ np.random.default_rng(1).normal(size=(2, 16))
    scores = [position_predictability(field_of(noise + share * mixed)) for share in (0, 10, 1000)]
    assert scores[0] < 0.1
    assert scores[0] < scores[1] < scores[2]
    assert scores[2] > 0.95


def test_it_is_repeatable(field_of, noise):
    field = field_of(noise)
    assert position_predictability(field, seed=4) == position_predictability(field, seed=4)
    assert position_predictability(field, seed=4) != position_predictability(field, seed=5)
