"""Stacks: the plane on view is the image, labels have all planes, each plane its own field."""

import numpy as np
import pytest

from patchfield.napari.controller import Controller
from patchfield.napari.layers import Role
from patchfield.napari.session.planes import Plane
from patchfield.napari.session.results import ResultState
from patchfield.napari.session.view import Show

PLANES = 4


@pytest.fixture
def stack(two_phases) -> np.ndarray:
    return np.stack([two_phases(seed=seed) for seed in range(PLANES)])


@pytest.fixture
def on_plane_one(controller: Controller, stack, paint_both) -> Controller:
    """A stack of which plane 1 was painted."""
    controller.viewer.add_image(stack, name="stack")
    controller.viewer.dims.set_point(0, 1)
    paint_both(controller)
    return controller


def segmented(controller: Controller) -> list[int]:
    result = controller.current.result(Role.SEGMENTATION)
    return [index for index in range(PLANES) if result.data[index].any()]


def test_labels_have_all_planes_and_strokes_stay_in_theirs(on_plane_one):
    labels = on_plane_one.current.labels.data
    assert labels.shape == (PLANES, 96, 96)
    assert [bool(plane.any()) for plane in labels] == [False, True, False, False]
    assert list(on_plane_one.current.snapshots) == [(1,)]


def test_a_plane_is_segmented_when_it_comes_into_view(on_plane_one):
    assert segmented(on_plane_one) == [1]
    on_plane_one.viewer.dims.set_point(0, 3)
    assert segmented(on_plane_one) == [1, 3]


def test_a_plane_seen_before_the_last_stroke_is_brought_up_to_date(on_plane_one, stroke):
    viewer, result = on_plane_one.viewer, on_plane_one.current.result(Role.SEGMENTATION)
    viewer.dims.set_point(0, 2)
    assert 3 not in result.data[2]
    viewer.dims.set_point(0, 1)
    stroke(on_plane_one, 3, 20, 20)
    viewer.dims.set_point(0, 2)
    assert 3 in result.data[2]


def test_strokes_of_all_planes_train_one_probe(on_plane_one, stroke):
    on_plane_one.viewer.dims.set_point(0, 2)
    stroke(on_plane_one, 3, 20, 20)
    assert set(on_plane_one.live.probe.values) == {1, 2, 3}
    assert on_plane_one.live.probe.training.images == 2


def test_undo_of_a_stroke_on_another_plane_is_noticed(on_plane_one):
    on_plane_one.viewer.dims.set_point(0, 3)
    on_plane_one.current.labels.undo()
    assert [entry.pixels for entry in on_plane_one.classes] == [64, 0]
    assert on_plane_one.live.probe is None


def test_a_brush_of_three_dimensions_is_noticed_on_all_its_planes(on_plane_one):
    labels = on_plane_one.current.labels
    labels.n_edit_dimensions, labels.brush_size = 3, 4
    labels.paint((1, 20, 20), 1)
    assert {(0,), (1,), (2,)} <= set(on_plane_one.current.snapshots)


def test_maps_are_of_the_plane_on_view_only(on_plane_one):
    on_plane_one.show(Show.UNCERTAINTY)
    uncertainty = on_plane_one.current.result(Role.UNCERTAINTY)
    first = uncertainty.data.copy()
    assert first.shape == (96, 96)
    on_plane_one.viewer.dims.set_point(0, 2)
    assert (uncertainty.data != first).any()


def test_only_the_planes_needed_are_computed(on_plane_one):
    features, image = on_plane_one.features, on_plane_one.current.source.id
    on_plane_one.viewer.dims.set_point(0, 3)
    known = [index for index in range(PLANES) if features.field(Plane(image, (index,))) is not None]
    assert known == [1, 3]


def test_leafing_on_ends_the_plane_that_is_not_wanted_any_more(viewer, stack, stepped):
    controller = Controller(viewer, stepped)
    viewer.add_image(np.tile(stack, (1, 4, 4)))
    stepped.step()
    for index in (1, 2, 3):
        viewer.dims.set_point(0, index)
    stepped.run()
    features, image = controller.features, controller.current.source.id
    assert features.is_complete(Plane(image, (3,)))
    assert not features.is_complete(Plane(image, (2,)))


