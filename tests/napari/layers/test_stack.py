import dask.array
import numpy as np
from napari.components import ViewerModel
from napari.layers import Image

from patchfield.napari.layers.stack import Channel, ImageSource, channel_choices


def test_three_columns_of_grey_are_not_colours():
    source = ImageSource(Image(np.zeros((40, 3)), rgb=False))
    assert (source.shape, source.planes) == ((40, 3), ())


def test_colours_lose_their_alpha_and_are_no_planes():
    source = ImageSource(Image(np.zeros((40, 30, 4), np.uint8), rgb=True))
    assert (source.shape, source.planes, source.labels_shape) == ((40, 30), (), (40, 30))
    assert source.seen(()).whole().shape == (40, 30, 3)


def test_a_stack_of_three_planes_is_a_stack():
    source = ImageSource(Image(np.zeros((3, 40, 30)), rgb=False))
    assert source.planes == (3,)
    assert list(source.indices()) == [(0,), (1,), (2,)]


def test_the_plane_on_view_is_found_in_a_viewer_of_more_axes_and_scales():
    viewer = ViewerModel()
    source = ImageSource(viewer.add_image(np.zeros((5, 40, 30)), scale=(2, 0.1, 0.1), translate=(7, 0, 0)))
    viewer.add_image(np.zeros((2, 5, 40, 30)))
    viewer.dims.set_point(1, 7 + 2 * 3)
    assert source.index_at(viewer.dims.point) == (3,)
    viewer.dims.set_point(1, 0)
    assert source.index_at(viewer.dims.point) == (0,), "outside of it: the nearest plane"


def test_the_finest_level_of_a_pyramid_is_used():
    finest = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    source = ImageSource(Image([finest, finest[::2, ::2]], multiscale=True))
    assert source.shape == (64, 64)
    np.testing.assert_array_equal(source.pixels(()), finest)


def test_lazy_planes_stay_lazy():
    stack = dask.array.zeros((1000, 64, 64), chunks=(1, 64, 64), dtype=np.uint16)
    assert isinstance(ImageSource(Image(stack)).pixels((500,)), dask.array.Array)


def test_planes_of_a_stack_share_their_contrast():
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 1000, (6, 50, 50)).astype(np.uint16)
    stack[3] //= 10
    source = ImageSource(Image(stack))
    assert source.seen((0,)).limits == source.seen((3,)).limits
    assert source.seen((3,)).whole().max() < 0.12, "a dark plane stays dark"


def test_channels_come_from_the_first_axis():
    image = np.stack([np.full((8, 9), value, np.uint8) for value in (10, 20, 30, 40)])
    layer = Image(image)
    choices = channel_choices(layer, [layer])
    assert [choice.entry for choice in choices] == [0, 1, 2, 3]
    source = ImageSource(layer, (choices[3], choices[1], choices[0]))
    assert source.labels_shape == (8, 9)
    np.testing.assert_array_equal(source.pixels(())[0, 0], [40, 20, 10])


def test_channels_come_from_layers_of_the_same_shape():
    red, green = Image(np.full((5, 8, 9), 1.0)), Image(np.full((5, 8, 9), 2.0))
    choices = channel_choices(red, [red, green, Image(np.zeros((8, 9)))])
    layers = [choice.layer for choice in choices if choice.entry is None]
    assert layers == [red, green]
    source = ImageSource(red, (Channel(red), Channel(green), Channel(red)))
    assert source.planes == (5,)
    np.testing.assert_array_equal(source.pixels((4,))[0, 0], [1, 2, 1])


def test_one_image_alone_offers_no_channels():
    layer = Image(np.zeros((20, 30)))
    assert channel_choices(layer, [layer]) == []


def test_what_was_understood_is_said_in_a_line():
    layer = Image(np.zeros((12, 64, 48), np.uint16), scale=(1, 0.1, 0.1), units=("um", "um", "um"))
    assert ImageSource(layer).describe() == "grey · uint16 · 64 × 48 · 0.1 µm · 12 planes"
