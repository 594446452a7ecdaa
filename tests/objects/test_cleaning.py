"""Class maps without specks."""

import numpy as np
import pytest
from scipy.ndimage import generic_filter

from patchfield.errors import LabelError
from patchfield.objects import Cleaning, clean


def noisy(shape=(40, 50), seed=0) -> np.ndarray:
    """Two halves with specks of a third class, and some unlabelled pixels."""
    rng = np.random.default_rng(seed)
    segmentation = np.where(np.arange(shape[1]) < 25, 1, 2) * np.ones(shape, np.uint8)
    segmentation[rng.random(shape) < 0.15] = 3
    segmentation[rng.random(shape) < 0.05] = 0
    return segmentation.astype(np.uint8)


def test_the_default_changes_nothing_and_gives_a_new_array():
    segmentation = noisy()
    cleaned = clean(segmentation, Cleaning())
    assert (cleaned == segmentation).all()
    assert cleaned is not segmentation


@pytest.mark.parametrize(
    "settings", [Cleaning(smoothing=2), Cleaning(min_size=8), Cleaning(fill_holes=(1, 2)), Cleaning(2, (1,), 9)]
)
def test_unlabelled_pixels_stay_no_other_becomes_one_and_repeating_gives_the_same(settings):
    segmentation = noisy()
    before = segmentation.copy()
    cleaned = clean(segmentation, settings)
    assert ((cleaned == 0) == (segmentation == 0)).all()
    assert cleaned.dtype == segmentation.dtype
    assert (segmentation == before).all()
    assert (clean(segmentation, settings) == cleaned).all()
    assert (cleaned != segmentation).any()


@pytest.mark.parametrize("radius", [1, 1.5, 3])
def test_smoothing_is_the_mode_in_a_disc(radius):
    segmentation = noisy((12, 15), 3)
    reach = int(radius)
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = rows**2 + columns**2 <= radius**2

    def mode(values: np.ndarray) -> float:
        own = values[len(values) // 2]
        counts = np.bincount(values[values > 0].astype(int), minlength=4)
        return own if own == 0 or counts[int(own)] == counts.max() else counts.argmax()

    expected = generic_filter(segmentation, mode, footprint=disc, mode="constant", cval=0)
    assert (clean(segmentation, Cleaning(smoothing=radius)) == expected).all()


def test_small_pieces_go_to_the_class_that_they_touch_most():
    segmentation = np.full((9, 9), 1, np.uint16)
    segmentation[:, 5:] = 2
    segmentation[3:5, 4:6] = 3  # 2 x 2 on the border: 2 + 2 faces each way, and 2 above
    segmentation[7, 1] = 4
    segmentation[0, 0] = 0
    cleaned = clean(segmentation, Cleaning(min_size=5))
    assert cleaned[7, 1] == 1
    assert set(np.unique(cleaned)) == {0, 1, 2}
    assert (cleaned[3:5, 4:6] == 1).all()  # a tie: the smaller value
    assert (clean(segmentation, Cleaning(min_size=4))[3:5, 4:6] == 3).all()


def test_small_pieces_among_small_ones_follow_from_the_rim():
    segmentation = np.ones((20, 20), np.uint8)
    segmentation[5:15, 5:15] = np.indices((10, 10)).sum(axis=0) % 4 + 2
    assert (clean(segmentation, Cleaning(min_size=30)) == 1).all()


def test_pieces_with_nothing_around_them_stay():
    segmentation = np.zeros((9, 9), np.uint8)
    segmentation[4, 4] = 2
    assert (clean(segmentation, Cleaning(min_size=10)) == segmentation).all()


def test_holes_are_enclosed_and_touch_no_edge():
    segmentation = np.ones((12, 12), np.uint8)
    segmentation[1:8, 1:8] = 2
    segmentation[3:6, 3:6] = 3
    segmentation[4, 4] = 0
    segmentation[8:, 8:] = 2
    segmentation[10:, 10:] = 3  # open to the edge of the image
    cleaned = clean(segmentation, Cleaning(fill_holes=(2,)))
    assert (cleaned[3:6, 3:6] == [[2, 2, 2], [2, 0, 2], [2, 2, 2]]).all()
    assert (cleaned[10:, 10:] == 3).all()


def test_in_a_volume_a_tunnel_is_no_hole_but_a_cavity_is():
    volume = np.ones((5, 7, 7), np.uint8)
    volume[1:4, 2:5, 2:5] = 2
    volume[2, 3, 3] = 1
    assert clean(volume, Cleaning(fill_holes=(2,)))[2, 3, 3] == 2
    volume[:, 3, 3] = 1
    assert clean(volume, Cleaning(fill_holes=(2,)))[2, 3, 3] == 1


@pytest.mark.parametrize("wrong", [{"smoothing": -1}, {"smoothing": 1000}, {"min_size": -1}, {"fill_holes": (0,)}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(LabelError):
        Cleaning(**wrong)
