"""What can be seen in the features without labels."""

import numpy as np
import pytest

from patchfield.napari.controller import Controller
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.layers import Role, roles
from patchfield.napari.layers.roles import RESULT_ROLES, TRANSIENT_ROLES
from patchfield.napari.layers.shown import ROLE_OF_VIEW
from patchfield.napari.session.view import EXPLORATIONS, Show


def explored(viewer):
    return [roles.role(layer) for layer in viewer.layers if roles.role(layer) in TRANSIENT_ROLES]


@pytest.mark.parametrize("exploration", [Show.PCA, Show.CLUSTERS])
def test_an_exploration_takes_the_place_of_the_segmentation_and_gives_it_back(painted, viewer, exploration):
    painted.show(exploration)
    shown = painted.current.result(ROLE_OF_VIEW[exploration])
    assert shown.visible
    assert shown.data.shape[:2] == (96, 96)
    left, right = shown.data[20:80, 10:30].mean((0, 1)), shown.data[20:80, 66:86].mean((0, 1))
    assert np.abs(left - right).max() > 0.2, "the two phases look different"
    assert not any(painted.current.result(role).visible for role in RESULT_ROLES if painted.current.result(role))
    painted.show(Show.SEGMENTATION)
    assert painted.current.result(Role.SEGMENTATION).visible
    assert not explored(viewer)


def test_one_exploration_leaves_no_layer_behind_for_the_next(painted, viewer):
    painted.show(Show.PCA)
    painted.show(Show.CLUSTERS)
    assert explored(viewer) == [Role.CLUSTERS]


@pytest.mark.parametrize("begin", ["brush", "class", "fill"])
def test_who_paints_explores_no_longer(painted, viewer, begin):
    painted.show(Show.UNCERTAINTY)
    painted.show(Show.PCA)
    labels = painted.current.labels
    assert labels.mode == "pan_zoom", "a click must not paint"
    if begin == "class":
        painted.select_class(2)
    else:
        labels.mode = "paint" if begin == "brush" else "fill"
    assert painted.view.show is Show.UNCERTAINTY
    assert not explored(viewer)
    assert labels.mode == ("fill" if begin == "fill" else "paint")


def test_the_tool_that_was_in_hand_is_given_back(painted):
    painted.current.labels.mode = "erase"
    painted.show(Show.PCA)
    painted.show(Show.CLUSTERS)
    painted.show(Show.SEGMENTATION)
    assert painted.current.labels.mode == "erase"


def test_a_click_shows_what_is_similar_and_a_drag_does_not(painted, viewer):
    painted.show(Show.SIMILARITY)
    (pick,) = viewer.mouse_drag_callbacks[-1:]
    click(pick, viewer, (48, 80), "mouse_move")
    assert painted.current.result(Role.SIMILARITY) is None
    click(pick, viewer, (48, 80), "mouse_release")
    similarity = painted.current.result(Role.SIMILARITY).data
    assert similarity[48, 80] == pytest.approx(1, abs=1e-3)
    assert similarity[:, 60:].mean() > similarity[:, :36].mean() + 0.5
    painted.show(Show.SEGMENTATION)
    assert pick not in viewer.mouse_drag_callbacks


def click(callback, viewer, position, then):
    event = type("Event", (), {"position": position, "type": "mouse_press"})()
    steps = callback(viewer, event)
    next(steps)
    event.type = then
    next(steps, None)


def test_a_higher_threshold_leaves_less_foreground(painted):
    painted.show(Show.FOREGROUND)
    layer = painted.current.result(Role.FOREGROUND)
    painted.explorer.set_threshold(0.1)
    much = np.count_nonzero(layer.data)
    painted.explorer.set_threshold(0.9)
    assert 0 < np.count_nonzero(layer.data) < much


def test_attention_is_offered_only_where_there_is_any(painted):
    assert not painted.explorer.has_attention


def test_an_exploration_follows_to_another_plane_in_the_same_colours(controller, viewer, two_phases):
    viewer.add_image(np.stack([two_phases(), 255 - two_phases()]))
    controller.show(Show.PCA)
    layer = controller.current.result(Role.PCA)
    first = layer.data.copy()
    viewer.dims.set_point(0, 1)
    np.testing.assert_allclose(layer.data[20:80, 10:30].mean((0, 1)), first[20:80, 66:86].mean((0, 1)), atol=0.1)


def test_an_exploration_waits_for_features(viewer, two_phases, stepped):
    controller = Controller(viewer, stepped)
    for show in EXPLORATIONS:
        controller.show(show)
        assert controller.explorer.waiting, "there is no image yet"
    controller.show(Show.CLUSTERS)
    viewer.add_image(two_phases())
    stepped.run()
    assert explored(viewer) == [Role.CLUSTERS]
    assert not controller.explorer.waiting
    controller.close()


def test_the_opacity_is_that_of_what_is_seen_and_stays_so(painted, viewer):
    painted.show(Show.PCA)
    painted.shown.set_opacity(0.3)
    assert painted.current.result(Role.SEGMENTATION).opacity != 0.3
    painted.show(Show.SEGMENTATION)
    painted.show(Show.PCA)
    assert painted.shown.opacity == painted.current.result(Role.PCA).opacity == 0.3
    painted.show(Show.IMAGE)
    assert painted.shown.opacity is None


def test_borders_are_the_segmentation_as_outlines(painted):
    layer = painted.current.result(Role.SEGMENTATION)
    painted.show(Show.BORDERS)
    assert layer.visible
    assert layer.contour > 0
    painted.show(Show.SEGMENTATION)
    assert layer.contour == 0


def test_closing_takes_explorations_away(viewer, two_phases):
    controller = Controller(viewer, InlineRunner())
    viewer.add_image(two_phases())
    controller.show(Show.PCA)
    controller.close()
    assert not explored(viewer)
