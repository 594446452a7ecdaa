"""napari's own dialogs read and write what Patchfield does, with the same code."""

import json

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from npe2 import PluginManifest

from patchfield.errors import LabelError
from patchfield.images import read_image, read_label_stack
from patchfield.napari.controller import Controller
from patchfield.napari.layers import Role
from patchfield.napari.plugin import PLUGIN
from patchfield.napari.preferences import PLUGIN as SAME_PLUGIN
from patchfield.napari.reader import layer_data, read_images, read_probe
from patchfield.napari.writer import save_labels

ENDINGS = [".ome.zarr", ".ome.tif", ".tif"]


@pytest.fixture
def registered(npe2pm):
    npe2pm.register(PluginManifest.from_distribution(PLUGIN))
    return npe2pm


@pytest.fixture
def stack(controller: Controller, two_phases, paint_both) -> Controller:
    """A painted time-lapse with a pixel size, whose classes have names."""
    controller.viewer.add_image(
        np.stack([two_phases(seed=seed) for seed in range(3)]),
        axis_labels=("t", "y", "x"),
        scale=(30, 0.5, 0.5),
        units=("s", "um", "um"),
    )
    controller.classes.rename(2, "pore")
    controller.classes.recolor(2, "#ff0000")
    paint_both(controller)
    controller.applying.to_all_planes()
    return controller


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("role", [Role.LABELS, Role.SEGMENTATION])
def test_layers_are_saved_by_napari_with_names_colours_axes_and_calibration(stack, registered, tmp_path, ending, role):
    layer = stack.current.result(role)
    path = tmp_path / f"result{ending}"
    assert layer.save(str(path), plugin=PLUGIN) == [str(path)]
    read = read_label_stack(path)
    np.testing.assert_array_equal(read.values, layer.data)
    assert (read.axes, read.calibration.width, read.calibration.unit, read.calibration.interval) == ("T", 0.5, "µm", 30)
    assert (read.classes[2].name, read.classes[2].color) == ("pore", "#ff0000")


@pytest.mark.parametrize("ending", [".ome.zarr", ".ome.tif"])
def test_what_was_saved_opens_as_labels_with_names_and_colours(stack, registered, tmp_path, ending):
    layer = stack.current.result(Role.SEGMENTATION)
    layer.save(str(tmp_path / f"result{ending}"), plugin=PLUGIN)
    (opened,) = ViewerModel().open(str(tmp_path / f"result{ending}"), plugin=PLUGIN)
    np.testing.assert_array_equal(opened.data, layer.data)
    np.testing.assert_allclose(opened.scale, (30, 0.5, 0.5))
    assert str(opened.units[-1]) == "micrometer"
    np.testing.assert_allclose(opened.get_color(2), (1, 0, 0, 1))
    assert list(opened.features["class"]) == ["unlabelled", "class 1", "pore"]
    again = tmp_path / f"again{ending}"
    opened.save(str(again), plugin=PLUGIN)
    assert read_label_stack(again).classes[2].name == "pore"


def test_an_ome_tiff_is_one_for_others(stack, registered, tmp_path):
    stack.current.labels.save(str(tmp_path / "strokes.ome.tif"), plugin=PLUGIN)
    with tifffile.TiffFile(tmp_path / "strokes.ome.tif") as file:
        assert file.is_ome
        assert file.series[0].axes == "TYX"
        assert 'PhysicalSizeX="0.5"' in file.ome_metadata


def test_an_ome_zarr_is_a_label_image_for_others(stack, registered, tmp_path):
    stack.current.labels.save(str(tmp_path / "strokes.ome.zarr"), plugin=PLUGIN)
    said = json.loads((tmp_path / "strokes.ome.zarr" / ".zattrs").read_text())["image-label"]
    assert {"label-value": 2, "rgba": [255, 0, 0, 255]} in said["colors"]
    assert {entry["label-value"]: entry["name"] for entry in said["properties"]}[2] == "pore"


def test_labels_of_others_are_saved_as_they_are(registered, tmp_path):
    numbers = np.arange(12, dtype=np.int64).reshape(3, 4) * 1000
    layer = ViewerModel().add_labels(numbers, scale=(0.2, 0.2), units="um")
    layer.save(str(tmp_path / "objects.ome.tif"), plugin=PLUGIN)
    read = read_label_stack(tmp_path / "objects.ome.tif", max_classes=None)
    np.testing.assert_array_equal(read.values, numbers)
    assert (read.calibration.width, read.classes) == (0.2, {})


def test_a_file_that_is_open_is_not_replaced(make_viewer_at_hand, tmp_path):
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, np.zeros((8, 9), np.uint8))
    make_viewer_at_hand.open(str(path), plugin="napari")
    with pytest.raises(LabelError, match="is open here"):
        save_labels(str(path), np.ones((8, 9), np.uint8), {})
    assert not tifffile.imread(path).any()


@pytest.fixture
def make_viewer_at_hand(napari_readers, monkeypatch) -> ViewerModel:
    viewer = ViewerModel()
    monkeypatch.setattr("napari.current_viewer", lambda: viewer)
    return viewer


def test_positions_written_one_by_one_are_read_whole(registered, tmp_path):
    with tifffile.TiffWriter(tmp_path / "positions.ome.tif") as file:
        for value in range(3):
            file.write(np.full((32, 40), value, np.uint8), metadata={"axes": "YX", "PhysicalSizeX": 0.1})
    (layer,) = ViewerModel().open(str(tmp_path / "positions.ome.tif"), plugin=PLUGIN)
    assert layer.data.shape == (3, 32, 40)
    assert [int(np.asarray(plane).max()) for plane in layer.data] == [0, 1, 2]
    assert layer.axis_labels == ("position", "y", "x")


def test_the_reader_reads_what_the_command_line_reads(tmp_path):
    pixels = np.arange(2 * 3 * 16 * 18, dtype=np.uint16).reshape(2, 3, 16, 18)
    metadata = {"axes": "TZYX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1, "PhysicalSizeZ": 2, "TimeIncrement": 5.0}
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, metadata=metadata)
    data, arguments, kind = layer_data(tmp_path / "a.ome.tif")
    read = read_image(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(np.asarray(data).reshape(np.asarray(read.stack).shape), read.stack)
    assert (kind, arguments["axis_labels"], arguments["scale"]) == ("image", ("t", "z", "y", "x"), (5, 2, 0.1, 0.1))


def test_only_what_its_name_promises_is_read():
    assert read_probe("steel.probe") is not None
    assert read_probe("steel.tif") is None
    assert read_probe(["a.probe", "b.probe"]) is None
    assert read_images("a.ome.tif") is not None
    assert read_images(["a.ome.zarr/", "b.OME.TIFF"]) is not None
    assert read_images(["a.ome.tif", "b.tif"]) is None


def test_there_is_one_name_of_the_plugin():
    assert SAME_PLUGIN == PLUGIN


def test_the_name_of_a_class_is_in_napari_s_table_and_status_bar(controller, two_phases, paint_both):
    controller.viewer.add_image(two_phases())
    paint_both(controller)
    controller.classes.rename(1, "ferrite")
    assert list(controller.current.labels.features["class"])[1] == "ferrite"
    row, column = np.argwhere(controller.current.labels.data == 1)[0]
    assert "ferrite" in controller.current.labels.get_status((row, column), world=True)["value"]
