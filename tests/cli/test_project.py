"""`patchfield project`, run as a user runs it."""

import shutil

import numpy as np
import pytest

from patchfield.images import read_image, read_label_stack, read_labels, write_image
from patchfield.store import Project
from tests.cli.conftest import CALIBRATION, picture, run, truth

FILTERS = ("-b", "filters", "--sampling", "fast")


@pytest.fixture
def project(scans, tmp_path):
    """A project of three images, one of them painted."""
    assert run("project", "new", tmp_path / "s.patchfield", scans, "--labels", tmp_path / "labels", *FILTERS) == 0
    return tmp_path / "s.patchfield"


def test_a_project_does_what_segment_does(project, scans, tmp_path, capsys):
    assert run("project", "fit", project, "--save-probe", tmp_path / "p.probe") == 0
    assert run("project", "segment", project, "-o", tmp_path / "out") == 0
    assert "3 of 3 images segmented" in capsys.readouterr().out
    assert run("segment", scans, "--probe", tmp_path / "p.probe", "-o", tmp_path / "same") == 0
    for name in "abc":
        result = tmp_path / "out" / f"{name}_segmentation.tif"
        assert read_image(result).calibration == CALIBRATION
        assert (read_labels(result) == truth()).mean() > 0.9
        np.testing.assert_array_equal(read_labels(tmp_path / "same" / result.name), read_labels(result))
    with Project.open(project) as opened:
        np.testing.assert_array_equal(opened.segment(scans / "b.tif"), read_labels(tmp_path / "out/b_segmentation.tif"))


def test_images_seen_in_two_ways_are_segmented_in_one_run(project, scans, tmp_path):
    write_image(tmp_path / "two.tif", np.stack([picture(1)[:, ::-1], picture()]), axes="C")
    assert run("project", "add", project, tmp_path / "two.tif", "--channels", "1") == 0
    write_image(tmp_path / "other.png", picture(7))
    assert run("project", "fit", project) == 0
    assert run("project", "segment", project, "-o", tmp_path / "out") == 0
    assert run("project", "segment", project, tmp_path / "other.png", "-o", tmp_path / "out") == 0
    for name in ("a", "two", "other"):
        assert (read_labels(tmp_path / "out" / f"{name}_segmentation.tif") == truth()).mean() > 0.9


def test_info_tells_what_there_is_and_changes_nothing(project, scans, capsys):
    capsys.readouterr()
    (scans / "b.tif").unlink()
    with Project.open(project):  # the window has it open
        assert run("project", "info", project) == 0
    said = capsys.readouterr().out
    assert "filters, fast" in said
    assert "1 planes, 128 pixels" in said
    assert "missing:" in said


def test_labels_come_in_and_go_out(project, scans, tmp_path, capsys):
    assert run("project", "labels", project, tmp_path / "masks") == 0
    assert run("project", "export", project, "-o", tmp_path / "out") == 0
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [f"{name}_strokes.tif" for name in "abc"]
    exported = read_label_stack(tmp_path / "out" / "a_strokes.tif")
    np.testing.assert_array_equal(exported.values, truth())
    assert (exported.calibration, exported.classes[2].name) == (CALIBRATION, "class 2")
    assert run("project", "export", project, "-o", tmp_path / "out") == 0
    write_image(tmp_path / "mine" / "a_strokes.tif", picture())
    assert run("project", "export", project, "-o", tmp_path / "mine") == 1
    assert "no export of this project" in capsys.readouterr().err


def test_moved_images_are_found_again(project, scans, tmp_path, capsys):
    shutil.move(scans, tmp_path / "moved")
    assert run("project", "fit", project) == 1
    assert "a.tif; relocate them" in capsys.readouterr().err
    write_image(tmp_path / "moved" / "c.tif", picture(8))
    assert run("project", "relocate", project, tmp_path / "moved") == 1
    assert "c.tif is missing and not in" in capsys.readouterr().err
    assert run("project", "relocate", project, tmp_path / "moved", "--accept") == 0
    assert run("project", "fit", project) == 0


def test_errors_are_one_sentence_and_leave_nothing_behind(project, scans, tmp_path, capsys):
    new = tmp_path / "new.patchfield"
    (tmp_path / "bad.tif").write_bytes(b"no image")
    assert run("project", "new", new, scans, tmp_path / "bad.tif", *FILTERS) == 1
    assert not new.exists()
    assert run("project", "segment", project, "-o", tmp_path / "out") == 1
    assert run("project", "new", project, scans) == 1
    assert run("project", "info", scans) == 1
    with Project.open(project):
        assert run("project", "fit", project) == 1
    lines = capsys.readouterr().err.splitlines()
    expected = ("bad.tif", "has no probe yet", "is there already", "is no project", "open in another window")
    assert all(part in line for part, line in zip(expected, lines, strict=True))
    assert run("project", "new", "", scans) == 2
