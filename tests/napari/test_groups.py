"""One image at a time: what is seen is what is painted on."""

import numpy as np
import pytest

from patchfield.field import FeatureRecipe
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.layers import roles
from patchfield.napari.session.view import Show


def seen(viewer) -> set[str]:
    return {layer.name for layer in viewer.layers if layer.visible}


@pytest.fixture
def two_images(painted, viewer, two_phases):
    """`steel`, painted, and `iron`, the current one."""
    viewer.add_image(255 - two_phases(seed=1), name="iron")
    return painted


def test_an_image_that_is_opened_takes_the_place_of_the_one_before(two_images, viewer, stroke):
    assert two_images.current.source.title == "iron"
    assert seen(viewer) == {"iron", "iron labels", "iron segmentation"}
    before = two_images.classes[1].pixels
    stroke(two_images, 1, 20, 20)
    assert viewer.layers["iron labels"].data.any()
    assert two_images.classes[1].pixels > before


@pytest.mark.parametrize("way", ["select", "napari", "napari labels", "key"])
def test_an_image_that_is_chosen_is_seen_with_its_labels_and_result_alone(two_images, viewer, way):
    steel = viewer.layers["steel"]
    if way == "select":
        two_images.select(steel)
    elif way == "key":
        viewer.keymap[next(key for key in viewer.keymap if str(key) == "PageUp")](viewer)
    else:
        viewer.layers.selection.active = viewer.layers["steel labels"] if way == "napari labels" else steel
    assert two_images.current.source.layer is steel
    assert seen(viewer) == {"steel", "steel labels", "steel segmentation"}
    assert viewer.layers.selection.active is two_images.current.labels


def test_what_was_hidden_by_hand_stays_hidden_when_its_image_comes_back(two_images, viewer):
    two_images.select(viewer.layers["steel"])
    viewer.layers["steel segmentation"].visible = False
    two_images.images.step(1)
    two_images.images.step(1)
    assert seen(viewer) == {"steel", "steel labels"}


def test_another_result_that_is_chosen_is_seen_on_the_image_that_comes_next(two_images, viewer):
    two_images.show(Show.UNCERTAINTY)
    two_images.select(viewer.layers["steel"])
    assert seen(viewer) == {"steel", "steel labels", "steel uncertainty"}
    two_images.show(Show.SEGMENTATION)
    two_images.images.step(1)
    assert seen(viewer) == {"iron", "iron labels", "iron segmentation"}


def test_results_on_other_images_wait_unseen(two_images, viewer, two_phases):
    viewer.add_image(two_phases(seed=2), name="third")
    two_images.applying.to_other_images()
    assert seen(viewer) == {"third", "third labels", "third segmentation"}
    two_images.select(viewer.layers["iron"])
    assert seen(viewer) == {"iron", "iron labels", "iron segmentation"}


def test_an_exploration_goes_with_the_image_that_is_seen(two_images, viewer):
    two_images.show(Show.PCA)
    two_images.select(viewer.layers["steel"])
    assert seen(viewer) == {"steel", "steel labels", "steel PCA"}
    assert "iron PCA" not in viewer.layers
    two_images.show(Show.SEGMENTATION)
    assert seen(viewer) == {"steel", "steel labels", "steel segmentation"}


def test_layers_of_others_stay_as_they_are(two_images, viewer):
    viewer.add_points(np.zeros((1, 2)), name="points")
    viewer.add_labels(np.ones((96, 96), int), name="mine")
    two_images.select(viewer.layers["steel"])
    assert seen(viewer) >= {"points", "mine"}
    viewer.layers.remove("points")
    assert two_images.current.source.title == "steel", "what napari makes active instead was chosen by nobody"


def test_channels_that_come_together_are_seen_together_below_the_labels(viewer, two_phases, stepped):
    controller = Controller(viewer, stepped)
    viewer.add_image(two_phases(), name="before")
    stepped.run()
    viewer.add_image(np.stack([two_phases(seed=s) for s in range(3)]), channel_axis=0, name=["r", "g", "b"])
    stepped.run()
    assert controller.current.source.title == "r"
    assert seen(viewer) == {"r", "g", "b", "r labels"}
    assert viewer.layers.selection.active is controller.current.labels
    names = [layer.name for layer in viewer.layers]
    assert names.index("r labels") > max(names.index(name) for name in "rgb")
    controller.select(viewer.layers["before"])
    assert seen(viewer) == {"before", "before labels"}
    controller.close()


