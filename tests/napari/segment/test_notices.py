"""What is said of results and loaded probes, and what the buttons beside it do."""

import numpy as np
import pytest
from napari.components import ViewerModel

from patchfield.field import FeatureRecipe
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.layers import Role
from patchfield.napari.session.results import ResultState


def said(controller: Controller) -> dict[str, str]:
    """Sentences by what their buttons say."""
    return {notice.button: notice.sentence for notice in controller.notices}


def press(controller: Controller, button: str) -> None:
    next(notice for notice in controller.notices if notice.button == button).press()


def test_planes_and_images_that_are_outdated_are_said_and_brought_up_to_date(
    controller, viewer, two_phases, paint_both, stroke
):
    viewer.add_image(np.stack([two_phases(seed=seed) for seed in range(3)]), name="stack")
    first = controller.current.source
    assert said(controller) == {}
    paint_both(controller)
    assert said(controller) == {"All planes": "1 of 3 planes segmented."}
    press(controller, "All planes")
    assert said(controller) == {}
    stroke(controller, 1, 10, 10)
    assert said(controller) == {"All planes": "2 of 3 planes are outdated."}
    viewer.add_image(two_phases(seed=5), name="other")
    assert said(controller) == {"All images": "1 other image is outdated."}
    assert [entry.outdated for entry in controller.images.entries] == [True, False]
    press(controller, "All images")
    assert controller.results.state(first) is ResultState.CURRENT
    assert not any(entry.outdated for entry in controller.images.entries)


def test_an_outdated_plane_looks_pale_until_it_is_segmented_again(controller, viewer, two_phases, paint_both, stroke):
    viewer.add_image(np.stack([two_phases(seed=seed) for seed in range(2)]), name="stack")
    viewer.dims.set_current_step(0, 0)
    paint_both(controller)
    controller.applying.to_all_planes()
    layer = controller.current.result(Role.SEGMENTATION)

    def opacity() -> float:
        return float(layer.colormap.map(np.uint8(1))[3])

    assert opacity() == 1
    stroke(controller, 1, 10, 10)
    controller.results.fade(controller.current.source, (1,))
    assert opacity() < 0.5
    controller.classes.rename(1, "pore")
    assert opacity() < 0.5, "another name is no other probe"
    viewer.dims.set_current_step(0, 1)
    assert opacity() == 1, "it was segmented when it came on view"


@pytest.fixture
def loaded(painted, tmp_path, two_phases):
    """Another window, with an image that is enlarged four times; the probe's file; what is asked there."""
    painted.current.source.layer.scale, painted.current.source.layer.units = (20, 20), ("nm", "nm")
    painted.current.labels.paint((20, 20), 1)
    painted.files.save_probe(tmp_path / "a.probe")
    controller = Controller(ViewerModel(), InlineRunner(), FeatureRecipe("filters", "fast"))
    image = two_phases(seed=5).repeat(2, 0).repeat(2, 1)
    controller.viewer.add_image(image, scale=(10, 10), units=("nm", "nm"), name="large")
    asked = []
    controller.files.ask = lambda question, then: asked.append((question, then))
    controller.annotations.set_contrast("minmax")
    controller.files.load_probe(tmp_path / "a.probe")
    yield controller, asked
    controller.close()


def test_what_a_probe_changes_is_said_before_it_is_used(loaded, tmp_path):
    controller, asked = loaded
    [(question, go_on)] = asked
    assert question.facts == (
        "Features are computed anew: detail balanced, bilinear in the place of fast, bilinear.",
        "Images are seen in the contrast 'auto' in the place of 'minmax'.",
        "The image can be resampled, under Segment. Its pixels are 2 times smaller than the probe knows.",
    )
    assert controller.live.probe is None, "nothing changed so far"
    assert controller.current.source.settings.contrast == "minmax"
    go_on()
    assert controller.live.probe is not None
    assert controller.current.source.settings.contrast == "auto"
    controller.current.source.layer.scale = (20, 20)
    controller.files.load_probe(tmp_path / "a.probe")
    assert len(asked) == 1, "it changes nothing any more"


def test_an_image_of_another_magnification_is_resampled_and_as_it_is_again(loaded):
    controller, [(_, go_on)] = loaded
    go_on()
    before = controller.current.result(Role.SEGMENTATION).data.copy()
    assert said(controller)["Resample"] == "Its pixels are 2 times smaller than the probe knows."
    press(controller, "Resample")
    source, probe = controller.current.source, controller.live.probe
    assert source.settings.zoom == 0.5
    after = controller.current.result(Role.SEGMENTATION).data
    assert after.shape == source.shape
    expected = probe.segment(controller.features.extractor.seen_with(source.settings).field(source))
    np.testing.assert_array_equal(after, expected)
    assert (after != before).any()
    assert said(controller) == {"As it is": "Seen 0.5 times as large, as the probe knows it."}
    controller.current.labels.paint((20, 20), 1)
    assert controller.live.probe.training.pixel_size == (20.0, 20.0), "a stroke on it is of the size that was seen"
    controller.current.labels.undo()
    press(controller, "As it is")
    np.testing.assert_array_equal(controller.current.result(Role.SEGMENTATION).data, before)
