"""A loaded probe: what it brings along, and when strokes take over."""

from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel

from patchfield.errors import ImageError, ProbeError
from patchfield.field import FeatureRecipe
from patchfield.images import ArrayStack, ImageSettings
from patchfield.napari.controller import Controller
from patchfield.napari.files import Files
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.layers import Role
from patchfield.napari.session.status import State
from patchfield.pipeline import Extractor, extract
from patchfield.probe import KeptSamples, LinearProbe


def raise_error(error: Exception) -> None:
    raise error


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
    assert replace(other.features.recipes[0], fingerprint="") == FeatureRecipe("filters", "fast", "bicubic")
    assert other.current.source.settings.contrast == "minmax"
    assert (other.classes[2].name, other.classes[2].color) == ("pore", "#123456")
    assert other.status.state is State.LIVE
    assert (other.current.result(Role.SEGMENTATION).data[:, 60:] == 2).mean() > 0.8


@pytest.fixture
def corrected(painted, tmp_path, two_phases):
    """A window of its own with another image and the saved probe of the painted one."""
    painted.files.save_probe(tmp_path / "steel.probe")
    controller = Controller(ViewerModel(), InlineRunner(), FeatureRecipe("filters"), raise_error)
    controller.viewer.add_image(two_phases(seed=5), name="other", scale=(20, 20), units=("nm", "nm"))
    controller.files.load_probe(tmp_path / "steel.probe")
    yield controller
    controller.close()


def test_one_stroke_corrects_a_loaded_probe_and_undo_takes_it_back_whole(corrected, stroke):
    loaded, before = corrected.live.probe, corrected.current.result(Role.SEGMENTATION).data.copy()
    stroke(corrected, 1, 48, 70)
    assert corrected.live.probe is not loaded
    assert corrected.live.probe.training.strokes == {1: 2, 2: 1}, "its own strokes count on"
    assert (corrected.current.result(Role.SEGMENTATION).data != before).any()
    assert corrected.status.state is State.LIVE
    corrected.current.labels.undo()
    assert corrected.live.probe is loaded
    np.testing.assert_array_equal(corrected.current.result(Role.SEGMENTATION).data, before)


def test_a_third_class_joins_those_of_a_loaded_probe_and_all_of_it_is_saved(corrected, stroke, tmp_path):
    stroke(corrected, 3, 10, 10)
    corrected.files.save_probe(tmp_path / "more.probe")
    probe = LinearProbe.load(tmp_path / "more.probe")
    assert probe.values.tolist() == [1, 2, 3]
    assert [image.name for image in probe.kept.sources] == ["layer 'steel'", "layer 'other'"]
    assert probe.training.pixel_size == (20.0, 20.0)


def test_what_is_painted_again_counts_once_and_an_erased_correction_leaves_what_was_kept(painted, tmp_path, stroke):
    painted.files.save_probe(tmp_path / "steel.probe")
    painted.files.load_probe(tmp_path / "steel.probe")
    assert painted.live.probe.training.strokes == {1: 1, 2: 1}, "the same strokes of the same image"
    painted.current.replace_labels(np.zeros((96, 96)))
    assert painted.live.probe.training.strokes == {1: 1, 2: 1}
    stroke(painted, 2, 48, 12)
    assert painted.live.probe is painted.live.loaded, "painted over, the only stroke of a class is gone"
    stroke(painted, 1, 20, 12)
    assert painted.live.probe.training.strokes == {1: 1, 2: 2}
    painted.current.replace_labels(np.zeros((96, 96)))
    assert len(painted.live.probe.kept) == 128


def test_a_class_takes_what_is_kept_of_it_along_and_brings_it_back(corrected, stroke):
    stroke(corrected, 3, 10, 10)
    corrected.remove_class(2)
    assert corrected.live.probe.values.tolist() == [1, 3]
    corrected.classes.ensure([2])
    assert corrected.live.probe.values.tolist() == [1, 2, 3]
    corrected.live.merge_kept(2, 1)
    corrected.classes.remove(2)
    assert corrected.live.probe.training.strokes == {1: 2, 3: 1}


def test_a_probe_of_an_old_file_serves_until_two_classes_are_painted(corrected, stroke):
    probe = corrected.live.probe
    probe.kept = KeptSamples()
    corrected.adopt(probe)
    stroke(corrected, 1, 48, 12)
    assert corrected.live.probe is probe
    stroke(corrected, 2, 48, 70)
    assert corrected.live.probe.training.strokes == {1: 1, 2: 1}


def test_a_probe_of_joined_backbones_brings_them_along(painted, two_phases):
    painted.make_features([FeatureRecipe("micro", "fast"), FeatureRecipe("filters")])
    probe, expected = painted.live.probe, painted.current.result(Role.SEGMENTATION).data.copy()
    assert [recipe.backbone for recipe in probe.recipes] == ["micro", "filters"]
    viewer = type(painted.viewer)()
    viewer.add_image(two_phases())
    other = Controller(viewer, InlineRunner(), FeatureRecipe("filters"))
    other.adopt(probe)
    assert other.features.name == "micro | filters"
    np.testing.assert_array_equal(other.current.result(Role.SEGMENTATION).data, expected)


def test_a_probe_whose_backbones_see_the_image_differently_is_refused(painted, two_phases):
    field = extract(two_phases(), "filters") | extract(two_phases(), "filters", contrast="minmax")
    with pytest.raises(ProbeError, match=r"filters \| filters.*contrasts"):
        painted.adopt(LinearProbe().fit([(field, painted.current.labels.data)]))


def test_a_probe_brings_its_channels_and_axes_along(controller, viewer, two_phases):
    image = np.stack([np.zeros((96, 96), np.uint8), two_phases()])
    labels = np.zeros((96, 96), np.uint8)
    labels[40:44, 10:20], labels[40:44, 70:80] = 1, 2
    extractor = Extractor.load(FeatureRecipe("filters", image=ImageSettings("minmax", channels=(1,), axes="CYX")))
    probe = LinearProbe().fit([(extractor.field(ArrayStack(image, "CYX")), labels)])
    viewer.add_image(image, name="channels")
    controller.adopt(probe)
    assert controller.current.source.settings == probe.recipes[0].image
    assert (controller.current.result(Role.SEGMENTATION).data[:, 60:] == 2).mean() > 0.8
    second = viewer.add_image(image[:, ::-1], name="another")
    assert controller.annotations.source_of(second).settings == probe.recipes[0].image
    controller.select(viewer.add_image(two_phases(), name="grey"))
    with pytest.raises(ImageError, match=r"channel 1.*'grey' has 1"):
        controller.adopt(probe)


def test_a_probe_with_classes_beyond_the_layer_s_is_refused(painted):
    labels = painted.current.labels.data.astype(np.uint16) * 200
    field = painted.target().field
    with pytest.raises(ProbeError, match="class 400"):
        painted.adopt(LinearProbe().fit([(field, labels)]))
