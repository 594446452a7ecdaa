from inspect import isgeneratorfunction

from napari.utils.key_bindings import coerce_keybinding

from patchfield.field import FeatureRecipe
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.layers import Role
from patchfield.napari.layers.roles import is_ours
from patchfield.napari.session.view import Show


def press(owner, key):
    action = owner.keymap[coerce_keybinding(key)]
    assert action.__name__, "napari asks for it"
    return action(owner)


def test_shift_q_and_w_choose_the_first_classes(painted):
    labels = painted.current.labels
    press(labels, "Shift-W")
    assert labels.selected_label == 2
    press(labels, "Shift-Q")
    assert labels.selected_label == 1
    press(labels, "Shift-T")
    assert labels.selected_label == 1, "there is no fifth class"


def test_s_and_u_switch_results_on_and_off(painted, viewer):
    segmentation = painted.current.result(Role.SEGMENTATION)
    press(viewer, "S")
    assert not segmentation.visible
    press(viewer, "S")
    assert segmentation.visible
    press(viewer, "U")
    assert painted.view.show is Show.UNCERTAINTY
    press(viewer, "U")
    assert painted.view.show is Show.SEGMENTATION


def test_holding_h_shows_the_bare_image(painted, viewer):
    assert isgeneratorfunction(viewer.keymap[coerce_keybinding("H")]), "else napari does not hold it"
    hold = press(viewer, "H")
    next(hold)
    assert [layer.visible for layer in viewer.layers] == [not is_ours(layer) for layer in viewer.layers]
    next(hold, None)
    assert all(layer.visible for layer in viewer.layers)


def test_shift_s_learns_what_waits(painted, viewer, stroke):
    painted.follow(False)
    stroke(painted, 1, 10, 60)
    press(viewer, "Shift-S")
    assert not painted.live.stale


def test_keys_that_a_user_bound_stay_theirs_and_ours_are_freed(viewer, two_phases):
    def mine(_):
        return None

    viewer.bind_key("U", mine)
    controller = Controller(viewer, InlineRunner(), FeatureRecipe("filters"))
    viewer.add_image(two_phases())
    labels = controller.current.labels
    assert viewer.keymap[coerce_keybinding("U")] is mine
    assert labels.keymap
    controller.close()
    assert list(viewer.keymap) == [coerce_keybinding("U")]
    assert not labels.keymap


def test_labels_of_a_second_image_have_the_keys_too(painted, viewer, two_phases):
    painted.select(viewer.add_image(two_phases(seed=1)))
    press(painted.current.labels, "Shift-W")
    assert painted.current.labels.selected_label == 2
