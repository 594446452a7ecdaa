import numpy as np
import pytest

from patchfield.errors import FieldError
from patchfield.evaluate.metrics.patches import PatchGrid


def test_soft_label_is_the_histogram_of_labelled_pixels():
    truth = np.zeros((7, 12), np.uint8)
    truth[:3, :3], truth[0, 3:6], truth[:3, 6:9] = 4, 7, 4
    truth[1, 7] = 7
    soft = PatchGrid(truth.shape, 3).soft_labels(truth, [4, 7])
    assert soft.shape == (2 * 4, 2)
    np.testing.assert_allclose(soft[:4], [[1, 0], [0, 1], [8 / 9, 1 / 9], [0, 0]])
    assert not soft[4:].any()


def test_features_come_from_the_centres(field_of):
    positions = np.moveaxis(np.indices((16, 23)), 0, -1)
    centres = field_of(positions).sample(*PatchGrid((16, 23), 5).centres())
    np.testing.assert_array_equal(centres, [[r, c] for r in (2, 7, 12) for c in (2, 7, 12, 17)])


def test_upsampling_keeps_patches_apart_and_covers_the_rest():
    scores = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
    maps = PatchGrid((5, 9), 4).upsample(scores)
    assert maps.shape == (2, 5, 9)
    np.testing.assert_array_equal(maps.argmax(0), [[1] * 4 + [0] * 5] * 5)


def test_refuses_images_smaller_than_a_patch():
    with pytest.raises(FieldError, match="13 x 40"):
        PatchGrid((13, 40), 14)
