"""What is done with a probe: files, other images, tours, looks."""

import numpy as np
import pytest
import tifffile

from patchfield.errors import FieldError, LabelError, ProbeError
from patchfield.field import extract
from patchfield.images import read_labels
from patchfield.napari.controller import Controller
from patchfield.napari.explore.explorer import Explorer
from patchfield.napari.files import Files
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.layers import Role
from patchfield.napari.layers.roles import RESULT_ROLES, find
from patchfield.napari.layers.stack import ImageSource
from patchfield.napari.segment.apply import Applying
from patchfield.napari.segment.features import FeatureSpec
from patchfield.napari.segment.unsure import UnsureTour, unsure_places
from patchfield.napari.segment.updates import Show
from patchfield.napari.session.status import State
from patchfield.probe import LinearProbe


def test_a_saved_probe_segments_elsewhere_with_its_classes_and_features(painted, tmp_path, two_phases):
    painted.annotations.view(contrast="minmax")
    painted.make_features(FeatureSpec("filters", "fast", "bicubic"))
    painted.classes.change(2, name="pore", color="#123456")
    Files(painted).save_probe(tmp_path / "steel.probe")
    viewer = type(painted.viewer)()
    viewer.add_image(two_phases(seed=5))
    other = Controller(viewer, InlineRunner())
    Files(other).load_probe(tmp_path / "steel.probe")
    assert other.features.spec == FeatureSpec("filters", "fast", "bicubic")
    assert other.current.source.contrast == "minmax"
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


def test_labels_and_segmentation_are_written_with_their_scale(painted, tmp_path):
    painted.current.source.layer.scale = (0.25, 0.25)
    painted.current.source.layer.units = ("um", "um")
    files, written = Files(painted), []
    files.written.connect(written.append)
    files.save_labels(tmp_path / "labels.tif")
    files.save_segmentation(tmp_path / "segmentation.tif")
    np.testing.assert_array_equal(read_labels(tmp_path / "labels.tif"), painted.current.labels.data)
    with tifffile.TiffFile(tmp_path / "segmentation.tif") as file:
        assert file.imagej_metadata["unit"] == "um"
        np.testing.assert_array_equal(file.asarray(), painted.current.result(Role.SEGMENTATION).data)
    assert len(written) == 2


def test_probabilities_are_written_class_by_class(painted, tmp_path):
    Files(painted).save_probabilities(tmp_path / "probabilities.tif")
    maps = tifffile.imread(tmp_path / "probabilities.tif")
    assert maps.shape == (2, 96, 96)
    np.testing.assert_allclose(maps.sum(0), 1, atol=1e-5)


def test_labels_of_a_file_are_learned_from_and_cannot_be_undone_into(painted, tmp_path):
    files = Files(painted)
    files.save_labels(tmp_path / "labels.tif")
    painted.current.labels.paint((10, 10), 5)
    files.load_labels(tmp_path / "labels.tif")
    assert 5 not in painted.current.labels.data
    assert set(painted.live.probe.values) == {1, 2}
    painted.current.labels.undo()
    np.testing.assert_array_equal(painted.current.labels.data, read_labels(tmp_path / "labels.tif"))


def test_labels_of_another_image_are_refused(painted, tmp_path):
    tifffile.imwrite(tmp_path / "other.tif", np.ones((10, 10), np.uint8))
    with pytest.raises(Exception, match="choose the labels that were painted on this image"):
        Files(painted).load_labels(tmp_path / "other.tif")


def test_nothing_painted_is_nothing_to_save(controller, tmp_path):
    with pytest.raises(LabelError, match="no probe yet"):
        Files(controller).save_probe(tmp_path / "empty.probe")
    with pytest.raises(LabelError, match="no image"):
        Files(controller).save_labels(tmp_path / "labels.tif")
    assert not list(tmp_path.iterdir())


def test_other_open_images_are_segmented_and_get_no_labels(painted, viewer, two_phases):
    others = [viewer.add_image(two_phases(seed=seed), name=f"other {seed}") for seed in (1, 2)]
    applying, finished = Applying(painted), []
    applying.finished.connect(finished.append)
    applying.to_other_images()
    assert finished == [2]
    for other in others:
        assert (find(viewer, ImageSource(other), Role.SEGMENTATION).data[:, 60:] == 2).mean() > 0.8
        assert find(viewer, ImageSource(other), Role.LABELS) is None


def test_a_whole_stack_is_segmented(controller, viewer, two_phases, paint_both):
    viewer.add_image(np.stack([two_phases(seed=seed) for seed in range(3)]))
    paint_both(controller)
    Applying(controller).to_all_planes()
    result = controller.current.result(Role.SEGMENTATION).data
    assert (result[:, :, 60:] == 2).mean() > 0.8


