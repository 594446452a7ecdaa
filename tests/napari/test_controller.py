"""The whole job on a viewer model: no display, no Qt, nothing faked but time."""

import subprocess
import sys

import numpy as np
import pytest
from napari.components import ViewerModel

from patchfield.field import FeatureRecipe
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.layers import Role, roles
from patchfield.napari.session.status import State
from patchfield.napari.session.view import Show


def segmentation(controller: Controller) -> np.ndarray:
    return controller.current.result(Role.SEGMENTATION).data


def is_right(controller: Controller) -> bool:
    """Whether the dark half is class 1 and the bright half class 2, away from the border between them."""
    result = segmentation(controller)
    middle = result.shape[-1] // 2
    return (result[..., : middle - 8] == 1).mean() > 0.8 < (result[..., middle + 8 :] == 2).mean()


def test_nothing_of_it_needs_qt():
    code = (
        "import sys; from napari.components import ViewerModel;"
        "from patchfield.napari.controller import Controller; from patchfield.napari.jobs import InlineRunner;"
        "Controller(ViewerModel(), InlineRunner());"
        "sys.exit(any(name.partition('.')[0] in ('PyQt6', 'PySide6', 'qtpy') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_an_image_that_is_dropped_can_be_painted_at_once(viewer, two_phases, stepped):
    controller = Controller(viewer, stepped)
    assert controller.status.state is State.NO_IMAGE
    image = viewer.add_image(two_phases(), name="steel")
    labels = controller.current.labels
    assert controller.current.source.layer is image
    assert (labels.name, labels.mode, labels.brush_size, labels.dtype) == ("steel labels", "paint", 5, np.uint8)
    stepped.run()
    assert viewer.layers.selection.active is labels
    assert controller.status.state is State.NEED_CLASSES


def test_an_open_image_is_taken_when_the_panel_opens(viewer, two_phases):
    viewer.add_image(two_phases(), name="first")
    chosen = viewer.add_image(two_phases(), name="second")
    viewer.add_points(np.zeros((1, 2)))
    assert Controller(viewer, InlineRunner()).current.source.layer is chosen


def test_two_classes_make_a_segmentation(controller, viewer, two_phases, stroke):
    viewer.add_image(two_phases())
    stroke(controller, 1, 48, 12)
    assert controller.status.state is State.NEED_CLASSES
    assert controller.current.result(Role.SEGMENTATION) is None
    stroke(controller, 2, 48, 60)
    assert controller.status.state is State.LIVE
    assert is_right(controller)
    assert [entry.pixels for entry in controller.classes] == [64, 64]


@pytest.mark.parametrize(
    ("tool", "pixels"), [("brush", (64 + 21, 64)), ("fill", (64, 0, 64)), ("polygon", (64 + 61, 64))]
)
def test_the_segmentation_follows_every_tool(painted, tool, pixels):
    labels = painted.current.labels
    before = painted.live.probe
    if tool == "brush":
        labels.paint((20, 20), 1)
    elif tool == "fill":
        labels.fill((48, 62), 3)
    else:
        labels.paint_polygon([[5, 5], [5, 15], [15, 10]], 1)
    assert painted.live.probe is not before, "it was learned anew"
    assert tuple(entry.pixels for entry in painted.classes) == pixels
    assert sum(painted.live.probe.training.pixels.values()) == sum(pixels)


def test_undo_and_redo_take_the_segmentation_along(painted):
    labels = painted.current.labels
    right = segmentation(painted).copy()
    labels.undo()
    assert painted.status.state is State.NEED_CLASSES
    assert not segmentation(painted).any(), "one class is no segmentation"
    labels.redo()
    assert painted.status.state is State.LIVE
    np.testing.assert_array_equal(segmentation(painted), right)


def test_erasing_a_class_takes_the_segmentation_back(painted):
    labels = painted.current.labels
    labels.brush_size = 40
    labels.paint((48, 64), 0)
    assert painted.status.state is State.NEED_CLASSES
    assert [entry.pixels for entry in painted.classes] == [64, 0]


def test_the_segmentation_is_updated_in_place(painted, viewer, stroke):
    layer, layers_before = painted.current.result(Role.SEGMENTATION), len(viewer.layers)
    data = layer.data
    stroke(painted, 1, 10, 10)
    assert painted.current.result(Role.SEGMENTATION) is layer
    assert layer.data is data
    assert len(viewer.layers) == layers_before


def test_without_live_strokes_wait_and_the_state_says_so(painted, stroke):
    painted.follow(False)
    before = segmentation(painted).copy()
    stroke(painted, 1, 48, 62)
    assert painted.status.state is State.STALE
    np.testing.assert_array_equal(segmentation(painted), before)
    painted.learn()
    assert painted.status.state is State.LIVE
    assert not painted.live.stale


def test_turning_live_on_again_catches_up(painted, stroke):
    painted.follow(False)
    stroke(painted, 3, 10, 10)
    painted.follow(True)
    assert 3 in painted.live.probe.values
    assert painted.status.state is State.LIVE


def test_probability_and_uncertainty_take_the_place_of_the_segmentation(painted, stroke):
    painted.show(Show.PROBABILITY, 2)
    probability = painted.current.result(Role.PROBABILITY)
    assert probability.data[50, 68] > 0.9 > 0.1 > probability.data[50, 20], "on the strokes"
    painted.show(Show.UNCERTAINTY)
    shown = {roles.role(layer) for layer in painted.viewer.layers if roles.is_ours(layer) and layer.visible}
    assert shown == {Role.LABELS, Role.UNCERTAINTY}
    before = painted.current.result(Role.UNCERTAINTY).data.copy()
    stroke(painted, 1, 10, 10)
    assert (painted.current.result(Role.UNCERTAINTY).data != before).any(), "maps follow, too"


def test_a_hidden_segmentation_stays_hidden_while_painting_goes_on(painted, stroke):
    painted.current.result(Role.SEGMENTATION).visible = False
    stroke(painted, 1, 10, 10)
    assert not painted.current.result(Role.SEGMENTATION).visible


def test_strokes_and_segmentation_share_the_colours_of_the_classes(painted):
    painted.classes.recolor(2, "#ff0000")
    for role in (Role.LABELS, Role.SEGMENTATION):
        np.testing.assert_allclose(painted.current.result(role).get_color(2), [1, 0, 0, 1])
    painted.classes.set_visible(2, False)
    assert painted.current.result(Role.SEGMENTATION).get_color(2)[3] == 0
    assert painted.current.result(Role.LABELS).get_color(2)[3] == 1


def test_a_new_label_value_becomes_a_class_before_it_is_painted(painted):
    painted.current.labels.selected_label = 5
    assert 5 in painted.classes
    assert painted.current.labels.get_color(5)[3] == 1, "the brush can be seen"


def test_removing_a_class_erases_its_strokes_and_undo_brings_it_back(painted):
    painted.classes.rename(2, "pore")
    painted.remove_class(2)
    assert painted.classes.values == (1,)
    assert not (painted.current.labels.data == 2).any()
    painted.current.labels.undo()
    assert painted.classes[2].name == "pore"
    assert is_right(painted)


def test_several_images_train_one_probe(painted, viewer, two_phases, stroke):
    first = painted.current
    painted.select(viewer.add_image(255 - two_phases(seed=1)))
    assert painted.status.state is State.LIVE, "what is known is applied at once"
    stroke(painted, 3, 48, 12)
    stroke(painted, 3, 20, 12)
    assert set(painted.live.probe.values) == {1, 2, 3}
    assert painted.live.probe.training.images == 2
    assert painted.classes[1].pixels == 64
    painted.select(first.source.layer)
    assert first.labels is viewer.layers.selection.active


def test_removing_an_image_keeps_its_strokes_and_takes_its_layers_along(painted, viewer, two_phases):
    steel, labels = painted.current.source.layer, painted.current.labels
    other = viewer.add_image(two_phases(seed=1))
    viewer.layers.remove(steel)
    assert painted.current.source.layer is other
    assert labels not in viewer.layers
    assert painted.classes.painted == 2
    assert painted.status.state is State.LIVE


def test_removing_the_labels_ends_painting_until_the_image_is_chosen_again(painted, viewer):
    image = painted.current.source.layer
    viewer.layers.remove(painted.current.labels)
    assert painted.status.state is State.NO_IMAGE
    assert painted.status.sentence.startswith("Choose an image")
    painted.select(image)
    assert painted.status.state is State.LIVE
    assert painted.current.labels.data.any(), "its strokes came back"


def test_clearing_the_viewer_starts_nothing(viewer, two_phases, paint_both, stepped):
    controller = Controller(viewer, stepped)
    viewer.add_image(two_phases())
    stepped.run()
    paint_both(controller)
    stepped.run()
    plane = controller.current.plane(())
    viewer.layers.clear()
    stepped.run()
    assert controller.features.field(plane) is None, "what is gone is not computed again"
    assert controller.status.state is State.NO_IMAGE
    assert len(viewer.layers) == 0


def test_an_image_with_other_pixels_gets_other_features(painted, two_phases):
    painted.current.source.layer.data = 255 - two_phases()
    assert painted.status.state is State.LIVE
    assert is_right(painted), "classes follow the strokes, not the grey values"


def test_an_image_of_another_shape_gets_new_labels_and_keeps_the_old(painted, viewer, two_phases):
    old = painted.current.labels
    painted.current.source.layer.data = two_phases(80, 120)
    assert painted.current.labels is not old
    assert painted.current.labels.data.shape == (80, 120)
    assert old in viewer.layers
    assert not roles.is_ours(old)


def test_layers_of_others_are_never_touched(controller, viewer, two_phases, paint_both):
    theirs = viewer.add_labels(np.ones((96, 96), int), name="steel labels", opacity=0.3)
    colormap, data, heard = theirs.colormap, theirs.data.copy(), []
    theirs.events.name.connect(lambda _: heard.append(True))
    viewer.add_image(two_phases(), name="steel")
    paint_both(controller)
    controller.classes.recolor(1, "#00ff00")
    controller.close()
    theirs.name = "mine"
    assert heard, "their listeners are still there"
    assert (theirs.opacity, theirs.metadata) == (0.3, {})
    assert theirs.colormap is colormap
    np.testing.assert_array_equal(theirs.data, data)


def test_two_viewers_do_not_know_of_each_other(two_phases, paint_both):
    controllers = [Controller(ViewerModel(), InlineRunner()) for _ in range(2)]
    for controller in controllers:
        controller.viewer.add_image(two_phases(), name="steel")
    first, second = controllers
    paint_both(first)
    first.classes.rename(1, "ferrite")
    assert first.status.state is State.LIVE
    assert second.status.state is State.NEED_CLASSES
    assert second.classes[1].name == "class 1"
    assert not second.current.labels.data.any()


def test_closing_keeps_the_layers_and_stops_listening(painted, viewer, two_phases):
    labels, count = painted.current.labels, len(viewer.layers)
    painted.close()
    result = segmentation_of(viewer).copy()
    labels.paint((10, 10), 2)
    viewer.add_image(two_phases())
    assert len(viewer.layers) == count + 1
    np.testing.assert_array_equal(segmentation_of(viewer), result)


def segmentation_of(viewer: ViewerModel) -> np.ndarray:
    return next(layer.data for layer in viewer.layers if roles.role(layer) is Role.SEGMENTATION)


def test_opening_again_goes_on_where_it_was_left(painted, viewer):
    painted.classes.rename(2, "pore")
    painted.classes.recolor(2, "#123456")
    labels = painted.current.labels
    painted.close()
    again = Controller(viewer, InlineRunner())
    assert again.current.labels is labels
    assert again.status.state is State.LIVE
    assert (again.classes[2].name, again.classes[2].color) == ("pore", "#123456")
    assert [entry.pixels for entry in again.classes] == [64, 64]


def test_the_first_view_already_segments_and_later_ones_refine(viewer, two_phases, paint_both, stepped):
    controller = Controller(viewer, stepped, FeatureRecipe("filters", "balanced"))
    states = []
    controller.status_changed.connect(lambda status: states.append(status.state))
    viewer.add_image(two_phases(300, 300))
    paint_both(controller)
    stepped.run()
    assert controller.status.state is State.LIVE
    order = list(dict.fromkeys(states))
    assert order[:2] == [State.LOADING_WEIGHTS, State.COMPUTING]
    assert order[-1] is State.LIVE


def test_features_can_be_stopped_and_resumed(viewer, two_phases, stepped):
    controller = Controller(viewer, stepped)
    viewer.add_image(two_phases(300, 300))
    stepped.step()
    controller.features.stop()
    stepped.run()
    assert controller.status.state is State.STOPPED
    controller.features.resume()
    stepped.run()
    assert controller.status.state is State.NEED_CLASSES


def test_what_goes_wrong_is_reported_and_can_be_tried_again(viewer, two_phases):
    reported = []
    controller = Controller(viewer, InlineRunner(), FeatureRecipe("no-such-backbone", "fast"), reported.append)
    viewer.add_image(two_phases())
    assert "no-such-backbone" in str(reported[0])
    assert controller.status.state is State.STOPPED
    assert "no-such-backbone" in controller.status.sentence
    controller.make_features(FeatureRecipe("filters", "fast"))
    assert controller.status.state is State.NEED_CLASSES


def test_other_features_make_another_probe_of_the_same_strokes(painted):
    before = painted.live.probe
    painted.make_features(FeatureRecipe("filters", "fast"))
    assert painted.live.probe is not before
    assert painted.live.probe.recipes[0].sampling == "fast"
    assert is_right(painted)


def test_closing_in_the_middle_of_a_job_ends_it(viewer, two_phases, stepped):
    controller = Controller(viewer, stepped)
    viewer.add_image(two_phases(300, 300))
    stepped.step()
    count = len(viewer.layers)
    controller.close()
    stepped.run()
    assert stepped.running == 0
    assert len(viewer.layers) == count


def test_features_that_were_kept_are_learned_from_at_once(painted):
    before = painted.features.recipes
    painted.make_features(FeatureRecipe("filters", "fast"))
    painted.make_features(before)
    assert painted.status.state is State.LIVE
    assert painted.live.probe.recipes[0].sampling == before[0].sampling
    assert is_right(painted)


def test_pixels_without_a_value_are_unlabelled(controller, viewer, two_phases, paint_both):
    image = two_phases().astype(np.float32)
    image[10:20, 30:50] = np.nan
    viewer.add_image(image)
    paint_both(controller)
    result = segmentation(controller)
    np.testing.assert_array_equal(result == 0, np.isnan(image))


def test_closing_twice_ends_everything_once(painted, viewer):
    before = list(viewer.mouse_drag_callbacks)
    painted.show(Show.SIMILARITY)
    painted.close()
    painted.close()
    assert not viewer.keymap
    assert viewer.mouse_drag_callbacks == before
