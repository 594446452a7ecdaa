"""`patchfield objects`, run as a user runs it."""

import csv
from pathlib import Path

import numpy as np
import pytest

from patchfield.images import Calibration, read_label_stack, read_provenance, write_image, write_labels
from patchfield.images.colors import LabelClass
from tests.cli.conftest import run

CALIBRATION = Calibration(0.5, 0.25, "µm")
CLASSES = {1: LabelClass("matrix", "#4aa8ff"), 2: LabelClass("pore", "#ffb000")}


def segmentation(count: int = 2) -> np.ndarray:
    """Class 1 with squares of class 2, four pixels wide; the first one touches the edge."""
    labels = np.ones((40, 60), np.uint8)
    for number in range(count):
        labels[5:9, 10 * number : 10 * number + 4] = 2
    return labels


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def results(tmp_path) -> Path:
    """Two segmentations as `patchfield segment` writes them."""
    for name, count in {"a": 2, "b": 4}.items():
        file = tmp_path / "results" / f"{name}_segmentation.tif"
        write_labels(file, segmentation(count), CALIBRATION, classes=CLASSES)
    return tmp_path / "results"


def test_instances_and_one_table_of_all(results, tmp_path, capsys):
    assert run("objects", results, "--class", "pore", "-o", tmp_path / "out") == 0
    shown = capsys.readouterr().out
    assert "2 of 2 images measured" in shown
    rows = rows_of(tmp_path / "out" / "objects.csv")
    assert [(row["image"], row["object"]) for row in rows] == [
        ("a", "1"),
        ("a", "2"),
        *(("b", str(n)) for n in range(1, 5)),
    ]
    assert {row["area (px)"] for row in rows} == {"16"}
    assert {row["area (µm²)"] for row in rows} == {"2"}
    assert [row["border"] for row in rows[:2]] == ["1", "0"]
    assert {(row["label"], row["name"], row["made with"]) for row in rows} == {("2", "pore", "objects --class pore")}
    instances = read_label_stack(tmp_path / "out" / "b_objects.tif", max_classes=None)
    assert (instances.calibration.height, instances.calibration.width) == (0.5, 0.25)
    assert np.bincount(instances.values.ravel()).tolist() == [40 * 60 - 64, 16, 16, 16, 16]
    assert read_provenance(tmp_path / "out" / "b_objects.tif")["image"] == "../results/b_segmentation.tif"


def test_results_that_are_there_stay_and_other_settings_need_overwrite(results, tmp_path, capsys):
    command = ("objects", results, "--class", "2", "-o", results)  # beside the segmentations
    assert run(*command) == 0
    before = (results / "a_objects.tif").stat().st_mtime_ns
    assert run(*command) == 0
    assert "had been measured in the same way" in capsys.readouterr().out
    assert (results / "a_objects.tif").stat().st_mtime_ns == before
    assert run(*command, "--exclude-border") == 1
    assert "other settings" in capsys.readouterr().err
    assert run(*command, "--exclude-border", "--overwrite") == 0
    assert [row["image"] for row in rows_of(results / "objects.csv")] == ["a", "b", "b", "b"]
    (results / "objects.csv").unlink()
    assert run(*command, "--exclude-border") == 0
    assert len(rows_of(results / "objects.csv")) == 4


def test_one_file_that_fails_leaves_the_others(results, tmp_path, capsys):
    (results / "a_segmentation.tif").write_bytes(b"no picture")
    assert run("objects", results, "--class", "pore", "-o", tmp_path / "out") == 1
    assert "a_segmentation.tif" in capsys.readouterr().err
    assert {row["image"] for row in rows_of(tmp_path / "out" / "objects.csv")} == {"b"}


