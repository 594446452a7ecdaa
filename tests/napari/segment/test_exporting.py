"""What is saved is of one probe, whole, named after the images, and what the command line makes."""

import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile

from patchfield.batch.areas import AreaTable
from patchfield.cli import main
from patchfield.errors import LabelError, OutputError, error_sentence
from patchfield.images import read_image, read_label_stack, write_labels
from patchfield.napari.controller import Controller
from patchfield.napari.layers import Role
from patchfield.napari.segment.folder import FolderOrder
from patchfield.napari.session.results import ResultState
from patchfield.probe import LinearProbe


@pytest.fixture
def stack(controller, two_phases, paint_both):
    """Three planes, the first of which is painted and segmented."""
    planes = np.stack([two_phases(seed=seed) for seed in range(3)])
    controller.viewer.add_image(planes, name="steel", axis_labels=("t", "y", "x"))
    controller.viewer.dims.set_current_step(0, 0)
    paint_both(controller)
    return controller


def by_probe(controller) -> np.ndarray:
    """All planes, segmented outside of the window."""
    source, probe = controller.current.source, controller.live.probe
    extractor = controller.features.extractor.seen_with(source.settings)
    return np.stack([probe.segment(extractor.field(source, index)) for index in source.indices()])


def test_missing_planes_are_segmented_before_a_stack_is_saved(stack, tmp_path):
    stack.files.save_segmentation(tmp_path / "all.tif")
    saved = tifffile.imread(tmp_path / "all.tif")
    np.testing.assert_array_equal(saved, by_probe(stack))
    assert stack.results.state(stack.current.source) is ResultState.CURRENT
    assert stack.files.exporting.progress is None


def test_outdated_planes_are_never_saved_beside_new_ones(stack, stroke, tmp_path):
    stack.applying.to_all_planes()
    stroke(stack, 1, 48, 62)
    assert stack.results.state(stack.current.source) is ResultState.OUTDATED
    mixture = stack.current.result(Role.SEGMENTATION).data.copy()
    stack.files.save_segmentation(tmp_path / "all.ome.zarr")
    saved = read_label_stack(tmp_path / "all.ome.zarr").values
    np.testing.assert_array_equal(saved, by_probe(stack))
    assert (saved != mixture).any()


def test_what_is_painted_while_it_is_saved_changes_nothing_of_the_file(
    viewer, two_phases, paint_both, stroke, stepped, tmp_path
):
    controller = Controller(viewer, stepped)
    viewer.add_image(np.stack([two_phases(seed=seed) for seed in range(3)]), name="steel")
    stepped.run()
    paint_both(controller)
    stepped.run()
    expected = by_probe(controller)
    controller.files.save_segmentation(tmp_path / "all.tif")
    stroke(controller, 1, 48, 70)
    stepped.run()
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "all.tif"), expected)
    controller.close()


def test_cancelled_nothing_is_written(viewer, two_phases, paint_both, stepped, tmp_path):
    controller = Controller(viewer, stepped)
    viewer.add_image(np.stack([two_phases(seed=seed) for seed in range(3)]), name="steel")
    stepped.run()
    paint_both(controller)
    stepped.run()
    controller.files.save_segmentation(tmp_path / "all.tif")
    stepped.step()
    controller.files.exporting.cancel()
    stepped.run()
    assert not list(tmp_path.iterdir())
    controller.close()


def test_probabilities_are_of_all_planes(stack, tmp_path):
    stack.files.save_probabilities(tmp_path / "maps.tif")
    maps = read_image(tmp_path / "maps.tif")
    assert (maps.axes, maps.lengths, maps.channels) == ("T", (3,), 2)
    np.testing.assert_array_equal(np.asarray(maps.pixels_at((2,))[...]).argmax(-1) + 1, by_probe(stack)[2])
    with pytest.raises(LabelError, match="choose TIFF or OME-Zarr"):
        stack.files.save_probabilities(tmp_path / "maps.png")


def test_a_time_lapse_of_stacks_stays_one(controller, two_phases, paint_both, tmp_path):
    planes = np.stack([two_phases(seed=seed) for seed in range(4)]).reshape(2, 2, 96, 96)
    controller.viewer.add_image(planes, axis_labels=("t", "z", "y", "x"))
    paint_both(controller)
    controller.files.save_segmentation(tmp_path / "all.tif")
    assert (read_image(tmp_path / "all.tif").axes, read_image(tmp_path / "all.tif").lengths) == ("TZ", (2, 2))


