"""An image of another magnification is seen as large as the probe knows things."""

import numpy as np
import pytest

from patchfield.errors import ImageError
from patchfield.field import FeatureRecipe
from patchfield.images import ArrayStack, Calibration, ImageSettings
from patchfield.pipeline import Extractor
from patchfield.probe.planes import LabelledPlane, PlaneTask, segment_planes, train_probe


def extractor(backbone: str = "filters", zoom: float = 1.0) -> Extractor:
    return Extractor.load(FeatureRecipe(backbone, image=ImageSettings(zoom=zoom)))


@pytest.fixture(scope="module")
def textures():
    """Fine stripes on the left, stripes three times as wide on the right: the same grey values, (96, 192) uint8."""
    columns = np.arange(192)
    stripes = np.where(columns < 96, columns // 2 % 2, columns // 6 % 2) * 100 + 70
    noise = np.random.default_rng(0).normal(0, 8, (96, 192))
    return (stripes + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("backbone", ["filters", "micro"])
def test_an_enlarged_image_is_segmented_as_the_original_was(textures, backbone):
    labels = np.zeros((96, 192), np.uint8)
    labels[40:44, 20:60], labels[40:44, 120:170] = 1, 2
    stack = ArrayStack(textures, "YX", calibration=Calibration(6, 6, "nm"))
    plain = extractor(backbone)
    probe = train_probe([LabelledPlane(stack, (), labels)], plain)
    large = ArrayStack(textures.repeat(3, 0).repeat(3, 1), "YX", calibration=Calibration(2, 2, "nm"))
    found = probe.pixel_size_mismatch(large.calibration)
    truth = np.where(np.arange(576) < 288, 1, 2)[None].repeat(288, 0)
    *_, as_it_is = segment_planes([PlaneTask(large, ())], probe, plain)
    *_, resampled = segment_planes([PlaneTask(large, (), settings=found.settings(ImageSettings()))], probe, plain)
    assert resampled.field.shape == (288, 576)
    assert resampled.field.recipes == plain.recipes, "a probe of it is one of images as they are"
    assert (as_it_is.labels == truth).mean() < 0.8 < 0.9 < (resampled.labels == truth).mean()
    region = (slice(100, 130), slice(200, 300))
    np.testing.assert_array_equal(probe.segment(resampled.field, region), resampled.labels[region])


def test_strokes_on_a_resampled_image_are_of_the_pixel_size_that_was_seen(textures):
    labels = np.zeros((96, 192), np.uint8)
    labels[40:44, 20:60], labels[40:44, 120:170] = 1, 2
    stack = ArrayStack(textures, "YX", calibration=Calibration(2, 2, "nm"))
    probe = train_probe([LabelledPlane(stack, (), labels, ImageSettings(zoom=0.5))], extractor())
    assert probe.training.pixel_size == (4.0, 4.0)
    assert probe.pixel_size_mismatch(stack.calibration).factor == 0.5
    assert probe.pixel_size_mismatch(stack.calibration, zoom=0.5) is None


def test_missing_pixels_stay_where_they_are():
    image = np.random.default_rng(1).random((96, 96))
    image[10:20, 30:40] = np.nan
    field = extractor(zoom=0.5).field(image)
    assert field.missing.sum() == 100
    assert field.missing[10:20, 30:40].all()


def test_a_zoom_that_makes_no_sense_is_refused_and_files_of_before_have_none():
    with pytest.raises(ImageError, match="1/16 to 16"):
        ImageSettings(zoom=0)
    assert ImageSettings.from_json({"contrast": "auto", "channels": None, "axes": None}).zoom == 1
    assert ImageSettings.from_json(ImageSettings(zoom=0.5).to_json()).zoom == 0.5
