"""What the strokes say about the probe, and the ways to them."""

import numpy as np
import pytest

from patchfield.errors import ProbeError
from patchfield.field import FeatureRecipe
from patchfield.napari.controller import Controller
from patchfield.napari.layers import Role

from ..conftest import raise_error


@pytest.fixture
def judged(controller, two_phases, stroke) -> Controller:
    """Three strokes of each class, and one of class 2 where class 1 is, in the second of two images."""
    for name in ("first", "second"):
        controller.viewer.add_image(two_phases(), name=name)
    for row in (20, 40, 60):
        stroke(controller, 1, row, 10)
        stroke(controller, 2, row, 60)
    stroke(controller, 2, 80, 20)
    controller.select(controller.viewer.layers["first"])
    return controller


def test_the_stroke_that_disagrees_is_found_and_gone_to_and_back(judged, viewer):
    assert judged.check.agreement.per_class[1] == 1
    (doubt,) = judged.check.doubts
    assert (doubt.name, doubt.result.value, doubt.result.predicted) == ("second", 2, 1)
    before = tuple(viewer.scene.camera.center), viewer.scene.camera.zoom
    assert judged.check.go_to(doubt)
    assert judged.current.source.title == "second"
    row, column = judged.current.result(Role.MARK).data[0]
    assert 80 <= row < 84
    assert 20 <= column < 36
    judged.check.back()
    assert judged.current.source.title == "first"
    assert (tuple(viewer.scene.camera.center), viewer.scene.camera.zoom) == before


def test_what_it_goes_by_is_computed_when_asked_and_forgotten_with_another_stroke(judged, stroke):
    assert judged.check.importance == ()
    judged.check.weigh()
    found = judged.check.importance
    assert {entry.group for entry in found} == {group.name for group in judged.check.groups()}
    assert [entry.loss for entry in found] == sorted((entry.loss for entry in found), reverse=True)
    stroke(judged, 1, 5, 5)
    assert judged.check.importance == ()


def test_features_of_one_group_are_refused_in_a_sentence(viewer, two_phases, stroke, paint_both):
    from patchfield.napari.jobs import InlineRunner

    controller = Controller(viewer, InlineRunner(), FeatureRecipe("micro", "fast"), raise_error)
    viewer.add_image(two_phases())
    with pytest.raises(ProbeError, match="no probe yet"):
        controller.check.weigh()
    paint_both(controller)
    with pytest.raises(ProbeError, match="one group"):
        controller.check.weigh()
    controller.close()


@pytest.mark.parametrize("gone", ["image", "labels"])
def test_an_image_deleted_meanwhile_is_no_error(viewer, stepped, two_phases, stroke, gone):
    controller = Controller(viewer, stepped, FeatureRecipe("filters", "fast"), raise_error)
    viewer.add_image(two_phases(), name="steel")
    stepped.run()
    for row in (20, 40, 60):
        stroke(controller, 1, row, 10)
        stroke(controller, 2, row, 60)
    stroke(controller, 2, 80, 20)
    stepped.run()
    (doubt,) = controller.check.doubts
    controller.check.weigh()
    controller.tour.next()
    stepped.step()
    layer = controller.current.source.layer if gone == "image" else controller.current.labels
    viewer.layers.remove(layer)
    stepped.run()
    assert controller.check.doubts == ()
    if gone == "image":
        assert not controller.check.go_to(doubt)
    controller.check.back()
    stepped.run()
    assert controller.check.progress is None
    controller.close()


def test_cancelled_weighing_shows_nothing(viewer, stepped, two_phases, stroke):
    controller = Controller(viewer, stepped, FeatureRecipe("filters", "fast"), raise_error)
    viewer.add_image(two_phases(), name="steel")
    stepped.run()
    for row in (20, 40, 60):
        stroke(controller, 1, row, 10)
        stroke(controller, 2, row, 60)
    stepped.run()
    controller.check.weigh()
    stepped.step()
    stepped.step()
    assert controller.check.progress.done > 0
    controller.check.cancel()
    stepped.run()
    assert controller.check.importance == ()
    assert controller.check.progress is None
    assert np.isfinite(controller.check.agreement.mean)
    controller.close()
