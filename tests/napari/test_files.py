"""Labels, segmentations, probabilities in and out."""

import numpy as np
import pytest
import tifffile

from patchfield.errors import LabelError, ProbeError
from patchfield.images import read_labels
from patchfield.napari.files import Files
from patchfield.napari.layers import Role


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
    with pytest.raises(Exception, match="give the labels that were painted on this image"):
        Files(painted).load_labels(tmp_path / "other.tif")


def test_nothing_painted_is_nothing_to_save(controller, tmp_path):
    with pytest.raises(ProbeError, match="no probe yet"):
        Files(controller).save_probe(tmp_path / "empty.probe")
    with pytest.raises(LabelError, match="no image"):
        Files(controller).save_labels(tmp_path / "labels.tif")
    assert not list(tmp_path.iterdir())
