"""Objects in the window are those of the library and of the command line."""

import csv
import shlex

import numpy as np
import pytest

import patchfield as pf
from patchfield.errors import LabelError
from patchfield.field import FeatureRecipe
from patchfield.images import Calibration
from patchfield.napari.controller import Controller
from patchfield.napari.layers import Role
from patchfield.napari.objects.options import ObjectOptions
from patchfield.objects import Cleaning

from ...cli.conftest import run
from ..conftest import raise_error


def grainy(seed: int = 0) -> np.ndarray:
    """Bright discs, two of them touching, on a dark ground: (96, 128) uint8."""
    rows, columns = np.mgrid[:96, :128]
    image = np.full((96, 128), 60.0)
    for row, column, radius in ((20, 20, 10), (60, 40, 12), (60, 62, 12), (30, 100, 14)):
        image[np.hypot(rows - row, columns - column) < radius] = 180
    return (image + np.random.default_rng(seed).normal(0, 4, image.shape)).astype(np.uint8)


def paint(controller: Controller) -> None:
    labels, index = controller.current.labels, controller.current.source.index_at(controller.viewer.dims.point)
    for value, rows, columns in ((1, slice(84, 90), slice(10, 100)), (2, slice(26, 34), slice(94, 106))):
        where = (grid.ravel() for grid in np.mgrid[rows, columns])
        rows, columns = where
        labels.data_setitem((*(np.full(rows.size, i) for i in index), rows, columns), value)


@pytest.fixture
def grains(controller) -> Controller:
    controller.viewer.add_image(grainy(), name="grains.tif", scale=(0.5, 0.5), units=("um", "um"))
    paint(controller)
    return controller


OPTIONS = ObjectOptions(min_size=10, split=True, fill_holes=True)


def test_objects_are_those_of_the_library_with_their_features_on_the_layer(grains):
    grains.select_class(2)
    grains.objects.find(OPTIONS)
    segmentation = grains.current.result(Role.SEGMENTATION).data
    instances, table = pf.objects(
        segmentation,
        2,
        cleaning=Cleaning(min_size=10, fill_holes=(2,)),
        split=True,
        intensity=grainy(),
        calibration=Calibration(0.5, 0.5, "µm"),
    )
    layer = grains.current.result(Role.OBJECTS)
    np.testing.assert_array_equal(layer.data, instances)
    assert table.rows >= 4
    np.testing.assert_array_equal(layer.features["index"], table["object"])
    for column in ("area (µm²)", "mean intensity", "solidity", "nearest neighbour (µm)"):
        np.testing.assert_allclose(layer.features[column], table[column])
    assert f"{table.rows} objects of class 2" in grains.objects.measured.sentence()
    assert grains.viewer.layers.selection.active is grains.current.labels, "the brush stays in hand"


