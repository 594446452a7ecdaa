"""How much each class covers, counted beside the painting."""

import numpy as np

from patchfield.field import FeatureRecipe
from patchfield.napari.controller import Controller
from patchfield.napari.layers import Role

from ..conftest import raise_error


def test_the_fractions_are_those_of_the_segmentation_and_follow_it(painted, stroke):
    source, told = painted.current.source, []
    painted.results.measured.connect(told.append)
    before = painted.results.fractions(source)
    segmentation = painted.current.result(Role.SEGMENTATION).data
    assert before.pixels == {value: int((segmentation == value).sum()) for value in (1, 2)}
    assert before.whole
    stroke(painted, 2, 10, 10)
    after = painted.results.fractions(source)
    assert after.share(2) == (painted.current.result(Role.SEGMENTATION).data == 2).mean() != before.share(2)
    assert told == [source] * len(told)
    assert told


def test_they_are_features_of_the_segmentation_that_napari_shows(painted):
    layer, found = painted.current.result(Role.SEGMENTATION), painted.results.fractions(painted.current.source)
    painted.classes.rename(2, "pore")
    assert list(layer.features["class"]) == ["unlabelled", "class 1", "pore"]
    assert list(layer.features["pixels"]) == [0, found.pixels[1], found.pixels[2]]
    assert "covers" in str(layer.get_status((10, 10), world=True)["value"])


def test_without_a_segmentation_there_are_none(painted, viewer):
    source = painted.current.source
    painted.remove_class(2)
    assert painted.results.fractions(source) is None
    painted.current.labels.undo()
    assert painted.results.fractions(source) is not None
    viewer.layers.remove(source.layer)
    assert painted.results.fractions(source) is None


def test_areas_are_in_the_unit_of_the_image(controller, two_phases, paint_both):
    controller.viewer.add_image(two_phases(), scale=(0.5, 0.25), units=("um", "um"))
    paint_both(controller)
    found = controller.results.fractions(controller.current.source)
    assert found.unit == "µm²"
    assert found.area(1) == found.pixels[1] * 0.125


def test_a_stack_is_of_the_plane_on_view_until_all_planes_are_segmented_by_one_probe(
    controller, two_phases, paint_both, stroke
):
    dark = np.zeros_like(two_phases()) + 60
    viewer = controller.viewer
    viewer.add_image(np.stack([two_phases(), dark, dark]), axis_labels=("z", "y", "x"))
    viewer.dims.set_point(0, 0)
    paint_both(controller)
    source = controller.current.source

    def shown(index: int) -> float:
        return float((controller.current.result(Role.SEGMENTATION).data[index] == 2).mean())

    assert controller.results.fractions(source).share(2) == shown(0)
    viewer.dims.set_point(0, 1)
    on_view = controller.results.fractions(source)
    assert on_view.share(2) == shown(1) != shown(0)
    assert "the plane on view" in on_view.sentence(1)
    controller.applying.to_all_planes()
    everything = controller.results.fractions(source)
    assert everything.share(2) == (controller.current.result(Role.SEGMENTATION).data == 2).mean()
    assert "all 3 planes" in everything.sentence(1)
    stroke(controller, 2, 10, 10)
    assert not controller.results.fractions(source).whole, "the other planes are of another probe"


def test_what_is_drawn_while_it_is_counted_is_counted_again(viewer, stepped, two_phases, paint_both, stroke):
    controller = Controller(viewer, stepped, FeatureRecipe("filters"), raise_error)
    viewer.add_image(two_phases())
    stepped.run()
    paint_both(controller)
    while controller.current.result(Role.SEGMENTATION) is None:
        stepped.step()
    stroke(controller, 2, 4, 4)
    stepped.run()
    segmentation = controller.current.result(Role.SEGMENTATION).data
    assert controller.results.fractions(controller.current.source).share(2) == (segmentation == 2).mean()
    controller.close()
