import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from patchfield.napari.layers import Role, roles
from patchfield.napari.layers.stack import LayerStack

TRANSFORMS = {
    "scale": (0.2, 0.1),
    "translate": (3, 4),
    "rotate": 30,
    "shear": [0.2],
    "affine": [[1, 0.1, 5], [0, 1.2, 6], [0, 0, 1]],
    "units": ("um", "um"),
    "axis_labels": ("y", "x"),
}


@pytest.fixture
def source(viewer: ViewerModel, two_phases) -> LayerStack:
    return LayerStack.from_layer(viewer.add_image(two_phases(), name="steel", **TRANSFORMS))


def same_place(layer, image) -> bool:
    corner = (17.0,) * layer.ndim
    there = image.data_to_world((*(0,) * (image.ndim - layer.ndim), *corner))[-layer.ndim :]
    return np.allclose(layer.data_to_world(corner), there) and layer.units == image.units[-layer.ndim :]


@pytest.mark.parametrize("role", [Role.LABELS, Role.PROBABILITY])
def test_our_layers_lie_exactly_over_their_image(viewer, source, role):
    layer = roles.create(viewer, source, role, np.zeros(source.shape, np.uint8))
    assert same_place(layer, source.layer)
    assert layer.axis_labels == source.layer.axis_labels


def test_colours_lie_over_their_image_too(viewer, source):
    layer = roles.create(viewer, source, Role.PCA, np.zeros((*source.shape, 3), np.float32))
    assert same_place(layer, source.layer)


def test_a_flat_map_lies_over_a_plane_of_a_stack(viewer):
    stack = viewer.add_image(np.zeros((4, 20, 30)), scale=(2, 0.5, 0.25), translate=(1, 2, 3), units=("um",) * 3)
    source = LayerStack.from_layer(stack)
    assert same_place(roles.create(viewer, source, Role.LABELS, np.zeros((4, 20, 30), np.uint8)), stack)
    assert same_place(roles.create(viewer, source, Role.UNCERTAINTY, np.zeros((20, 30))), stack)


def test_layers_follow_when_the_image_is_calibrated_later(viewer, source):
    layer = roles.create(viewer, source, Role.LABELS, np.zeros(source.shape, np.uint8))
    source.layer.scale, source.layer.rotate, source.layer.units = (3, 2), 45, ("mm", "mm")
    roles.follow(layer, source)
    assert same_place(layer, source.layer)


def test_layers_are_found_by_what_they_carry_not_by_name(viewer, source):
    viewer.add_labels(np.zeros(source.shape, int), name="steel labels")
    assert roles.find(viewer, source, Role.LABELS) is None
    ours = roles.create(viewer, source, Role.LABELS, np.zeros(source.shape, np.uint8))
    ours.name = "my strokes"
    assert roles.find(viewer, source, Role.LABELS) is ours


def test_layers_of_another_image_are_not_found(viewer, source, two_phases):
    roles.create(viewer, source, Role.LABELS, np.zeros(source.shape, np.uint8))
    other = LayerStack.from_layer(viewer.add_image(two_phases(), name="steel"))
    assert roles.find(viewer, other, Role.LABELS) is None


def test_results_go_below_the_labels_and_the_labels_stay_active(viewer, source):
    labels = roles.create(viewer, source, Role.LABELS, np.zeros(source.shape, np.uint8))
    viewer.layers.selection.active = labels
    roles.create(viewer, source, Role.SEGMENTATION, np.zeros(source.shape, np.uint8))
    roles.create(viewer, source, Role.PCA, np.zeros((*source.shape, 3)))
    assert [roles.role(layer) for layer in viewer.layers] == [None, Role.PCA, Role.SEGMENTATION, Role.LABELS]
    assert viewer.layers.selection.active is labels


def test_only_pictures_of_others_are_offered(viewer, source):
    roles.create(viewer, source, Role.PROBABILITY, np.zeros(source.shape))
    viewer.add_points(np.zeros((1, 2)))
    assert roles.images(viewer) == [source.layer]


def test_after_forgetting_there_is_nothing_to_undo_and_the_brush_stays_in_hand():
    labels = Labels(np.zeros((10, 10), np.uint8))
    labels.mode = "paint"
    labels.paint((5, 5), 1)
    labels.data = np.full((10, 10), 2, np.uint8)
    roles.forget_history(labels)
    labels.undo()
    assert (labels.data == 2).all()
    assert labels.mode == "paint"
