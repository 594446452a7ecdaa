"""Labels, segmentations, probabilities in and out."""

import numpy as np
import pytest
import tifffile

from patchfield.errors import LabelError, ProbeError
from patchfield.images import Calibration, read_image, read_labels
from patchfield.napari.files import Files
from patchfield.napari.layers import Role
from patchfield.probe import ClassInfo


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


def test_labels_of_a_file_are_learned_from_and_undone_in_one_step(painted, tmp_path):
    files = Files(painted)
    files.save_labels(tmp_path / "labels.tif")
    painted.current.labels.paint((10, 10), 5)
    before = painted.current.labels.data.copy()
    files.load_labels(tmp_path / "labels.tif")
    assert 5 not in painted.current.labels.data
    assert set(painted.live.probe.values) == {1, 2}
    painted.current.labels.undo()
    np.testing.assert_array_equal(painted.current.labels.data, before)
    assert set(painted.live.probe.values) == {1, 2, 5}


def test_labels_of_another_image_are_refused(painted, tmp_path):
    tifffile.imwrite(tmp_path / "other.tif", np.ones((10, 10), np.uint8))
    with pytest.raises(Exception, match="give the labels that were painted on this image"):
        Files(painted).load_labels(tmp_path / "other.tif")


def test_nothing_painted_is_nothing_to_save(controller, tmp_path):
    with pytest.raises(ProbeError, match="no probe yet"):
        Files(controller).save_probe(tmp_path / "empty.probe")
    with pytest.raises(LabelError, match="no image"):
        Files(controller).save_labels(tmp_path / "labels.tif")
    with pytest.raises(LabelError, match="no areas yet"):
        Files(controller).save_areas(tmp_path / "areas.csv")
    assert not list(tmp_path.iterdir())


def test_labels_that_the_layer_cannot_hold_are_refused_and_change_nothing(painted, tmp_path):
    before = painted.current.labels.data.copy()
    labels = np.zeros((96, 96), np.uint16)
    labels[:4], labels[10:14] = 256, 300
    tifffile.imwrite(tmp_path / "labels.tif", labels)
    with pytest.raises(LabelError, match=r"300.*1 to 255"):
        painted.files.load_labels(tmp_path / "labels.tif")
    with pytest.raises(LabelError, match="-1"):
        painted.current.replace_labels(-np.ones((96, 96), int))
    np.testing.assert_array_equal(painted.current.labels.data, before)


def test_labels_are_matched_by_their_axes(controller, viewer, two_phases, tmp_path):
    viewer.add_image(np.zeros((2, 3, 96, 96), np.uint8), axis_labels=("z", "t", "y", "x"))
    labels = np.zeros((3, 2, 96, 96), np.uint8)
    labels[2, 1, :8] = 1
    tifffile.imwrite(tmp_path / "labels.tif", labels, imagej=True, metadata={"axes": "TZYX"})
    controller.files.load_labels(tmp_path / "labels.tif")
    assert list(controller.current.snapshots) == [(1, 2)]


def test_three_planes_of_labels_are_no_colours_and_one_plane_goes_where_one_looks(controller, viewer, tmp_path):
    viewer.add_image(np.zeros((3, 96, 96), np.uint8))
    labels = np.zeros((3, 96, 96), np.uint8)
    labels[0, :8] = 1
    tifffile.imwrite(tmp_path / "three.tif", labels, photometric="rgb", planarconfig="separate")
    controller.files.load_labels(tmp_path / "three.tif")
    assert list(controller.current.snapshots) == [(0,)]
    tifffile.imwrite(tmp_path / "one.tif", labels[0] * 2)
    viewer.dims.set_point(0, 2)
    controller.files.load_labels(tmp_path / "one.tif")
    assert {index: labels.max() for index, labels in controller.current.snapshots.items()} == {(0,): 1, (2,): 2}


def test_names_and_colours_of_classes_come_back_with_the_labels(painted, tmp_path):
    painted.classes.rename(2, "pore")
    painted.classes.recolor(2, "#123456")
    painted.files.save_labels(tmp_path / "labels.tif")
    painted.classes.rename(2, "else")
    painted.files.load_labels(tmp_path / "labels.tif")
    assert painted.classes.infos[2] == ClassInfo("pore", "#123456")


def test_a_movie_stays_a_movie(controller, viewer, two_phases, paint_both, tmp_path):
    movie = np.stack([two_phases(seed=seed) for seed in range(3)])
    viewer.add_image(movie, axis_labels=("t", "y", "x"), scale=(5, 0.25, 0.25), units=("s", "um", "um"))
    paint_both(controller)
    controller.files.save_segmentation(tmp_path / "segmentation.tif")
    read = read_image(tmp_path / "segmentation.tif")
    assert (read.axes, read.lengths) == ("T", (3,))
    assert read.calibration == Calibration(0.25, 0.25, "µm", interval=5.0)


@pytest.mark.usefixtures("napari_readers")
def test_what_is_open_here_is_not_overwritten(controller, viewer, two_phases, paint_both, tmp_path):
    tifffile.imwrite(tmp_path / "image.tif", two_phases())
    viewer.open(str(tmp_path / "image.tif"), plugin="napari")
    paint_both(controller)
    controller.files.save_labels(tmp_path / "labels.tif")
    controller.files.load_labels(tmp_path / "labels.tif")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for path in (tmp_path / "image.tif", tmp_path / "labels.tif"):
        for save in (controller.files.save_segmentation, controller.files.save_labels):
            with pytest.raises(LabelError, match="choose another name"):
                save(path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_probe_that_no_file_can_describe_is_not_saved(painted, viewer, two_phases, paint_both, tmp_path):
    other = viewer.add_image(two_phases(seed=3), name="other")
    painted.select(other)
    paint_both(painted)
    painted.files.save_probe(tmp_path / "alike.probe")
    painted.annotations.set_contrast("minmax")
    with pytest.raises(ProbeError, match="different contrasts or channels"):
        painted.files.save_probe(tmp_path / "mixed.probe")
    painted.annotations.join([other, other, other])
    with pytest.raises(ProbeError, match="several layers"):
        painted.files.save_probe(tmp_path / "joined.probe")
    assert [path.name for path in tmp_path.iterdir()] == ["alike.probe"]


def test_a_refusal_after_reading_is_reported_not_raised(painted, tmp_path):
    reported = []
    painted.files.save_labels(tmp_path / "labels.tif")
    painted.on_error = reported.append
    tifffile.imwrite(tmp_path / "other.tif", np.full((96, 96), 300, np.uint16))
    painted.files.load_labels(tmp_path / "other.tif")
    assert [type(error) for error in reported] == [LabelError]
