"""Files that napari's own reader shows in part, or as something else, are mended while the panel is open."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.layers import Image, Labels

from patchfield.field import FeatureRecipe
from patchfield.napari.controller import Controller
from patchfield.napari.layers import roles

pytestmark = pytest.mark.usefixtures("napari_readers")


@pytest.fixture
def controller(viewer, stepped):
    """A controller that gets to its work when the event is over, as in a window."""
    controller = Controller(viewer, stepped, FeatureRecipe("filters"))
    yield controller
    controller.close()


def opened(controller: Controller, path: Path) -> list:
    controller.viewer.open(str(path), plugin="napari")
    controller.runner.run()
    return [layer for layer in controller.viewer.layers if not roles.is_ours(layer)]


def positions(path: Path, image: np.ndarray) -> Path:
    with tifffile.TiffWriter(path) as file:
        for shift in range(3):
            file.write(np.roll(image, shift), metadata={"axes": "YX"})
    return path


def test_all_positions_are_there_when_the_first_was_dropped(controller, two_phases, tmp_path, paint_both):
    said = []
    controller.rereading.said.connect(said.append)
    (layer,) = opened(controller, positions(tmp_path / "positions.ome.tif", two_phases()))
    assert layer.data.shape == (3, 96, 96)
    assert controller.current.source.layer is layer
    assert len(controller.viewer.layers) == 2, "the image and its labels"
    assert said == [
        "positions.ome.tif holds more than napari's own reader shows: it was read again, as the command line reads it."
    ]
    paint_both(controller)
    controller.runner.run()
    assert controller.live.probe is not None


def test_whole_numbers_of_32_bits_are_an_image_where_they_look_like_one(controller, two_phases, tmp_path):
    tifffile.imwrite(tmp_path / "steel.tif", two_phases().astype(np.int32) * 500)
    (layer,) = opened(controller, tmp_path / "steel.tif")
    assert isinstance(layer, Image)
    assert controller.current.source.layer is layer


@pytest.mark.parametrize("name", ["steel_mask.tif", "cells.tif"], ids=["by its name", "by its values"])
def test_labels_stay_labels(controller, two_phases, tmp_path, name):
    noise = two_phases().astype(np.int32)
    blocks = np.kron(np.arange(16).reshape(4, 4), np.ones((24, 24), int)).astype(np.int32)
    tifffile.imwrite(tmp_path / name, noise if "mask" in name else blocks)
    (layer,) = opened(controller, tmp_path / name)
    assert isinstance(layer, Labels)


def test_what_napari_shows_whole_is_left_alone(controller, two_phases, tmp_path):
    tifffile.imwrite(tmp_path / "lapse.tif", np.stack([two_phases()] * 3), imagej=True, metadata={"axes": "TYX"})
    (layer,) = opened(controller, tmp_path / "lapse.tif")
    assert layer.source.reader_plugin == "napari"


def test_what_is_painted_on_meanwhile_is_not_replaced(controller, two_phases, tmp_path, stroke):
    controller.viewer.open(str(positions(tmp_path / "positions.ome.tif", two_phases())), plugin="napari")
    stroke(controller, 1, 20, 20)
    controller.runner.run()
    assert controller.current.source.layer.data.shape == (96, 96)
    assert controller.current.snapshots
