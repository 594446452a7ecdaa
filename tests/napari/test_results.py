"""A segmentation knows its probe: what is outdated says so."""

import numpy as np
import pytest

from patchfield.field import FeatureRecipe
from patchfield.napari.controller import Controller
from patchfield.napari.layers import Role
from patchfield.napari.session.results import Made, ResultState, state_of


@pytest.fixture
def stack(controller, two_phases, paint_both):
    """Three planes, the first of which is painted and segmented."""
    controller.viewer.add_image(np.stack([two_phases(seed=seed) for seed in range(3)]), name="stack")
    controller.viewer.dims.set_current_step(0, 0)
    paint_both(controller)
    return controller


def test_a_stack_is_partly_segmented_then_whole_then_outdated(stack, stroke):
    results, source, changes = stack.results, stack.current.source, []
    results.changed.connect(lambda changed: changes.append((changed.id, results.state(changed))))
    assert results.state(source) is ResultState.PARTIAL
    stack.applying.to_all_planes()
    assert results.state(source) is ResultState.CURRENT
    stroke(stack, 1, 10, 10)
    assert results.state(source) is ResultState.OUTDATED, "two planes are of the probe before the stroke"
    assert changes == [(source.id, ResultState.CURRENT), (source.id, ResultState.OUTDATED)]
    stack.classes.rename(1, "pore")
    stack.applying.to_all_planes()
    assert results.state(source) is ResultState.CURRENT, "a name decides no pixel"


def test_other_images_are_outdated_by_a_stroke_and_empty_without_a_probe(painted, two_phases, stroke):
    first = painted.current
    other = painted.annotations.source_of(painted.viewer.add_image(two_phases(seed=3), name="other"))
    painted.select(first.source.layer)
    painted.applying.to_other_images()
    assert painted.results.state(other) is ResultState.CURRENT
    stroke(painted, 1, 10, 10)
    assert painted.results.state(other) is ResultState.OUTDATED
    assert painted.results.state(first.source) is ResultState.CURRENT
    first.replace_labels(np.zeros((96, 96)))
    assert painted.results.state(other) is ResultState.NONE
    assert painted.results.state(first.source) is ResultState.NONE


def test_an_image_that_is_seen_otherwise_distrusts_its_result(painted):
    source = painted.current.source
    painted.results.distrust(source.id)
    assert painted.results.state(source) is ResultState.OUTDATED
    painted.annotations.set_contrast("minmax")
    assert painted.results.state(painted.current.source) is ResultState.CURRENT, "it was segmented anew at once"


def test_a_plane_in_pieces_or_of_the_first_view_is_not_whole():
    assert state_of({(): Made("a", whole=False)}, 1, "a") is ResultState.PARTIAL
    assert state_of({(): Made("a")}, 1, None) is ResultState.OUTDATED


def test_what_other_features_made_stays_pale_until_the_new_ones_are_there(viewer, two_phases, paint_both, stepped):
    controller = Controller(viewer, stepped, FeatureRecipe("filters"))
    viewer.add_image(two_phases(), name="steel")
    stepped.run()
    paint_both(controller)
    stepped.run()
    controller.make_features(FeatureRecipe("filters", "fast", "nearest"))
    stepped.step()
    layer, source = controller.current.result(Role.SEGMENTATION), controller.current.source
    assert controller.live.probe is None
    assert layer.data.any()
    assert controller.results.state(source) is ResultState.OUTDATED
    stepped.run()
    assert controller.results.state(source) is ResultState.CURRENT
    assert layer.colormap.map(np.uint8(1))[3] == 1
    controller.close()
