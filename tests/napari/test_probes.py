"""A loaded probe: what it brings along, and when strokes take over."""

from dataclasses import replace

import numpy as np
import pytest

from patchfield.errors import ProbeError
from patchfield.field import FeatureRecipe
from patchfield.napari.controller import Controller
from patchfield.napari.files import Files
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.layers import Role
from patchfield.napari.session.status import State
from patchfield.pipeline import extract
from patchfield.probe import LinearProbe


def test_a_saved_probe_segments_elsewhere_with_its_classes_and_features(painted, tmp_path, two_phases):
    painted.annotations.set_contrast("minmax")
    painted.make_features(FeatureRecipe("filters", "fast", "bicubic"))
    painted.classes.rename(2, "pore")
    painted.classes.recolor(2, "#123456")
    Files(painted).save_probe(tmp_path / "steel.probe")
    viewer = type(painted.viewer)()
    viewer.add_image(two_phases(seed=5))
    other = Controller(viewer, InlineRunner())
    Files(other).load_probe(tmp_path / "steel.probe")
    assert replace(other.features.recipe, fingerprint="") == FeatureRecipe("filters", "fast", "bicubic")
    assert other.current.source.settings.contrast == "minmax"
    assert (other.classes[2].name, other.classes[2].color) == ("pore", "#123456")
    assert other.status.state is State.LIVE
    assert (other.current.result(Role.SEGMENTATION).data[:, 60:] == 2).mean() > 0.8


def test_a_loaded_probe_serves_until_two_classes_are_painted_and_comes_back_after_undo(
    painted, tmp_path, viewer, paint_both
):
    Files(painted).save_probe(tmp_path / "steel.probe")
    painted.current.replace_labels(np.zeros((96, 96)))
    Files(painted).load_probe(tmp_path / "steel.probe")
    loaded = painted.live.probe
    paint_both(painted)
    assert painted.live.probe is not loaded
    painted.current.labels.undo()
    assert painted.live.probe is loaded
    assert painted.status.state is State.LIVE


def test_a_probe_of_joined_features_is_refused_with_its_parts(painted, two_phases):
    field = extract(two_phases(), "filters")
    probe = LinearProbe().fit([(field | field, painted.current.labels.data)])
    with pytest.raises(ProbeError, match=r"filters \| filters"):
        painted.adopt(probe)
