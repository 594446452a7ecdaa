"""Layers as stacks: axes, planes, channels; a layer of a file is that file."""

import dask.array
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Image

from patchfield.errors import ImageError
from patchfield.images import Calibration, ImageSettings, Stack, model_image, read_image
from patchfield.napari.layers.stack import LayerStack, joinable, move_first_axis_last, move_last_axis_first


def stack_of(data, settings=None, **arguments) -> LayerStack:
    return LayerStack.from_layer(Image(data, **arguments), settings or ImageSettings())


@pytest.fixture
def opened(tmp_path, napari_readers):
    """Opens a TIFF file with napari's own reader."""

    def write_and_open(data, **arguments) -> LayerStack:
        tifffile.imwrite(tmp_path / "image.tif", data, **arguments)
        (layer,) = ViewerModel().open(str(tmp_path / "image.tif"), plugin="napari")
        return LayerStack.from_layer(layer)

    return write_and_open


def test_three_columns_of_grey_are_not_colours():
    source = stack_of(np.zeros((40, 3)), rgb=False)
    assert (source.shape, source.lengths) == ((40, 3), ())
    assert isinstance(source, Stack)


def test_colours_lose_their_alpha_and_are_no_planes():
    opaque = np.full((40, 30, 4), 255, np.uint8)
    source = stack_of(opaque, rgb=True)
    assert (source.shape, source.lengths, source.labels_shape) == ((40, 30), (), (40, 30))
    assert model_image(source, source.settings).channels == (0, 1, 2)
    opaque[3, 3, 3] = 0
    source = stack_of(opaque, rgb=True)
    assert model_image(source, source.settings).channels == (0, 1, 2), "where alpha says something it is no colour"


def test_a_stack_of_three_planes_is_a_stack():
    source = stack_of(np.zeros((3, 40, 30)), rgb=False)
    assert source.lengths == (3,)
    assert source.indices() == [(0,), (1,), (2,)]


def test_the_plane_on_view_is_found_in_a_viewer_of_more_axes_and_scales():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((5, 40, 30)), scale=(2, 0.1, 0.1), translate=(7, 0, 0))
    source = LayerStack.from_layer(layer)
    viewer.add_image(np.zeros((2, 5, 40, 30)))
    viewer.dims.set_point(1, 7 + 2 * 3)
    assert source.index_at(viewer.dims.point) == (3,)
    viewer.dims.set_point(1, 0)
    assert source.index_at(viewer.dims.point) == (0,), "outside of it: the nearest plane"


def test_the_finest_level_of_a_pyramid_is_used():
    finest = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    source = stack_of([finest, finest[::2, ::2]], multiscale=True)
    assert source.shape == (64, 64)
    np.testing.assert_array_equal(source.pixels_at(()), finest)


def test_lazy_planes_stay_lazy():
    read = []

    def block(block_info=None):
        read.append(block_info[None]["chunk-location"][0])
        return np.zeros((1, 64, 64), np.uint16)

    stack = dask.array.map_blocks(
        block, chunks=((1,) * 50, (64,), (64,)), dtype=np.uint16, meta=np.array((), np.uint16)
    )
    source = stack_of(stack)
    read.clear()
    np.asarray(source.pixels_at((40,))[2:5, 3:6])
    assert set(read) == {40}


def test_planes_of_a_stack_share_their_contrast():
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 1000, (6, 50, 50)).astype(np.uint16)
    stack[3] //= 10
    source = stack_of(stack)
    assert model_image(source, plane=(0,)).limits == model_image(source, plane=(3,)).limits
    assert model_image(source, plane=(3,)).whole().max() < 0.12, "a dark plane stays dark"


def test_axes_and_spacing_come_from_the_layer():
    source = stack_of(
        np.zeros((4, 3, 8, 9)),
        axis_labels=("time", "z", "y", "x"),
        scale=(5, 2, 0.5, 0.25),
        units=("s", "um", "um", "um"),
    )
    assert (source.axes, source.lengths) == ("TZ", (4, 3))
    assert source.calibration == Calibration(0.5, 0.25, "µm", depth=2.0, interval=5.0)


def test_channels_first_are_what_the_layer_or_the_user_says_and_numbered_as_the_image_does():
    image = np.stack([np.full((8, 9), value, np.uint8) for value in (10, 20, 30, 40)])
    for source in (stack_of(image, axis_labels=("channel", "y", "x")), stack_of(image, ImageSettings(axes="CYX"))):
        assert source.labels_shape == (8, 9)
        assert source.settings.channels == (0,), "four channels: one of them is seen until others are chosen"
        chosen = source.with_channels((3, 1, 0))
        prepared = model_image(chosen, chosen.settings)
        assert prepared.channels == (3, 1, 0)
        np.testing.assert_array_equal(prepared.pixels[0, 0], [10, 20, 30, 40])
    assert stack_of(image).axes_choices == ("CYX",)
    assert stack_of(image, axis_labels=("channel", "y", "x")).axes_choices == (), "nothing to ask"


