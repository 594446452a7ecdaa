"""What can be seen in the features without labels."""

import numpy as np
import pytest

from patchfield.backbones import export_checkpoint, random_vit
from patchfield.errors import FieldError
from patchfield.field import FeatureRecipe
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.layers import Role, roles
from patchfield.napari.layers.roles import RESULT_ROLES, TRANSIENT_ROLES
from patchfield.napari.layers.shown import ROLE_OF_VIEW
from patchfield.napari.session.view import EXPLORATIONS, Show
from tests.napari.conftest import raise_error


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


@pytest.fixture
def two_images(controller, viewer, two_phases):
    """Nothing painted; iron is the current one, and the other way round."""
    viewer.add_image(two_phases(), name="steel")
    viewer.add_image(two_phases(seed=1)[:, ::-1], name="iron")
    return controller


@pytest.mark.parametrize("exploration", [Show.PCA, Show.CLUSTERS])
def test_images_share_colours_and_groups(two_images, viewer, exploration):
    two_images.show(exploration)
    assert two_images.explorer.images == (2, 2)
    role = ROLE_OF_VIEW[exploration]
    groups = two_images.explorer.group_map
    iron = (groups() if exploration is Show.CLUSTERS else two_images.current.result(role).data).copy()
    two_images.select(viewer.layers["steel"])
    steel = groups() if exploration is Show.CLUSTERS else two_images.current.result(role).data
    inside = np.s_[20:76, 8:28], np.s_[20:76, 68:88]
    for here, there in (inside, inside[::-1]):
        np.testing.assert_allclose(steel[here].mean((0, 1)), iron[there].mean((0, 1)), atol=0.1)


def test_clusters_are_merged_without_computing_them_again(two_images):
    explorer = two_images.explorer
    two_images.show(Show.CLUSTERS)
    model, layer = explorer.model, two_images.current.result(Role.CLUSTERS)
    assert explorer.automatic
    assert 2 <= explorer.groups <= 8
    for count in (2, 5, 40):
        explorer.set_groups(count)
        colours = {tuple(layer.colormap.color_dict[value]) for value in range(1, explorer.max_groups + 1)}
        assert len(colours) == explorer.groups == count
    assert explorer.model is model
    explorer.set_side(4)
    assert explorer.model is not model


def test_a_click_searches_all_open_images_and_a_place_is_gone_to(two_images, viewer):
    two_images.explorer.set_side(0)
    two_images.show(Show.SIMILARITY)
    click(viewer.mouse_drag_callbacks[-1], viewer, (48, 80), "mouse_release")
    places = two_images.explorer.places
    assert places[0][1:3] == (48, 80)
    assert [place[3] for place in places] == sorted((place[3] for place in places), reverse=True)
    steel = str(viewer.layers["steel"].unique_id)
    number = next(i for i, place in enumerate(places) if place[0].image == steel)
    assert places[number][2] < 48, "the dark half of the other image"
    two_images.explorer.visit(number)
    assert two_images.current.source.id == steel
    marked = two_images.places.marked
    assert (marked.row, marked.column) == places[number][1:3]
    assert two_images.current.result(Role.SIMILARITY).data[places[number][1:3]] == pytest.approx(places[number][3])


def test_groups_become_strokes_of_classes_in_one_step_that_is_undone(two_images):
    labels = two_images.current.labels
    two_images.show(Show.CLUSTERS)
    two_images.explorer.set_groups(3)
    groups = two_images.explorer.group_map()
    two_images.adopting.adopt()
    assert two_images.view.show is Show.SEGMENTATION
    assert [entry.name for entry in two_images.classes if entry.pixels] == ["group 1", "group 2", "group 3"]
    painted = labels.data > 0
    assert 0 < painted.mean() < 0.2
    np.testing.assert_array_equal(labels.data[painted], groups[painted])
    assert two_images.live.probe is not None
    labels.undo()
    assert not labels.data.any()


def test_strokes_that_are_there_stay_and_painted_classes_are_not_taken_over(painted):
    before = painted.current.labels.data.copy()
    painted.show(Show.FOREGROUND)
    painted.adopting.adopt()
    after = painted.current.labels.data
    np.testing.assert_array_equal(after[before > 0], before[before > 0])
    assert (after > 0).sum() > (before > 0).sum()
    assert [entry.name for entry in painted.classes] == ["class 1", "class 2", "background", "foreground"]


def test_similar_places_are_painted_with_the_chosen_class(painted, viewer):
    painted.select_class(2)
    painted.show(Show.SIMILARITY)
    assert not painted.adopting.possible
    click(viewer.mouse_drag_callbacks[-1], viewer, (70, 80), "mouse_release")
    before = painted.current.labels.data.copy()
    painted.adopting.adopt()
    new = painted.current.labels.data != before
    assert new.any()
    assert set(painted.current.labels.data[new].tolist()) == {2}
    assert np.nonzero(new)[1].min() >= 40


def test_what_cannot_become_strokes_is_said(painted):
    with pytest.raises(FieldError, match="nothing to adopt"):
        painted.adopting.adopt()


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


def test_attention_says_what_is_foreground_and_how_clusters_are_merged(viewer, two_phases, tmp_path):
    vit = random_vit("vit_tiny_patch16_224", depth=1, img_size=64, embed_dim=64, num_heads=2, device="cpu")
    export_checkpoint(tmp_path / "vit.safetensors", vit.transformer.vit.state_dict(), vit.spec)
    recipe = FeatureRecipe(str(tmp_path / "vit.safetensors"), "fast")
    controller = Controller(viewer, InlineRunner(), recipe, on_error=raise_error)
    viewer.add_image(two_phases())
    explorer = controller.explorer
    controller.show(Show.FOREGROUND)
    alone = controller.shown.layer.data.copy()
    explorer.set_by_attention(True)
    attended = controller.shown.layer.data
    assert 0 < attended.mean() < 1
    assert (attended != alone).any()
    controller.show(Show.ATTENTION)
    maps = controller.shown.layer.data
    controller.show(Show.FOREGROUND)
    np.testing.assert_array_equal(controller.shown.layer.data > 0, maps > maps.mean())
    controller.show(Show.CLUSTERS)
    published = explorer.model.tree
    explorer.set_by_attention(False)
    assert not np.allclose(explorer.model.tree.heights, published.heights)
    controller.close()
