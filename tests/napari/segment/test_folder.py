"""A folder of files through the window's probe: what the command line makes, resumable, stopped at any time."""

import shlex

import numpy as np
import pytest
import tifffile

from patchfield.cli import main
from patchfield.errors import OutputError, ProbeError
from patchfield.images import read_labels
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.segment.folder import FolderOrder, summary


@pytest.fixture
def order(two_phases, tmp_path):
    (tmp_path / "scans").mkdir()
    for number in range(3):
        tifffile.imwrite(tmp_path / "scans" / f"{number}.tif", two_phases(seed=number + 1))
    return FolderOrder(tmp_path / "scans", tmp_path / "out")


def run(controller: Controller, order: FolderOrder):
    """What came of it."""
    came = []
    controller.folder.finished.connect(came.append)
    controller.folder.start(order, controller.files.named_probe())
    controller.folder.finished.disconnect(came.append)
    return came[0] if came else None


def test_the_command_that_is_shown_makes_the_same_files(painted, order, tmp_path):
    results = run(painted, order)
    assert [path.name for path in results.finished] == ["0.tif", "1.tif", "2.tif"]
    assert summary(results, order.output).startswith("3 images segmented")
    made = {path.name: path.read_bytes() for path in order.output.iterdir() if path.suffix == ".tif"}
    again = tmp_path / "again"
    words = shlex.split(order.command)
    with pytest.raises(SystemExit) as end:
        main([str(again) if word == str(order.output) else word for word in words[1:]])
    assert end.value.code == 0
    for name in made:
        np.testing.assert_array_equal(read_labels(again / name), read_labels(order.output / name))


def test_what_this_probe_has_finished_is_left_and_what_is_missing_is_made(painted, order):
    run(painted, order)
    (order.output / "1_segmentation.tif").unlink()
    before = (order.output / "0_segmentation.tif").stat().st_mtime_ns
    results = run(painted, order)
    assert [path.name for path in results.finished] == ["1.tif"]
    assert len(results.earlier) == 2
    assert (order.output / "0_segmentation.tif").stat().st_mtime_ns == before


def test_results_of_another_probe_are_replaced_only_when_that_is_asked_for(painted, order, stroke):
    run(painted, order)
    before = {path.name: path.read_bytes() for path in order.output.iterdir()}
    stroke(painted, 1, 48, 62)
    with pytest.raises(OutputError, match=r"another probe.*--overwrite"):
        raise_inner(painted, order)
    assert {path.name: path.read_bytes() for path in order.output.iterdir()} == before
    replacing = FolderOrder(order.images, order.output, overwrite=True)
    assert len(run(painted, replacing).finished) == 3


def raise_inner(controller: Controller, order: FolderOrder) -> None:
    reported = []
    controller.on_error = reported.append
    run(controller, order)
    raise reported[0]


def test_a_file_that_fails_is_said_and_the_others_are_finished(painted, order):
    (order.images / "1.tif").write_bytes(b"no image")
    results = run(painted, order)
    assert len(results.finished) == 2
    assert "1 failed, the first:" in summary(results, order.output)
    (order.images / "0.tif").unlink()
    assert painted.folder.progress is None


def test_stopped_it_ends_at_the_next_step_and_goes_on_later(viewer, two_phases, paint_both, stepped, order):
    controller = Controller(viewer, stepped)
    viewer.add_image(two_phases(), name="steel")
    stepped.run()
    paint_both(controller)
    stepped.run()
    controller.folder.start(order, controller.files.named_probe())
    while "1 of 3 images" not in str(controller.folder.progress):
        stepped.step()
    controller.folder.cancel()
    stepped.run()
    assert (order.output / "0_segmentation.tif").exists()
    assert not (order.output / "2_segmentation.tif").exists()
    assert not [path for path in order.output.iterdir() if path.name.startswith(".patchfield-")]
    came = []
    controller.folder.finished.connect(came.append)
    controller.folder.start(order, controller.files.named_probe())
    stepped.run()
    assert "0.tif" in [path.name for path in came[0].earlier]
    controller.close()


def test_nothing_is_begun_without_a_probe(order):
    from napari.components import ViewerModel

    controller = Controller(ViewerModel(), InlineRunner())
    with pytest.raises(ProbeError, match="no probe yet"):
        controller.files.named_probe()
    assert not order.output.exists()
