"""Pictures show what they are told to."""

import numpy as np

from patchfield.explore.pictures import as_picture, blended, overlay, sheet

COLORS = {1: "#ff0000", 2: "#0000ff"}


def test_an_overlay_tints_classes_and_leaves_the_unlabelled_alone():
    grey = np.full((2, 3, 3), 100, np.uint8)
    labels = np.array([[0, 1, 2], [0, 0, 9]])
    tinted = overlay(grey, labels, COLORS, opacity=0.5)
    np.testing.assert_array_equal(tinted[0], [[100, 100, 100], [178, 50, 50], [50, 50, 178]])
    np.testing.assert_array_equal(tinted[1], grey[1])
    np.testing.assert_array_equal(overlay(grey, labels, COLORS, opacity=1)[0, 1], [255, 0, 0])


def test_sure_pixels_have_pure_colours_and_unsure_ones_mixed():
    probabilities = np.array([[[1.0, 0.5, 0.0]], [[0.0, 0.5, 1.0]]], np.float32)
    np.testing.assert_array_equal(
        blended(probabilities, list(COLORS.values()))[0], [[255, 0, 0], [128, 0, 128], [0, 0, 255]]
    )


def test_grey_becomes_three_equal_channels():
    values = np.linspace(-0.2, 1.2, 15).reshape(3, 5)
    picture = as_picture(values)
    assert picture.shape == (3, 5, 3)
    np.testing.assert_array_equal(picture[..., 1], np.round(np.clip(values, 0, 1) * 255))


def test_a_sheet_holds_every_picture_unscaled_below_its_caption():
    pictures = {f"number {i}": np.full((60, 80, 3), 40 * i, np.uint8) for i in range(4)}
    canvas = sheet(pictures, columns=3)
    for value in (40, 80, 120):
        assert (canvas == value).all(axis=-1).sum() >= 60 * 80
    assert canvas.shape[1] > 3 * 80
    assert canvas.shape[0] > 2 * 60
