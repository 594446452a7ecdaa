"""Results as OME-Zarr, and of images at another magnification: the command line, and what other programs read."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from patchfield.atomic import atomic_folder
from patchfield.batch.job import Job
from patchfield.batch.segmentation import segment_with_probe
from patchfield.cli import main
from patchfield.errors import ImageError
from patchfield.field import FeatureRecipe
from patchfield.images import (
    ArrayStack,
    Calibration,
    plane_indices,
    read_image,
    read_label_stack,
    read_provenance,
    write_image,
    write_labels,
    write_map,
)
from patchfield.pipeline import Extractor
from patchfield.probe import ClassInfo, LinearProbe
from patchfield.probe.planes import LabelledPlane, PlaneTask, segment_planes, train_probe

EXTRACTOR = FeatureRecipe("filters", "fast")


def halves(rows: int, columns: int, *lengths: int) -> np.ndarray:
    noise = np.random.default_rng(rows).normal(0, 5, (*lengths, rows, columns))
    return (np.where(np.arange(columns) < columns // 2, 60, 180) + noise).astype(np.uint8)


@pytest.fixture(scope="module")
def probe_file(tmp_path_factory) -> Path:
    """A probe of an image with pixels of 10 nm."""
    labels = np.zeros((48, 64), np.uint8)
    labels[20:24, 4:20], labels[20:24, 44:60] = 1, 2
    stack = ArrayStack(halves(48, 64), "YX", calibration=Calibration(10, 10, "nm"))
    classes = {1: ClassInfo("pore", "#102030"), 2: ClassInfo("solid", "#ff8000")}
    path = tmp_path_factory.mktemp("probe") / "a.probe"
    train_probe([LabelledPlane(stack, (), labels)], Extractor.load(EXTRACTOR), classes).save(path)
    return path


def run(*arguments: object) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    assert end.value.code == 0


def test_a_stack_as_ome_zarr_keeps_axes_scale_names_and_colours(probe_file, tmp_path):
    image = tmp_path / "stack.tif"
    write_image(image, halves(48, 64, 3), Calibration(10, 10, "nm", interval=2.0), "T")
    options = ("--probe", probe_file, "--format", "ome-zarr", "--probabilities", "-o", tmp_path / "out")
    run("segment", image, *options)
    path = tmp_path / "out" / "stack_segmentation.ome.zarr"
    attributes = json.loads((path / ".zattrs").read_text())
    assert [axis["name"] for axis in attributes["multiscales"][0]["axes"]] == ["t", "y", "x"]
    assert attributes["image-label"]["properties"] == [
        {"label-value": 1, "name": "pore"},
        {"label-value": 2, "name": "solid"},
    ]
    assert attributes["image-label"]["colors"][1] == {"label-value": 2, "rgba": [255, 128, 0, 255]}
    labels = read_label_stack(path)
    assert (labels.axes, labels.values.shape, labels.classes[1].name) == ("T", (3, 48, 64), "pore")
    assert labels.calibration == Calibration(10, 10, "nm", interval=2.0)
    assert read_image(tmp_path / "out" / "stack_probability.ome.zarr", axes="TCYX").channels == 2
    written = {file: file.stat().st_mtime_ns for file in path.rglob("*")}
    run("segment", tmp_path, *options)
    assert {file: file.stat().st_mtime_ns for file in path.rglob("*")} == written, "it was there already"
    write_labels(path, np.ones((3, 48, 64), np.uint8), axes="T")
    assert (read_label_stack(path).values == 1).all()
    assert not list(path.parent.glob(".patchfield-*"))


def test_a_folder_is_written_whole_or_not_at_all(tmp_path):
    write_map(tmp_path / "a.ome.zarr", np.ones((2, 8, 8), np.float32))
    write = atomic_folder(tmp_path / "a.ome.zarr")
    (write.__enter__() / "half").touch()
    error = OSError(28, "No space left on device")
    with pytest.raises(OSError, match=r"No space.*a\.ome\.zarr"):
        write.__exit__(OSError, error, None)
    assert [path.name for path in tmp_path.iterdir()] == ["a.ome.zarr"]
    assert read_provenance(tmp_path / "a.ome.zarr") == {}
    with pytest.raises(ImageError, match=r"images as \.tif"):
        write_image(tmp_path / "b.ome.zarr", np.ones((8, 8), np.uint8))


def test_an_image_of_another_magnification_is_resampled_as_in_a_script(probe_file, tmp_path):
    image, probe = tmp_path / "large.tif", LinearProbe.load(probe_file)
    write_image(image, halves(96, 128), Calibration(5, 5, "nm"))
    run("segment", image, "--probe", probe_file, "--resample", "-o", tmp_path / "out")
    stack, extractor = read_image(image), Extractor.load(probe.recipes)
    settings = probe.pixel_size_mismatch(stack.calibration).settings(extractor.recipes[0].image)
    assert settings.zoom == 0.5
    [index] = plane_indices(stack)
    *_, last = segment_planes([PlaneTask(stack, index, settings=settings)], probe, extractor)
    written = tifffile.imread(tmp_path / "out" / "large_segmentation.tif")
    np.testing.assert_array_equal(written, last.labels)
    *_, other = segment_planes([PlaneTask(stack, index)], probe, extractor)
    assert (written != other.labels).any()
    job = Job((image,), tmp_path / "out")
    results = segment_with_probe(job, probe, extractor, lambda file, step: None, probe_file)
    assert "another magnification" in results.failures.sentences[image]
