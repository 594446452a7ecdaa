"""Objects are connected, and parted where they only touch."""

import numpy as np
import pytest

from patchfield.errors import LabelError
from patchfield.objects import at_border, connected_objects

ROWS, COLUMNS = np.mgrid[:80, :160]


def disc(row: float, column: float, radius: float, height: float = 1, width: float = 1) -> np.ndarray:
    """Pixels of a disc; positions and radius in units of which a pixel is `height` x `width`."""
    return np.hypot(ROWS * height - row, COLUMNS * width - column) < radius


def ellipse(long: float, short: float, angle: float) -> np.ndarray:
    x, y = COLUMNS - 80, ROWS - 40
    along, across = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    return (along / long) ** 2 + (across / short) ** 2 <= 1


def test_diagonal_neighbours_are_connected():
    assert connected_objects(np.eye(4, dtype=bool)).max() == 1
    assert connected_objects(np.eye(4, dtype=bool), split=True).max() == 1


@pytest.mark.parametrize("split", [False, True])
def test_objects_are_numbered_in_the_order_of_their_first_pixels(split):
    mask = disc(60, 20, 9) | disc(20, 70, 6) | disc(40, 120, 15)
    numbers = connected_objects(mask, split)
    assert [numbers[20, 70], numbers[40, 120], numbers[60, 20]] == [1, 2, 3]


@pytest.mark.parametrize("radius", [6, 10, 20])
def test_two_discs_that_touch_are_parted_in_the_middle(radius):
    distance = 1.9 * radius
    pair = disc(40, 60, radius) | disc(40, 60 + distance, radius)
    assert connected_objects(pair).max() == 1
    parted = connected_objects(pair, split=True)
    assert parted.max() == 2
    assert ((parted > 0) == pair).all()
    left, right = np.bincount(parted.ravel())[1:]
    assert abs(left - right) <= 2 * radius


def test_discs_that_are_one_body_stay_one():
    assert connected_objects(disc(40, 60, 20) | disc(40, 80, 20), split=True).max() == 1


@pytest.mark.parametrize("neck", [0.01, 0.1, 0.5, 0.9, 0.99])
def test_no_object_is_lost_however_deep_a_neck_must_be(neck):
    mask = disc(40, 30, 20) | disc(40, 90, 5) | disc(40, 120, 1.2) | disc(40, 140, 0.5)
    parted = connected_objects(mask, split=True, neck=neck)
    assert ((parted > 0) == mask).all()
    assert parted.max() == 4


@pytest.mark.parametrize("size", [(60, 8), (35, 3), (40, 20), (30, 30)])
@pytest.mark.parametrize("angle", [0, 0.3, 0.8, np.pi / 2])
def test_elongated_objects_stay_whole(size, angle):
    assert connected_objects(ellipse(*size, angle), split=True).max() == 1


def test_a_neck_is_measured_in_the_size_of_a_pixel():
    # In pixels that are three times as wide as high, discs are ellipses of the pixels.
    pair = disc(40, 60, 30, width=3) | disc(40, 115, 30, width=3)
    parted = connected_objects(pair, split=True, spacing=(1, 3))
    assert parted.max() == 2
    boundary = np.flatnonzero(parted[40] == 2)[0] * 3
    assert abs(boundary - 87.5) <= 6


def test_volumes():
    z, y, x = np.mgrid[:10, :30, :60]
    balls = np.minimum(*(np.sqrt((3 * (z - 4.5)) ** 2 + (y - 15) ** 2 + (x - at) ** 2) for at in (18, 40))) < 12
    assert connected_objects(balls).max() == 1
    assert connected_objects(balls, split=True, spacing=(3, 1, 1)).max() == 2


def test_nothing_and_everything():
    for split in (False, True):
        assert connected_objects(np.zeros((5, 6), bool), split).max() == 0
        assert (connected_objects(np.ones((5, 6), bool), split) == 1).all()


def test_what_touches_an_edge():
    instances = np.zeros((6, 6), int)
    instances[0, 3], instances[3, 0], instances[5, 5], instances[2:4, 2:4] = 1, 2, 3, 4
    assert at_border(instances).tolist() == [True, True, True, False]


def test_a_neck_that_makes_no_sense_is_refused():
    with pytest.raises(LabelError, match="neck"):
        connected_objects(np.eye(3, dtype=bool), True, neck=1.5)
