"""Samples are what they promise: deterministic, exactly masked, painted inside their classes."""

import numpy as np
import pytest
from scipy import ndimage

from patchfield.errors import ImageError
from patchfield.images import model_image
from patchfield.samples import Sample, load_sample, samples
from patchfield.samples.strokes import painted, strokes_inside

NAMES = [entry.name for entry in samples()]


@pytest.fixture(scope="module", params=NAMES)
def sample(request) -> Sample:
    return load_sample(request.param)


def test_every_class_has_several_strokes_and_little_is_painted(sample):
    for value in sample.class_names:
        _, count = ndimage.label(sample.strokes == value, np.ones((3,) * sample.strokes.ndim))
        assert count >= 3, f"class {value}"
    assert set(np.unique(sample.strokes)) == {0, *sample.class_names}
    assert 0 < (sample.strokes > 0).mean() < 0.02


def test_image_strokes_and_mask_fit_together(sample):
    planes = sample.image if sample.planes > 1 else sample.image[None]
    assert model_image(planes[0]).shape == sample.strokes.shape[-2:]
    if sample.mask is not None:
        assert sample.mask.shape == sample.strokes.shape
        assert set(np.unique(sample.mask)) == set(sample.class_names)
        on_stroke = sample.strokes > 0
        np.testing.assert_array_equal(sample.strokes[on_stroke], sample.mask[on_stroke])


@pytest.mark.parametrize("name", ["alloy", "foam"])
def test_the_same_name_gives_the_same_pixels(name):
    first, second = load_sample(name), load_sample(name)
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.strokes, second.strokes)


def test_the_phases_of_the_alloy_cannot_be_told_by_grey_value():
    alloy = load_sample("alloy")
    means = [alloy.image[alloy.mask == value].mean() for value in alloy.class_names]
    assert abs(means[0] - means[1]) < 1


def test_sixteen_bit_samples_use_their_bits():
    assert load_sample("nuclei").image.dtype == np.uint16
    assert len(np.unique(load_sample("nuclei").image)) > 1000


def test_every_number_is_another_microstructure():
    first, again, other = (load_sample(f"microstructure-{number}") for number in (3, 3, 4))
    np.testing.assert_array_equal(first.image, again.image)
    assert first.image.shape != other.image.shape or (first.image != other.image).any()
    with pytest.raises(ImageError, match="microstructure-7"):
        load_sample("microstructure-x")


def test_an_unknown_sample_is_named_with_the_known_ones():
    with pytest.raises(ImageError, match=r"'steel'.*alloy"):
        load_sample("steel")


def test_strokes_stay_inside_thin_and_small_classes():
    mask = np.ones((64, 64), np.uint8)
    mask[:, 30] = 2
    mask[5, 5] = 3
    strokes = strokes_inside(mask, seed=0)
    assert set(np.unique(strokes)) == {0, 1, 2, 3}
    np.testing.assert_array_equal(strokes[strokes > 0], mask[strokes > 0])


def test_polylines_are_painted_with_the_brush():
    labels = painted((9, 9), {3: [[(4, 1), (4, 6), (1, 6)]]}, brush=1)
    assert {tuple(pixel) for pixel in np.argwhere(labels == 3)} == {
        *((4, column) for column in range(1, 7)),
        *((row, 6) for row in range(1, 5)),
    }