def test_the_table_is_that_of_the_command_shown(grains, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    grains.objects.find(ObjectOptions(min_size=10, split=True, intensity=False))
    grains.objects.write(tmp_path / "window.csv")
    grains.files.save_segmentation(tmp_path / "grains_segmentation.tif")
    words = shlex.split(grains.objects.command)
    assert run(*words[1:]) == 0

    def rows(path) -> list[dict[str, str]]:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [{k: v for k, v in row.items() if k not in ("image", "path")} for row in csv.DictReader(file)]

    assert rows(tmp_path / "window.csv") == rows(tmp_path / "objects" / "objects.csv")


def test_another_stroke_marks_them_as_out_of_date_until_they_are_found_again(grains):
    grains.objects.find(OPTIONS)
    assert not grains.objects.outdated
    grains.current.labels.data_setitem((np.array([5, 6, 7]), np.array([60, 60, 60])), 1)
    assert grains.objects.outdated
    grains.objects.find()
    assert not grains.objects.outdated


def test_a_row_centers_its_object_and_back_goes_back(grains, viewer):
    grains.objects.find(OPTIONS)
    viewer.scene.camera.zoom = 40
    viewer.scene.camera.center = (0, 5, 5)
    table = grains.objects.measured.table
    row = int(np.argmax(table["centroid column (px)"]))
    grains.objects.go_to(row)
    extent = grains.current.result(Role.OBJECTS)
    assert extent.selected_label == table["object"][row]
    middle = np.array(viewer.scene.camera.center[-2:]) / 0.5
    half = np.array(viewer.canvas.size) / viewer.scene.camera.zoom / 0.5 / 2
    for axis, name in enumerate(("row", "column")):
        assert middle[axis] - half[axis] <= table[f"first {name}"][row]
        assert middle[axis] + half[axis] >= table[f"last {name}"][row]
    grains.places.back()
    assert viewer.scene.camera.center[-2:] == (5, 5)
    assert viewer.scene.camera.zoom == 40


def test_what_cannot_be_measured_is_said(controller, two_phases):
    with pytest.raises(LabelError, match="no image"):
        controller.objects.find()
    controller.viewer.add_image(two_phases())
    with pytest.raises(LabelError, match="no segmentation"):
        controller.objects.find()
    with pytest.raises(LabelError, match="nothing to write"):
        controller.objects.write("a.csv")


def test_planes_of_a_stack_one_by_one_and_all_once_they_are_segmented(controller, viewer):
    viewer.add_image(np.stack([grainy(seed) for seed in range(3)]), axis_labels=("z", "y", "x"), name="stack")
    viewer.dims.set_point(0, 1)
    paint(controller)
    controller.objects.find(OPTIONS)
    layer = controller.current.result(Role.OBJECTS)
    assert layer.data.shape == (3, 96, 128)
    assert [bool(plane.any()) for plane in layer.data] == [False, True, False]
    assert set(layer.features["plane"]) == {"1"}
    with pytest.raises(LabelError, match="all planes first"):
        controller.objects.find(ObjectOptions(all_planes=True))
    controller.applying.to_all_planes()
    controller.objects.find(ObjectOptions(min_size=10, all_planes=True))
    assert set(layer.features["plane"]) == {"0", "1", "2"}
    planes = list(controller.objects.measured.table["plane"])
    controller.objects.go_to(planes.index("2"))
    assert controller.current.source.index_at(viewer.dims.point) == (2,)
    controller.objects.find(ObjectOptions(min_size=10, volume=True))
    assert "volume (px)" in controller.objects.measured.table
    controller.objects.go_to(0)
    assert controller.current.source.index_at(viewer.dims.point) == (1,)


@pytest.mark.parametrize("gone", ["image", "segmentation", "labels", "objects"])
def test_layers_deleted_meanwhile_are_no_error(viewer, stepped, gone):
    controller = Controller(viewer, stepped, FeatureRecipe("filters"), raise_error)
    viewer.add_image(grainy(), name="grains")
    stepped.run()
    paint(controller)
    stepped.run()
    controller.objects.find(OPTIONS)
    stepped.run()
    source = controller.current.source
    found = {"image": source.layer, "labels": controller.current.labels}
    found |= {str(role): controller.current.result(role) for role in (Role.SEGMENTATION, Role.OBJECTS)}
    controller.objects.find(OPTIONS)
    controller.tour.next()
    viewer.layers.remove(found[gone])
    stepped.run()
    controller.objects.go_to(0)
    controller.places.back()
    stepped.run()
    assert controller.objects.progress is None
    controller.close()


def test_cancel_keeps_what_was_found_before(viewer, stepped):
    controller = Controller(viewer, stepped, FeatureRecipe("filters"), raise_error)
    viewer.add_image(grainy(), name="grains")
    stepped.run()
    paint(controller)
    stepped.run()
    controller.objects.find(OPTIONS)
    stepped.run()
    before = controller.objects.measured
    controller.objects.find(ObjectOptions(value=1))
    assert controller.objects.progress is not None
    controller.objects.cancel()
    stepped.run()
    assert controller.objects.progress is None
    assert controller.objects.measured is before
    controller.close()