def test_every_option_does_something(tmp_path):
    labels = np.ones((60, 90), np.uint8)
    rows, columns = np.mgrid[:60, :90]
    for row, column, radius in ((20, 25, 10), (20, 44, 10), (45, 70, 8)):
        labels[np.hypot(rows - row, columns - column) < radius] = 2
    labels[45, 70], labels[50, 5] = 1, 2  # a hole, and a speck
    write_labels(tmp_path / "a.png", labels)

    def measured(*options: str) -> list[dict[str, str]]:
        assert run("objects", tmp_path / "a.png", "--class", "2", "-o", tmp_path / "out", "--overwrite", *options) == 0
        return rows_of(tmp_path / "out" / "objects.csv")

    plain = measured()
    assert len(plain) == 3
    assert len(measured("--split")) == 4
    assert len(measured("--split", "--neck", "0.1")) == 3
    assert len(measured("--min-size", "5")) == 2
    assert len(measured("--smooth", "2")) == 2
    filled = measured("--fill-holes")
    assert sum(float(row["area (px)"]) for row in filled) == sum(float(row["area (px)"]) for row in plain) + 1
    assert filled[0]["made with"] == "objects --class 2 --fill-holes"
    measured("--plot")
    assert read_provenance(tmp_path / "out" / "a_sizes.png")["image"] == "../a.png"


def test_results_beside_masks_of_any_name_are_no_masks(tmp_path):
    write_labels(tmp_path / "mask_1.png", segmentation())
    write_labels(tmp_path / "mask_2.png", segmentation())
    for _ in range(2):
        assert run("objects", tmp_path, "--class", "2", "-o", tmp_path, "--plot") == 0
    made = {f"mask_{number}_{what}" for number in (1, 2) for what in ("objects.tif", "sizes.png")}
    assert {file.name for file in tmp_path.iterdir()} == {"mask_1.png", "mask_2.png", "objects.csv", *made}


def test_intensities_are_those_of_the_image_of_the_same_name_plane_by_plane(tmp_path, capsys):
    stack = np.stack([segmentation(1), segmentation(2), segmentation(1)])
    write_labels(tmp_path / "r" / "a_segmentation.tif", stack, CALIBRATION, "Z", CLASSES)
    image = np.arange(3, dtype=np.uint8)[:, None, None] * np.ones(stack.shape, np.uint8)
    write_image(tmp_path / "i" / "a.tif", image, CALIBRATION, "Z")
    write_image(tmp_path / "i" / "b.tif", image, CALIBRATION, "Z")
    write_labels(tmp_path / "p" / "a_mask.png", segmentation(1))  # does not say how large a pixel is
    write_image(tmp_path / "p" / "a.tif", image[0], CALIBRATION)
    options = ("--class", "2", "--intensity", tmp_path / "p" / "a.tif", "-o", tmp_path / "plane")
    assert run("objects", tmp_path / "p" / "a_mask.png", *options) == 0
    assert rows_of(tmp_path / "plane" / "objects.csv")[0]["area (µm²)"] == "2"
    command = ("objects", tmp_path / "r", "--class", "pore", "--intensity", tmp_path / "i")
    assert run(*command, "-o", tmp_path / "out") == 0
    rows = rows_of(tmp_path / "out" / "objects.csv")
    assert [(row["plane"], row["mean intensity"]) for row in rows] == [("0", "0"), ("1", "1"), ("1", "1"), ("2", "2")]
    assert run(*command, "--volume", "-o", tmp_path / "body") == 0
    assert [row["volume (px)"] for row in rows_of(tmp_path / "body" / "objects.csv")] == ["48", "16"]
    write_labels(tmp_path / "r" / "c_segmentation.tif", segmentation(), CALIBRATION, classes=CLASSES)
    assert run(*command, "-o", tmp_path / "out") == 1
    assert "c_segmentation.tif has no image" in capsys.readouterr().err


def test_a_class_that_is_not_there_is_said_with_those_that_are(results, tmp_path, capsys):
    assert run("objects", results, "--class", "void", "-o", tmp_path / "out") == 1
    assert "its classes are 1 (matrix), 2 (pore)" in capsys.readouterr().err


def test_no_input_and_no_foreign_file_is_replaced(results, tmp_path, capsys):
    foreign = results / "a_objects.tif"
    foreign.write_bytes(b"mine")
    assert run("objects", results, "--class", "pore", "-o", results) == 1
    assert foreign.read_bytes() == b"mine"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "objects.csv").write_text("my,own\n1,2\n")
    assert run("objects", results, "--class", "pore", "-o", tmp_path / "out") == 1
    assert "stands in the way" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [("--neck", "0.5"), ("--split", "--neck", "2"), ("--axes", "CYX"), ("--smooth", "5000"), ("--class", "")]
)
def test_arguments_that_make_no_sense_leave_with_2(results, tmp_path, options):
    assert run("objects", results, "--class", "pore", "-o", tmp_path / "out", *options) == 2
    assert not (tmp_path / "out").exists()
