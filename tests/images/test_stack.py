"""Arrays with named axes: every order of axes gives the same planes, lazily."""

from itertools import permutations

import numpy as np
import pytest

from patchfield.errors import ImageError
from patchfield.images import ArrayStack, ImageSettings, Stack, model_image, plane_indices

RNG = np.random.default_rng(0)
TZCYX = RNG.integers(0, 256, (2, 3, 4, 8, 9), np.uint8)


class Lazy:
    """An array that only knows slicing, and which parts of it were read."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values
        self.shape = values.shape
        self.dtype = values.dtype
        self.read = 0

    def __getitem__(self, key):
        part = self._values[key]
        self.read += part.size
        return part


@pytest.mark.parametrize("axes", ["".join(order) for order in permutations("TZCYX")][::7])
@pytest.mark.parametrize("lazy", [False, True])
def test_the_order_of_axes_does_not_matter(axes, lazy):
    data = TZCYX.transpose(["TZCYX".index(letter) for letter in axes])
    stack = ArrayStack(Lazy(data) if lazy else data, axes)
    assert isinstance(stack, Stack)
    assert (stack.shape, stack.channels) == ((8, 9), 4)
    assert sorted(zip(stack.axes, stack.lengths, strict=True)) == [("T", 2), ("Z", 3)]
    for index in plane_indices(stack):
        where = dict(zip(stack.axes, index, strict=True))
        expected = TZCYX[where["T"], where["Z"]].transpose(1, 2, 0)
        np.testing.assert_array_equal(np.asarray(stack.pixels_at(index)[...]), expected)
        np.testing.assert_array_equal(stack.pixels_at(index)[2:5, ::2], expected[2:5, ::2])


def test_a_lazy_plane_reads_what_is_sliced_and_no_more():
    data = Lazy(RNG.integers(0, 256, (5, 40, 50), np.uint8))
    plane = ArrayStack(data, "ZYX").pixels_at((3,))
    assert (plane.shape, plane.dtype, data.read) == ((40, 50), np.uint8, 0)
    assert plane[10:20, 5:10].shape == (10, 5)
    assert data.read == 50


def test_an_axis_of_one_channel_is_grey():
    stack = ArrayStack(TZCYX[:, 0, :1], "TCYX")
    assert stack.channels == 1
    np.testing.assert_array_equal(stack.pixels_at((1,)), TZCYX[1, 0, 0])


@pytest.mark.parametrize("axes", ["YX", "TZYX", "TTCYX", "TZCXQ"])
def test_letters_that_do_not_name_the_axes_are_refused(axes):
    with pytest.raises(ImageError, match=r"slide 7 has shape \(2, 3, 4, 8, 9\)"):
        ArrayStack(TZCYX, axes, "slide 7")


def test_all_planes_decide_the_contrast_however_they_are_stored():
    drifting = (RNG.gamma(2, 100, (24, 60, 70)) * np.linspace(1, 4, 24)[:, None, None]).astype(np.uint16)
    arrays = [ArrayStack(drifting, "ZYX"), ArrayStack(Lazy(drifting), "TYX"), ArrayStack(drifting[None], "TZYX")]
    limits = {model_image(stack, plane=plane_indices(stack)[plane]).limits for stack in arrays for plane in (0, 23)}
    assert len(limits) == 1
    (low, high), *_ = limits.pop()
    assert (drifting < low).mean() == pytest.approx(0.005, abs=0.001)
    assert (drifting > high).mean() == pytest.approx(0.005, abs=0.001)


def test_a_plane_has_to_be_chosen_and_to_exist():
    stack = ArrayStack(TZCYX[:, :, 0], "TZYX", "slide 7")
    with pytest.raises(ImageError, match=r"slide 7 has several planes \(T 2 x Z 3\)"):
        model_image(stack)
    with pytest.raises(ImageError, match=r"no plane \(0, 3\)"):
        model_image(stack, plane=(0, 3))


def test_channels_are_those_of_the_image():
    stack = ArrayStack(TZCYX[0, 0], "CYX")
    chosen = model_image(stack, ImageSettings("none", channels=(2,)))
    np.testing.assert_allclose(chosen.whole()[..., 0], TZCYX[0, 0, 2] / 255, atol=1e-6)


def test_an_image_remembers_the_settings_it_was_prepared_with():
    settings = ImageSettings("minmax")
    prepared = model_image(TZCYX[0, 0, 0], settings)
    assert prepared.settings == settings
    assert model_image(prepared, settings) is prepared
    with pytest.raises(ImageError, match="was prepared with"):
        model_image(prepared, ImageSettings("percentile"))


def test_missing_pixels_are_those_without_a_number():
    image = RNG.normal(0, 1, (30, 40, 3))
    image[3, 4, 1] = np.nan
    image[5, 6, 0] = np.inf
    missing = model_image(image).missing()
    assert np.argwhere(missing).tolist() == [[3, 4]]
    assert model_image(image, ImageSettings(channels=(2,))).missing() is None


def test_values_at_the_end_of_what_floats_hold_keep_their_contrast():
    image = np.array([[-1.7e308, 0.0, 1.7e308]])
    with np.errstate(all="raise"):
        np.testing.assert_allclose(model_image(image, ImageSettings("minmax")).whole()[0, :, 0], [0, 0.5, 1], atol=1e-6)
