"""Any array as what a model sees: contrast, channels, crops."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from patchfield.errors import ImageError
from patchfield.images import ImageSettings, model_image

RNG = np.random.default_rng(0)
GREY8 = RNG.integers(0, 256, (40, 50), dtype=np.uint8)
GREY16 = RNG.integers(0, 65536, (40, 50), dtype=np.uint16)
COLOURS = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)


class TestContrast:
    def test_uint8_is_seen_as_it_is_and_grey_is_replicated(self):
        seen = model_image(GREY8).whole()
        assert seen.dtype == np.float32
        assert seen.shape == (40, 50, 3)
        np.testing.assert_allclose(seen, np.repeat(GREY8[..., None] / 255, 3, axis=2), atol=1e-7)

    @pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int32, np.uint64, np.float32, np.float64, ">u2"])
    def test_other_dtypes_by_percentiles_of_the_whole_image(self, dtype):
        image = (RNG.gamma(2.0, 300.0, (64, 64)) + 100).astype(dtype)
        low, high = np.percentile(image.astype(float), [0.5, 99.5])
        expected = np.clip((image.astype(float) - low) / (high - low), 0, 1)
        np.testing.assert_allclose(model_image(image).whole()[..., 0], expected, atol=1e-5)

    def test_sixteen_bits_keep_more_than_256_values(self):
        ramp = np.arange(4096, dtype=np.uint16).reshape(64, 64)
        assert len(np.unique(model_image(ramp).whole())) > 4000

    def test_small_contrast_on_a_large_offset_is_not_lost(self):
        ramp = 1e9 + np.linspace(0, 1, 100).reshape(10, 10)
        assert len(np.unique(model_image(ramp, ImageSettings("minmax")).whole())) == 100

    @pytest.mark.parametrize(
        ("contrast", "expected"),
        [("none", 1000 / 65535), ("minmax", 500 / 1500), ((0, 4000), 0.25), ((900, 1100), 0.5), ((0, 500), 1.0)],
    )
    def test_choices(self, contrast, expected):
        image = np.array([[500, 1000, 2000]], np.uint16)
        assert model_image(image, ImageSettings(contrast)).whole()[0, 1, 0] == pytest.approx(expected)

    def test_booleans_are_black_and_white(self):
        np.testing.assert_array_equal(model_image(GREY8 > 100).whole()[..., 0], GREY8 > 100)

    @pytest.mark.parametrize("dtype", [np.uint16, np.float32])
    def test_a_constant_image_is_mid_grey(self, dtype):
        assert (model_image(np.full((5, 5), 7, dtype)).whole() == 0.5).all()

    def test_a_few_bright_spots_on_black_are_seen(self):
        image = np.zeros((100, 100), np.uint16)
        image[5, 5] = 900
        seen = model_image(image).whole()[..., 0]
        assert seen[5, 5] == 1
        assert seen.sum() == 1

    def test_nan_and_infinities_have_values_and_do_not_move_the_limits(self):
        image = RNG.normal(10, 1, (50, 50))
        clean = model_image(image).limits
        image[0, :3] = np.nan, np.inf, -np.inf
        seen = model_image(image)
        np.testing.assert_allclose(seen.limits, clean, atol=0.05)
        np.testing.assert_array_equal(seen.whole()[0, :3, 0], [0, 1, 0])

    def test_nothing_finite_is_black(self):
        assert (model_image(np.full((4, 4), np.nan)).whole() == 0).all()

    def test_limits_of_a_large_image_come_from_a_lattice_within_the_promised_rank(self):
        image = RNG.normal(0, 1, (4200, 2100)).astype(np.float32)
        low, high = model_image(image).limits[0]
        assert (image < low).mean() == pytest.approx(0.005, abs=1e-4)
        assert (image > high).mean() == pytest.approx(0.005, abs=1e-4)


class TestChannels:
    def test_three_channels_are_stretched_together_and_chosen_ones_apart(self):
        image = np.dstack([GREY16, GREY16 // 2, GREY16 // 4])
        together = model_image(image).whole()
        apart = model_image(image, ImageSettings(channels=(0, 1, 2))).whole()
        assert together[..., 2].max() < 0.3
        np.testing.assert_allclose(apart[..., 2], apart[..., 0], atol=1e-3)

    def test_a_grey_image_three_pixels_wide_is_grey(self):
        seen = model_image(GREY8[:, :3]).whole()
        assert seen.shape == (40, 3, 3)
        np.testing.assert_array_equal(seen[..., 0], seen[..., 2])

    def test_opaque_rgba_loses_its_alpha(self):
        opaque = np.dstack([COLOURS, np.full((40, 50), 255, np.uint8)])
        np.testing.assert_array_equal(model_image(opaque).whole(), model_image(COLOURS).whole())

    @pytest.mark.parametrize("channels", [2, 4, 5])
    def test_other_numbers_must_be_chosen(self, channels):
        image = RNG.integers(0, 200, (8, 9, channels), dtype=np.uint8)
        with pytest.raises(ImageError, match=f"{channels} channels: choose"):
            model_image(image)
        chosen = model_image(image, ImageSettings(channels=(1,))).whole()
        np.testing.assert_allclose(chosen[..., 0], image[..., 1] / 255, atol=1e-7)

    @pytest.mark.parametrize(
        ("image", "sentence"),
        [
            (np.zeros((0, 5)), "empty"),
            (np.zeros(7), "1 dimension"),
            (np.zeros((2, 3, 4, 5)), "4 dimension"),
            (np.zeros((12, 64, 64)), "one plane of a stack"),
            (np.zeros((4, 4), complex), "complex"),
            (np.array([["a"]]), "integers, floats or booleans"),
            ([[1, 2], [3]], "rows differ"),
        ],
    )
    def test_what_is_no_image_gets_one_sentence(self, image, sentence):
        with pytest.raises(ImageError, match=sentence) as caught:
            model_image(image, name="slide 7")
        assert str(caught.value).startswith("slide 7")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        "wrong", [{"contrast": "nice"}, {"contrast": (2, 1)}, {"channels": (0, 1)}, {"channels": (-1,)}]
    )
    def test_settings_that_make_no_sense_are_refused(self, wrong):
        with pytest.raises(ImageError):
            ImageSettings(**wrong)

    @pytest.mark.parametrize(
        "made", [ImageSettings(), ImageSettings("minmax", (2,)), ImageSettings((1, 2.5), (0, 1, 1))]
    )
    def test_settings_survive_json(self, made):
        assert ImageSettings.from_json(made.to_json()) == made


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_crop_is_the_whole_at_those_rows_and_columns(data):
    rows = data.draw(st.lists(st.integers(0, 39), min_size=1, max_size=60))
    columns = data.draw(st.lists(st.integers(0, 49), min_size=1, max_size=60))
    seen = model_image(COLOURS)
    np.testing.assert_array_equal(seen.crop(np.array(rows), np.array(columns)), seen.whole()[np.ix_(rows, columns)])


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (np.ma.masked_greater(np.arange(12.0).reshape(3, 4), 5), "masked array"),
        (torch.ones(3, 4, requires_grad=True), "convert it first"),
        (torch.ones(3, 4, dtype=torch.bfloat16), "convert it first"),
    ],
)
def test_arrays_that_would_lose_something_are_refused(image, sentence):
    with pytest.raises(ImageError, match=sentence):
        model_image(image)
