"""What can be seen in the features without labels."""

import numpy as np
import pytest

from patchfield.errors import FieldError
from patchfield.napari.layers import Role
from patchfield.napari.layers.roles import RESULT_ROLES


@pytest.mark.parametrize("exploration", [Role.PCA, Role.CLUSTERS])
def test_an_exploration_takes_the_place_of_the_segmentation_and_gives_it_back(painted, exploration):
    explorer = painted.explorer
    explorer.begin(exploration)
    shown = painted.current.result(exploration)
    assert shown.visible
    assert shown.data.shape[:2] == (96, 96)
    left, right = shown.data[20:80, 10:30].mean((0, 1)), shown.data[20:80, 66:86].mean((0, 1))
    assert np.abs(left - right).max() > 0.2, "the two phases look different"
    assert not any(painted.current.result(role).visible for role in RESULT_ROLES if painted.current.result(role))
    explorer.end()
    assert painted.current.result(Role.SEGMENTATION).visible
    assert not shown.visible


def test_choosing_a_result_ends_the_exploration(painted):
    explorer = painted.explorer
    explorer.begin(Role.PCA)
    painted.show(painted.view.show)
    assert explorer.shown is None
    assert not painted.current.result(Role.PCA).visible


def test_a_click_shows_what_is_similar_and_a_drag_does_not(painted, viewer):
    explorer = painted.explorer
    explorer.begin(Role.SIMILARITY)
    assert painted.current.labels.mode == "pan_zoom"
    (pick,) = viewer.mouse_drag_callbacks[-1:]
    _click(pick, viewer, (48, 80), "mouse_move")
    assert painted.current.result(Role.SIMILARITY) is None
    _click(pick, viewer, (48, 80), "mouse_release")
    similarity = painted.current.result(Role.SIMILARITY).data
    assert similarity[48, 80] == pytest.approx(1, abs=1e-3)
    assert similarity[:, 60:].mean() > similarity[:, :36].mean() + 0.5
    explorer.end()
    assert painted.current.labels.mode == "paint"
    assert pick not in viewer.mouse_drag_callbacks


def _click(callback, viewer, position, then):
    event = type("Event", (), {"position": position, "type": "mouse_press"})()
    steps = callback(viewer, event)
    next(steps)
    event.type = then
    next(steps, None)


def test_attention_is_offered_only_where_there_is_any(painted):
    assert not painted.explorer.has_attention


def test_an_exploration_follows_to_another_plane_in_the_same_colours(controller, viewer, two_phases):
    viewer.add_image(np.stack([two_phases(), 255 - two_phases()]))
    explorer = controller.explorer
    explorer.begin(Role.PCA)
    layer = controller.current.result(Role.PCA)
    first = layer.data.copy()
    viewer.dims.set_point(0, 1)
    np.testing.assert_allclose(layer.data[20:80, 10:30].mean((0, 1)), first[20:80, 66:86].mean((0, 1)), atol=0.1)


def test_there_must_be_features_to_explore(controller):
    with pytest.raises(FieldError, match="open an image"):
        controller.explorer.begin(Role.PCA)
