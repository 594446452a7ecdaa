"""Classes merged, walked through, and kept as sets."""

import numpy as np
import pytest
from napari.utils.key_bindings import coerce_keybinding

from patchfield.errors import LabelError
from patchfield.napari.segment.palette import Palette
from patchfield.napari.session.settings import Settings


def labels_of(controller) -> list[np.ndarray]:
    return [annotated.labels.data for annotated in controller.annotations]


def test_two_classes_are_merged_on_all_images_and_undo_brings_one_back(painted, viewer, two_phases, stroke):
    first = painted.current
    painted.classes.rename(2, "pore")
    painted.select(viewer.add_image(two_phases(seed=1)))
    stroke(painted, 2, 20, 60)
    painted.select_class(2)
    painted.palette.merge(2, 1)
    assert painted.classes.values == (1,)
    assert painted.selected_class == 1
    assert [np.unique(labels).tolist() for labels in labels_of(painted)] == [[0, 1], [0, 1]]
    assert painted.classes[1].pixels == 192
    painted.select(first.source.layer)
    first.labels.undo()
    assert painted.classes[2].name == "pore"
    assert [entry.pixels for entry in painted.classes] == [128, 64]


def test_keys_walk_through_the_list_as_it_is_ordered(painted, viewer):
    painted.add_class()
    painted.classes.move(3, -2)
    painted.select_class(3)
    seen = []
    for _ in range(4):
        viewer.keymap[coerce_keybinding(".")](viewer)
        seen.append(painted.selected_class)
    assert seen == [1, 2, 3, 1]
    viewer.keymap[coerce_keybinding(",")](viewer)
    assert painted.selected_class == 3
    painted.current.labels.keymap[coerce_keybinding("Shift-W")](painted.current.labels)
    assert painted.selected_class == 1, "the second of the list"


def test_a_set_of_classes_outlives_the_session(painted, tmp_path):
    palette = Palette(painted, Settings(tmp_path / "window.json"))
    painted.classes.rename(1, "ferrite")
    palette.keep(" Steel ")
    painted.classes.rename(1, "something")
    later = Palette(painted, Settings(tmp_path / "window.json"))
    assert next(iter(later.presets)) == "Steel"
    later.apply("Steel")
    assert painted.classes[1].name == "ferrite"
    later.apply("Nuclei")
    assert [entry.name for entry in painted.classes] == ["background", "cytoplasm", "nucleus"]
    later.forget("Steel")
    assert "Steel" not in later.presets
    with pytest.raises(LabelError, match="no name"):
        later.keep("  ")