def test_channels_of_the_first_axis_leave_flat_labels(controller, stack, paint_both):
    controller.viewer.add_image(stack, name="channels")
    controller.annotations.set_axes("CYX")
    controller.annotations.set_channels((2,))
    assert controller.current.source.lengths == ()
    assert controller.current.labels.data.shape == (96, 96)
    paint_both(controller)
    assert controller.current.result(Role.SEGMENTATION).data.shape == (96, 96)
    controller.viewer.dims.set_point(0, 3)
    assert controller.current.source.index_at(controller.viewer.dims.point) == ()


@pytest.mark.parametrize("compared", [2**24, 0], ids=["all planes compared", "as for large labels"])
def test_strokes_count_in_every_view_and_after_every_undo(on_plane_one, compared, monkeypatch):
    monkeypatch.setattr("patchfield.napari.layers.annotated.COMPARED_PIXELS", compared)
    viewer, labels = on_plane_one.viewer, on_plane_one.current.labels
    viewer.dims.order = (1, 0, 2)
    labels.brush_size = 8
    labels.paint((1, 50, 20), 3)
    assert [entry.pixels for entry in on_plane_one.classes] == [(labels.data == value).sum() for value in (1, 2, 3)]
    assert {index for (index,) in on_plane_one.current.snapshots} == {0, 1, 2, 3}
    viewer.dims.order = (0, 1, 2)
    viewer.dims.set_point(0, 0)
    labels.undo()
    assert on_plane_one.classes[3].pixels == 0
    labels.redo()
    assert on_plane_one.classes[3].pixels == (labels.data == 3).sum() > 0


def test_channels_last_are_shown_painted_on_and_taken_back(controller, two_phases, paint_both):
    image = np.stack([np.zeros((96, 96), np.uint8), two_phases()], axis=-1)
    layer = controller.viewer.add_image(image, name="channels last")
    controller.annotations.set_axes("YXC")
    assert layer.data.shape == (2, 96, 96)
    controller.annotations.set_channels((1,))
    paint_both(controller)
    (recipe,) = controller.live.probe.recipes
    assert (recipe.image.axes, recipe.image.channels) == ("YXC", (1,))
    result = controller.current.result(Role.SEGMENTATION).data
    assert result.shape == (96, 96)
    assert (result[:, 60:] == 2).mean() > 0.8
    count = len(controller.viewer.layers)
    controller.annotations.set_axes(None)
    assert controller.current.source.lengths == (96,)
    np.testing.assert_array_equal(layer.data, image)
    assert len(controller.viewer.layers) == count + 1, "strokes of the other shape stay, as an ordinary layer"


@pytest.mark.parametrize("compared", [2**24, 0], ids=["all planes compared", "as for large labels"])
@pytest.mark.parametrize("order", [(0, 2, 1), (2, 0, 1), (1, 2, 0)], ids=["transposed", "rolled", "rolled on"])
def test_fills_and_brushes_count_whatever_the_canvas_shows(on_plane_one, order, compared, monkeypatch):
    monkeypatch.setattr("patchfield.napari.layers.annotated.COMPARED_PIXELS", compared)
    labels = on_plane_one.current.labels
    on_plane_one.viewer.dims.order = order
    labels.paint((2, 30, 30), 2)
    labels.fill((3, 80, 80), 3)
    assert [entry.pixels for entry in on_plane_one.classes] == [(labels.data == value).sum() for value in (1, 2, 3)]
    assert set(on_plane_one.current.snapshots) == {(index,) for index in range(PLANES) if labels.data[index].any()}