def test_channels_last_are_brought_to_the_front_and_back():
    image = np.arange(40 * 30 * 5).reshape(40, 30, 5)
    layer = Image(image, scale=(2, 3, 1), rgb=False)
    assert LayerStack.from_layer(layer).axes_choices == ("YXC",)
    assert "channels, say so" in LayerStack.from_layer(layer).summary()
    move_last_axis_first(layer)
    source = LayerStack.from_layer(layer, ImageSettings(channels=(4,), axes="YXC"))
    assert (source.shape, source.channels, source.settings.channels) == ((40, 30), 5, (4,))
    assert tuple(layer.scale) == (1, 2, 3)
    np.testing.assert_array_equal(source.pixels_at(())[...], image)
    move_first_axis_last(layer)
    np.testing.assert_array_equal(layer.data, image)
    assert LayerStack.from_layer(layer).lengths == (40,)


def test_layers_of_the_same_shape_can_be_colours():
    red, green, flat = (Image(np.full(shape, 1.0 * k)) for k, shape in enumerate([(5, 8, 9), (5, 8, 9), (8, 9)]))
    assert joinable(red, [red, green, flat]) == [red, green]
    assert joinable(flat, [red, green, flat]) == []
    source, other = LayerStack.from_layer(red), LayerStack.from_layer(green)
    joined = source.with_joined((source, other, source))
    assert joined.lengths == (5,)
    np.testing.assert_array_equal(joined.pixels_at((4,))[0, 0], [0, 1, 0])
    with pytest.raises(ImageError, match="one shape"):
        source.with_joined((source, other, LayerStack.from_layer(flat)))


def test_what_was_understood_is_said_in_a_line():
    source = stack_of(np.zeros((12, 64, 48), np.uint16), scale=(1, 0.1, 0.1), units=("um", "um", "um"))
    assert source.summary() == "grey · uint16 · 64 × 48 · 0.1 µm · 12 planes"


def test_a_layer_of_a_file_has_the_file_s_axes_and_calibration(opened, tmp_path):
    movie = np.random.default_rng(0).integers(0, 255, (5, 40, 30)).astype(np.uint8)
    metadata = {"axes": "TYX", "unit": "um", "finterval": 5.0}
    source = opened(movie, imagej=True, resolution=(4, 4), metadata=metadata)
    assert source.layer.units[0] == "pixel", "napari says nothing"
    assert (source.axes, source.lengths, source.file) == ("T", (5,), tmp_path / "image.tif")
    assert source.calibration == read_image(tmp_path / "image.tif").calibration
    assert source.calibration.interval == 5


def test_channels_of_a_file_are_known(opened):
    image = np.random.default_rng(0).integers(0, 9000, (3, 2, 40, 30)).astype(np.uint16)
    source = opened(image, imagej=True, metadata={"axes": "ZCYX"})
    assert (source.axes, source.channels, source.labels_shape) == ("Z", 2, (3, 40, 30))
    assert source.layer_axes == (0, 2, 3)
    np.testing.assert_array_equal(source.pixels_at((2,))[..., 1], image[2, 1])


@pytest.mark.parametrize("photometric", ["palette", "miniswhite"])
def test_numbers_that_stand_for_something_else_are_read_as_the_command_line_does(opened, tmp_path, photometric):
    image = np.random.default_rng(0).integers(0, 200, (40, 30)).astype(np.uint8)
    ramp = np.arange(256)
    palette = {"colormap": (np.stack([0 * ramp, ramp, 0 * ramp]) * 257).astype(np.uint16)}
    source = opened(image, photometric=photometric, **(palette if photometric == "palette" else {}))
    np.testing.assert_array_equal(source.layer.data, image, "napari shows the stored numbers")
    read = read_image(tmp_path / "image.tif")
    assert source.file == tmp_path / "image.tif"
    np.testing.assert_array_equal(source.pixels_at(())[...], read.pixels)


def test_a_layer_whose_pixels_were_changed_is_not_its_file(opened):
    image = np.random.default_rng(0).integers(0, 200, (40, 30)).astype(np.uint8)
    source = opened(image, photometric="minisblack", resolution=(40000, 40000), resolutionunit="CENTIMETER")
    assert source.calibration is not None
    source.layer.data = np.flipud(image)
    changed = LayerStack.from_layer(source.layer)
    assert (changed.file, changed.calibration) == (None, None)
    np.testing.assert_array_equal(changed.pixels_at(()), np.flipud(image))


def test_what_napari_leaves_out_of_a_file_is_said(tmp_path, napari_readers):
    """Of pages that are written one by one, of positions and beside thumbnails napari shows the first."""
    with tifffile.TiffWriter(tmp_path / "image.tif") as file:
        for value in range(3):
            file.write(np.full((40, 30), value, np.uint8))
    (layer,) = ViewerModel().open(str(tmp_path / "image.tif"), plugin="napari")
    assert "3 planes (Q) of 40 × 30" in LayerStack.from_layer(layer).summary()
    assert "file" not in stack_of(np.zeros((40, 30))).summary()