def test_images_that_come_together_are_seen_one_by_one(viewer, two_phases, stepped):
    controller = Controller(viewer, stepped)
    for name in ("first", "second", "third"):
        viewer.add_image(two_phases(), name=name)
    stepped.run()
    for name in ("first", "second", "third", "first"):
        assert seen(viewer) == {name, f"{name} labels"}
        active = viewer.layers.selection.active
        assert (active, active.mode) == (controller.current.labels, "paint")
        controller.images.step(1)
        stepped.run()
    controller.close()


def test_an_image_that_lies_elsewhere_is_shown_whole_and_others_in_the_view_that_was_chosen(two_images, viewer):
    viewer.scene.camera.zoom = 77
    two_images.select(viewer.layers["steel"])
    assert viewer.scene.camera.zoom == 77, "images of one size are compared in one view"
    viewer.add_image(np.zeros((960, 960), np.uint8), name="large")
    assert viewer.scene.camera.zoom < 77
    viewer.scene.camera.zoom = 77
    two_images.select(viewer.layers["steel"])
    assert viewer.scene.camera.zoom != 77


def test_what_was_made_of_an_image_goes_with_it(two_images, viewer):
    two_images.show(Show.PROBABILITY, 1)
    viewer.layers.remove("iron")
    assert two_images.current.source.title == "steel"
    assert seen(viewer) == {"steel", "steel labels", "steel probability"}
    assert "iron labels" not in viewer.layers


def test_without_its_labels_an_image_has_no_result_to_be_seen(painted, viewer):
    viewer.layers.remove(painted.current.labels)
    assert seen(viewer) == {"steel"}
    assert not any(roles.is_ours(layer) and layer.visible for layer in viewer.layers)


def test_a_panel_that_was_closed_takes_up_nothing_more(viewer, two_phases, stepped):
    controller = Controller(viewer, stepped)
    viewer.add_image(two_phases())
    viewer.add_image(two_phases())
    controller.close()
    stepped.run()
    assert controller.current is None


@pytest.mark.parametrize("change", ["chosen", "scrolled", "rolled"])
def test_what_is_on_view_lies_inside_the_image_whatever_larger_ones_are_open(viewer, two_phases, change):
    long, short = np.stack([two_phases()] * 8), np.stack([two_phases(seed=1)[:64, :64]] * 3)
    controller = Controller(viewer, InlineRunner(), FeatureRecipe("filters", "fast"))
    viewer.add_image(long, name="long")
    small = viewer.add_image(short, name="short", scale=(1, 0.5, 0.5))
    if change == "chosen":
        controller.select(viewer.layers["long"])
        viewer.dims.set_point(0, 7)
        assert viewer.dims.point[0] == 7
        controller.select(small)
    elif change == "scrolled":
        viewer.dims.set_point(0, 7)
    else:
        viewer.dims.set_point(2, 90)
        viewer.dims.order = (2, 0, 1)
    hidden = viewer.dims.order[0]
    low, high = small.extent.world[:, hidden]
    assert low <= viewer.dims.point[hidden] <= high
    # napari refuses, with a traceback, to paint beside the labels.
    labels = controller.current.labels
    labels.paint(labels.world_to_data(viewer.dims.point), 1)
    controller.close()


def test_a_small_image_that_is_rolled_fills_the_canvas_whatever_larger_ones_are_open(viewer, two_phases):
    controller = Controller(viewer, InlineRunner(), FeatureRecipe("filters", "fast"))
    small = viewer.add_image(np.stack([two_phases()[:64, :64]] * 8), name="small", scale=(0.05, 0.05, 0.05))
    viewer.dims.order = (2, 0, 1)
    zoom = viewer.scene.camera.zoom
    viewer.dims.order = (0, 1, 2)
    viewer.add_image(np.stack([two_phases()] * 8), name="large")
    controller.select(small)
    viewer.dims.order = (2, 0, 1)
    assert viewer.scene.camera.zoom == pytest.approx(zoom, rel=0.01)
    controller.close()
