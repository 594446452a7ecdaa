"""One probe on other images and whole stacks."""

import numpy as np
import pytest

from patchfield.errors import ProbeError
from patchfield.napari.controller import Controller
from patchfield.napari.layers import Role
from patchfield.napari.layers.roles import find
from patchfield.napari.layers.stack import LayerStack


def test_other_open_images_are_segmented_out_of_sight(painted, viewer, two_phases, stroke):
    current = painted.current.source.layer
    others = [viewer.add_image(two_phases(seed=seed), name=f"other {seed}") for seed in (1, 2)]
    painted.select(current)
    stroke(painted, 2, 10, 62)
    applying, finished = painted.applying, []
    applying.finished.connect(finished.append)
    applying.to_other_images()
    assert finished == [2]
    for other in others:
        result = find(viewer, LayerStack.from_layer(other), Role.SEGMENTATION)
        assert (result.data[:, 60:] == 2).mean() > 0.8
        assert not result.visible


def test_a_whole_stack_is_segmented(controller, viewer, two_phases, paint_both):
    viewer.add_image(np.stack([two_phases(seed=seed) for seed in range(3)]))
    paint_both(controller)
    finished = []
    controller.applying.finished.connect(finished.append)
    controller.applying.to_all_planes()
    controller.applying.to_all_images()
    assert finished == [2, 0], "what this probe has segmented is left as it is"
    result = controller.current.result(Role.SEGMENTATION).data
    assert (result[:, :, 60:] == 2).mean() > 0.8


def test_applying_can_be_cancelled(viewer, two_phases, paint_both, stepped):
    controller = Controller(viewer, stepped)
    viewer.add_image(np.stack([two_phases(seed=seed) for seed in range(6)]))
    stepped.run()
    paint_both(controller)
    stepped.run()
    applying = controller.applying
    applying.to_all_planes()
    for _ in range(3):
        stepped.step()
    applying.cancel()
    stepped.run()
    assert applying.progress is None
    assert not controller.current.result(Role.SEGMENTATION).data[-1].any()


def test_there_must_be_something_to_apply(controller, painted, viewer):
    with pytest.raises(ProbeError, match="No other image"):
        painted.applying.to_other_images()
    painted.current.labels.undo()
    with pytest.raises(ProbeError, match="nothing to segment with"):
        painted.applying.to_all_planes()


def test_an_image_that_goes_or_is_seen_otherwise_meanwhile_gets_no_result(viewer, two_phases, paint_both, stepped):
    controller = Controller(viewer, stepped)
    gone, kept = (viewer.add_image(two_phases(seed=seed), name=name) for seed, name in enumerate(("gone", "kept")))
    stepped.run()
    controller.select(kept)
    stepped.run()
    paint_both(controller)
    stepped.run()
    controller.applying.to_all_images()
    viewer.layers.remove(gone)
    stepped.run()
    assert not any(layer.name == "gone segmentation" for layer in viewer.layers)
    source = controller.current.source
    controller.applying.to_all_images()
    controller.annotations.set_contrast("minmax")
    controller.results.draw_plane(source, (), np.full((96, 96), 2, np.uint8), controller.live.probe)
    stepped.run()
    assert (controller.current.result(Role.SEGMENTATION).data != 2).any()
    controller.close()