def test_applying_can_be_cancelled(viewer, two_phases, paint_both, stepped):
    controller = Controller(viewer, stepped)
    viewer.add_image(np.stack([two_phases(seed=seed) for seed in range(6)]))
    stepped.run()
    paint_both(controller)
    stepped.run()
    applying = Applying(controller)
    applying.to_all_planes()
    for _ in range(3):
        stepped.step()
    applying.cancel()
    stepped.run()
    assert applying.progress is None
    assert not controller.current.result(Role.SEGMENTATION).data[-1].any()


def test_there_must_be_something_to_apply(controller, painted, viewer):
    with pytest.raises(ProbeError, match="No other image"):
        Applying(painted).to_other_images()
    painted.current.labels.undo()
    with pytest.raises(ProbeError, match="nothing to apply"):
        Applying(painted).to_all_planes()


def test_unsure_places_are_apart_in_order_and_not_where_strokes_are():
    uncertainty = np.zeros((200, 200))
    uncertainty[32:48, 32:48], uncertainty[160:176, 160:176], uncertainty[32:48, 160:176] = 0.9, 0.7, 1.0
    painted = np.zeros((200, 200), np.uint8)
    painted[40, 165] = 1
    places = unsure_places(uncertainty, painted, count=2)
    assert [uncertainty[place] for place in places] == [0.9, 0.7]


def test_a_sure_image_has_no_unsure_place():
    assert unsure_places(np.zeros((50, 60))) == []


def test_the_tour_goes_from_one_unsure_place_to_the_next(painted, viewer):
    painted.show(Show.UNCERTAINTY)
    uncertainty = painted.current.result(Role.UNCERTAINTY).data
    tour, visited = UnsureTour(painted), []
    for _ in range(2):
        tour.next()
        visited.append(tuple(int(x) for x in viewer.scene.camera.center[-2:]))
    assert visited[0] != visited[1]
    row, column = visited[0]
    nearby = uncertainty[max(0, row - 8) : row + 8, max(0, column - 8) : column + 8]
    assert nearby.mean() > np.percentile(uncertainty, 75)


@pytest.mark.parametrize("look", [Role.PCA, Role.CLUSTERS])
def test_a_look_takes_the_place_of_the_segmentation_and_gives_it_back(painted, look):
    explorer = Explorer(painted)
    explorer.begin(look)
    shown = painted.current.result(look)
    assert shown.visible
    assert shown.data.shape[:2] == (96, 96)
    left, right = shown.data[20:80, 10:30].mean((0, 1)), shown.data[20:80, 66:86].mean((0, 1))
    assert np.abs(left - right).max() > 0.2, "the two phases look different"
    assert not any(painted.current.result(role).visible for role in RESULT_ROLES if painted.current.result(role))
    explorer.end()
    assert painted.current.result(Role.SEGMENTATION).visible
    assert not shown.visible


def test_choosing_a_result_ends_the_look(painted):
    explorer = Explorer(painted)
    explorer.begin(Role.PCA)
    painted.show(painted.live.show)
    assert explorer.look is None
    assert not painted.current.result(Role.PCA).visible


def test_a_click_shows_what_is_similar_and_a_drag_does_not(painted, viewer):
    explorer = Explorer(painted)
    explorer.begin(Role.SIMILARITY)
    assert painted.current.labels.mode == "pan_zoom"
    (pick,) = viewer.mouse_drag_callbacks[-1:]
    _click(pick, viewer, (48, 80), "mouse_move")
    assert painted.current.result(Role.SIMILARITY) is None
    _click(pick, viewer, (48, 80), "mouse_release")
    similarity = painted.current.result(Role.SIMILARITY).data
    assert similarity[48, 80] == pytest.approx(1, abs=1e-3)
    assert similarity[:, 60:].mean() > similarity[:, :36].mean() + 0.5
    explorer.end()
    assert painted.current.labels.mode == "paint"
    assert pick not in viewer.mouse_drag_callbacks


def _click(callback, viewer, position, then):
    event = type("Event", (), {"position": position, "type": "mouse_press"})()
    steps = callback(viewer, event)
    next(steps)
    event.type = then
    next(steps, None)


def test_attention_is_offered_only_where_there_is_any(painted):
    assert not Explorer(painted).has_attention


def test_a_look_follows_to_another_plane_in_the_same_colours(controller, viewer, two_phases):
    viewer.add_image(np.stack([two_phases(), 255 - two_phases()]))
    explorer = Explorer(controller)
    explorer.begin(Role.PCA)
    layer = controller.current.result(Role.PCA)
    first = layer.data.copy()
    viewer.dims.set_point(0, 1)
    np.testing.assert_allclose(layer.data[20:80, 10:30].mean((0, 1)), first[20:80, 66:86].mean((0, 1)), atol=0.1)


def test_there_must_be_features_to_look_at(controller):
    with pytest.raises(FieldError, match="open an image"):
        Explorer(controller).begin(Role.PCA)