@pytest.mark.parametrize("compared", [2**24, 0], ids=["all planes compared", "as for large labels"])
def test_strokes_in_three_dimensions_count(on_plane_one, compared, monkeypatch):
    monkeypatch.setattr("patchfield.napari.layers.annotated.COMPARED_PIXELS", compared)
    labels = on_plane_one.current.labels
    on_plane_one.viewer.dims.ndisplay = 3
    labels.n_edit_dimensions, labels.brush_size = 3, 4
    labels.paint((2, 20, 20), 3)
    assert {(1,), (2,), (3,)} <= set(on_plane_one.current.snapshots)
    labels.undo()
    assert set(on_plane_one.current.snapshots) == {(1,)}


def test_a_stroke_on_a_long_time_lapse_reads_its_own_plane_only(controller, monkeypatch, stroke):
    monkeypatch.setattr("patchfield.napari.layers.annotated.COMPARED_PIXELS", 0)
    controller.viewer.add_image(np.zeros((300, 32, 32), np.uint8), axis_labels=("t", "y", "x"))
    current = controller.current
    for frame in (5, 7, 9):
        controller.viewer.dims.set_point(0, frame)
        stroke(controller, 1, 4, 4)
    compared = []
    compare = current._compare_plane
    monkeypatch.setattr(current, "_compare_plane", lambda index, part: compared.append(index) or compare(index, part))
    stroke(controller, 1, 20, 4)
    assert set(compared) == {(9,)}, "the stroke's plane"
    compared.clear()
    controller.viewer.dims.set_point(0, 200)
    assert set(compared) == {(200,)}, "the plane that came into view"
    compared.clear()
    current.labels.undo()
    assert set(compared) == {(5,), (7,), (9,), (200,)}, "what undo reaches"
    assert next(entry.pixels for entry in controller.classes) == 3 * 64


def test_a_class_is_removed_from_all_planes_as_one_step(on_plane_one, stroke):
    on_plane_one.viewer.dims.set_point(0, 3)
    stroke(on_plane_one, 2, 10, 60)
    before = on_plane_one.current.labels.data.copy()
    on_plane_one.current.erase(2)
    assert not (on_plane_one.current.labels.data == 2).any()
    on_plane_one.current.labels.undo()
    np.testing.assert_array_equal(on_plane_one.current.labels.data, before)


@pytest.mark.parametrize("turn", [{"order": (1, 0, 2)}, {"ndisplay": 3}], ids=["rolled", "three dimensions"])
def test_a_view_that_cuts_through_planes_shows_one_probe_in_all_that_have_features(on_plane_one, turn, stroke):
    viewer, controller = on_plane_one.viewer, on_plane_one
    viewer.dims.set_point(0, 3)
    viewer.dims.set_point(0, 1)
    stroke(controller, 3, 20, 20)
    made = controller.results.made
    assert {made(controller.current.source)[index].probe for index in ((1,), (3,))} != {controller.live.probe.identity}
    for name, value in turn.items():
        setattr(viewer.dims, name, value)
    assert {planes.probe for planes in made(controller.current.source).values()} == {controller.live.probe.identity}
    labels = controller.current.labels
    labels.data_setitem((np.full(40, 1), np.full(40, 60), np.arange(50, 90)), 4)
    planes = made(controller.current.source)
    assert {planes[index].probe for index in ((1,), (3,))} == {controller.live.probe.identity}
    assert set(planes) == {(1,), (3,)}, "the others are segmented on request"
    assert controller.results.state(controller.current.source) is ResultState.PARTIAL


def test_what_is_painted_in_a_rolled_view_gets_its_features_and_trains(controller, stack):
    viewer = controller.viewer
    viewer.add_image(stack, name="stack")
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_point(1, 50)
    labels = controller.current.labels
    for value, column in ((1, 10), (2, 70)):
        labels.data_setitem((np.repeat([0, 2], 16), np.full(32, 50), np.tile(np.arange(column, column + 16), 2)), value)
    assert controller.live.probe.training.images == 2
    assert set(controller.results.made(controller.current.source)) >= {(0,), (2,)}
    right = controller.current.result(Role.SEGMENTATION).data[[0, 2], :, 60:]
    assert (right == 2).mean() > 0.9