def test_all_open_images_are_saved_under_their_names_with_one_table(painted, two_phases, tmp_path):
    painted.viewer.add_image(two_phases(seed=3), name="a:b")
    painted.viewer.add_image(two_phases(seed=4), name="a/b")
    painted.files.save_all(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a_b_2_segmentation.tif", "a_b_segmentation.tif", "areas.csv", "steel_segmentation.tif"]
    saved = tifffile.imread(tmp_path / "a_b_segmentation.tif")
    counted = {
        row["label"]: int(row["pixels"]) for row in AreaTable(tmp_path / "areas.csv").rows() if row["image"] == "a_b"
    }
    assert counted == {str(value): (saved == value).sum() for value in (1, 2)}
    painted.files.save_all(tmp_path)
    tifffile.imwrite(tmp_path / "steel_segmentation.tif", saved)
    with pytest.raises(OutputError, match="not written by Patchfield"):
        painted.files.save_all(tmp_path)


@pytest.mark.usefixtures("napari_readers")
def test_what_the_window_saves_the_command_line_takes_for_its_own(controller, two_phases, paint_both, tmp_path):
    tifffile.imwrite(tmp_path / "scan.tif", two_phases())
    controller.viewer.open(str(tmp_path / "scan.tif"), plugin="napari")
    paint_both(controller)
    out = tmp_path / "out"
    controller.files.save_all(out)
    controller.files.save_probe(out / "a")
    assert LinearProbe.load(out / "a.probe").fingerprint == controller.files.named_probe().fingerprint
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(SystemExit) as end:
        main(["segment", str(tmp_path / "scan.tif"), "--probe", str(out / "a.probe"), "-o", str(out)])
    assert end.value.code == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_endings_are_appended_but_nothing_is_replaced_unasked(painted, tmp_path):
    painted.files.save_segmentation(tmp_path / "steel.v2")
    painted.files.save_areas(tmp_path / "areas")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["areas.csv", "steel.v2.tif"]
    with pytest.raises(LabelError, match="choose that name itself"):
        painted.files.save_segmentation(tmp_path / "steel.v2")


def test_a_full_disk_is_said_in_a_sentence_and_leaves_what_was_there(painted, tmp_path):
    reported = []
    painted.on_error = reported.append
    painted.files.save_segmentation(tmp_path / "a.tif")
    before = (tmp_path / "a.tif").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
    try:
        painted.files.save_segmentation(tmp_path / "a.tif")
        painted.files.save_probabilities(tmp_path / "maps.ome.zarr")
        painted.files.save_probe(tmp_path / "a.probe")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert len(reported) == 3
    assert all(error_sentence(error) for error in reported), "sentences, no tracebacks"
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]
    assert (tmp_path / "a.tif").read_bytes() == before


def test_a_folder_that_cannot_be_written_to_is_said_in_a_sentence(painted, tmp_path):
    reported = []
    painted.on_error = reported.append
    (tmp_path / "file").touch()
    for save in (painted.files.save_segmentation, painted.files.save_probabilities, painted.files.save_labels):
        save(tmp_path / "file" / "a.tif")
    assert len(reported) == 3
    assert all(error_sentence(error) for error in reported)
    with pytest.raises(OutputError, match="is a file: give another folder"):
        painted.files.save_all(tmp_path / "file")
    painted.folder.start(FolderOrder(tmp_path, tmp_path / "out"), painted.files.named_probe())
    assert error_sentence(reported[-1])
    assert painted.folder.progress is painted.files.exporting.progress is None
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_killed_while_it_writes_a_file_is_the_old_or_the_new_one(tmp_path):
    path = tmp_path / "labels.tif"
    write_labels(path, np.ones((64, 64), np.uint8))
    code = (
        "import numpy as np; from pathlib import Path; from patchfield.images import write_labels\n"
        "values = np.random.default_rng(0).integers(0, 200, (8, 512, 512)).astype(np.uint8); print(flush=True)\n"
        f"while True: write_labels(Path({str(path)!r}), values, axes='Z')"
    )
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    writer.stdout.readline()
    while not list(tmp_path.glob(".patchfield-*")):
        time.sleep(0.001)
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    assert read_label_stack(path).values.shape in ((64, 64), (8, 512, 512))
