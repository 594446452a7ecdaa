"""The command, run as a user runs it, on files."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from patchfield.cli import main
from patchfield.images import Calibration, read_image, read_labels, write_image, write_labels
from patchfield.samples import load_sample

CALIBRATION = Calibration(0.5, 0.5, "µm")


def run(*arguments: str | Path) -> int:
    """The exit code of ``patchfield ARGUMENTS``."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return left.value.code


@pytest.fixture(scope="module")
def alloy():
    return load_sample("alloy")


@pytest.fixture
def scans(tmp_path, alloy) -> Path:
    """Three images of one material, calibrated; the first one has strokes in labels/."""
    for name, corner in {"a": (0, 0), "b": (256, 0), "c": (256, 256)}.items():
        window = tuple(slice(start, start + 256) for start in corner)
        write_image(tmp_path / "scans" / f"{name}.tif", alloy.image[window], CALIBRATION)
        write_labels(tmp_path / "masks" / f"{name}.png", alloy.mask[window])
        if name == "a":
            write_labels(tmp_path / "labels" / "a_strokes.png", alloy.strokes[window])
    return tmp_path / "scans"


def areas(folder: Path) -> list[dict[str, str]]:
    with (folder / "areas.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


class TestSegment:
    def test_strokes_on_one_image_segment_all_and_the_probe_does_the_same(self, scans, tmp_path, capsys):
        labels, out, again = tmp_path / "labels", tmp_path / "out", tmp_path / "again"
        options = ("--labels", labels, "--output", out, "--save-probe", tmp_path / "a.probe", "--probabilities")
        assert run("segment", scans, *options) == 0
        assert "3 of 3 images" in capsys.readouterr().out
        for name in "abc":
            segmentation = read_image(out / f"{name}_segmentation.tif")
            assert segmentation.pixels.dtype == np.uint8
            assert segmentation.calibration == CALIBRATION
            agreement = (segmentation.pixels == read_labels(tmp_path / "masks" / f"{name}.png")).mean()
            assert agreement > 0.8, name
            probabilities = read_image(out / f"{name}_probability.tif").pixels
            np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-4)
            np.testing.assert_array_equal(probabilities.argmax(axis=-1) + 1, segmentation.pixels)
        assert run("segment", scans / "*.tif", "--probe", tmp_path / "a.probe", "--output", again) == 0
        for name in "abc":
            first, second = (read_labels(folder / f"{name}_segmentation.tif") for folder in (out, again))
            np.testing.assert_array_equal(first, second)

    def test_areas_add_up_and_are_physical(self, scans, tmp_path):
        assert run("segment", scans, "--labels", tmp_path / "labels", "-o", tmp_path / "out") == 0
        rows = areas(tmp_path / "out")
        assert [row["image"] for row in rows] == ["a", "a", "b", "b", "c", "c"]
        for image in "ab":
            of_image = [row for row in rows if row["image"] == image]
            assert sum(int(row["pixels"]) for row in of_image) == 256 * 256
            assert sum(float(row["area"]) for row in of_image) == pytest.approx(256 * 256 * 0.25, rel=1e-4)
        assert {row["unit"] for row in rows} == {"µm²"}

    def test_a_second_run_keeps_the_areas_of_other_images(self, scans, tmp_path, capsys):
        options = ("--labels", tmp_path / "labels", "-o", tmp_path / "out", "--sampling", "fast")
        assert run("segment", scans / "a.tif", "--save-probe", tmp_path / "p.probe", *options) == 0
        first = areas(tmp_path / "out")
        assert run("segment", scans / "b.tif", "--probe", tmp_path / "p.probe", "-o", tmp_path / "out") == 0
        both = areas(tmp_path / "out")
        assert both[: len(first)] == first
        assert {row["image"] for row in both} == {"a", "b"}
        assert run("segment", scans / "a.tif", *options) == 0
        assert len(areas(tmp_path / "out")) == len(both)
        (tmp_path / "out" / "areas.csv").write_text("my,own\n1,2\n")
        assert run("segment", scans / "a.tif", *options) == 1
        assert "move it" in capsys.readouterr().err

    def test_a_bad_file_is_named_and_the_others_are_finished(self, scans, tmp_path, capsys):
        (scans / "b.tif").write_bytes((scans / "b.tif").read_bytes()[:500])
        tifffile.imwrite(
            scans / "two.tif", np.zeros((64, 64, 2), np.uint8), photometric="minisblack", planarconfig="contig"
        )
        assert run("segment", scans, "--labels", tmp_path / "labels", "-o", tmp_path / "out") == 1
        shown = capsys.readouterr()
        assert "2 of 4 images" in shown.out
        assert str(scans / "b.tif") in shown.err
        assert "2 channels: choose" in shown.err
        assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
            "a_segmentation.tif",
            "areas.csv",
            "c_segmentation.tif",
        ]
        assert {row["image"] for row in areas(tmp_path / "out")} == {"a", "c"}

    def test_png_results(self, scans, tmp_path):
        options = ("--labels", tmp_path / "labels", "-o", tmp_path / "out", "--format", "png", "--probabilities")
        assert run("segment", scans / "a.tif", *options) == 0
        maps = [read_image(tmp_path / "out" / f"a_class{value}_probability.png").pixels for value in (1, 2)]
        np.testing.assert_allclose(maps[0] / 65535 + maps[1] / 65535, 1, atol=1e-4)
        np.testing.assert_array_equal(
            read_labels(tmp_path / "out" / "a_segmentation.png"), np.where(maps[0] >= maps[1], 1, 2)
        )

    def test_a_stack_is_segmented_plane_by_plane_or_at_one_plane(self, tmp_path):
        foam = load_sample("foam")
        window = slice(3, 6)
        write_labels(tmp_path / "stack.tif", foam.image[window], CALIBRATION)
        write_labels(tmp_path / "strokes.tif", foam.strokes[window])
        inputs = (tmp_path / "stack.tif", "--labels", tmp_path / "strokes.tif")
        assert run("segment", *inputs, "-o", tmp_path / "all") == 0
        segmentation = read_labels(tmp_path / "all" / "stack_segmentation.tif")
        assert segmentation.shape == (3, 256, 256)
        assert (segmentation == foam.mask[window]).mean() > 0.8
        assert [row["plane"] for row in areas(tmp_path / "all")[::3]] == ["0", "1", "2"]
        assert run("segment", *inputs, "-o", tmp_path / "one", "--plane", "2") == 0
        np.testing.assert_array_equal(read_labels(tmp_path / "one" / "stack_segmentation.tif"), segmentation[2])

    def test_a_hybrid_of_two_backbones_is_one_probe(self, scans, tmp_path):
        both = ("--backbone", "filters", "--backbone", "filters", "--sampling", "fast")
        options = ("--labels", tmp_path / "labels", "-o", tmp_path / "out", "--save-probe", tmp_path / "h.probe")
        assert run("segment", scans / "a.tif", *options, *both) == 0
        assert run("segment", scans / "a.tif", "--probe", tmp_path / "h.probe", "-o", tmp_path / "again") == 0
        first, second = (read_labels(tmp_path / folder / "a_segmentation.tif") for folder in ("out", "again"))
        np.testing.assert_array_equal(first, second)

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["--labels", "nowhere"], "nowhere holds no label file"),
            (["--labels", "LABELS", "--backbone", "dinov9"], "dinov9"),
            (["--labels", "LABELS", "--sampling", "superb"], "superb"),
            (["--labels", "LABELS", "--contrast", "9,1"], "do not make a range"),
            (["--labels", "LABELS", "--channels", "x"], "channel numbers"),
            (["--labels", "SMALL"], "shape"),
            (["--labels", "EMPTY"], "painted"),
            (["--probe", "nowhere.probe"], "nowhere.probe"),
        ],
    )
    def test_one_sentence_for_what_cannot_work(self, scans, tmp_path, capsys, arguments, sentence):
        write_labels(tmp_path / "small.tif", np.eye(20, dtype=np.uint8))
        write_labels(tmp_path / "empty.tif", np.zeros((256, 256), np.uint8))
        places = {
            "LABELS": tmp_path / "labels",
            "SMALL": tmp_path / "small.tif",
            "EMPTY": tmp_path / "empty.tif",
        }
        arguments = [str(places.get(argument, argument)) for argument in arguments]
        assert run("segment", scans / "a.tif", "-o", tmp_path / "out", *arguments) == 1
        shown = capsys.readouterr().err
        assert sentence in shown
        assert shown.count("\n") == 1
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["--labels", "x", "--probe", "y"],
            ["--probe", "x", "--sampling", "fast"],
            ["--labels", "x", "--format", "bmp"],
        ],
    )
    def test_arguments_that_make_no_sense_leave_with_2(self, scans, tmp_path, capsys, arguments):
        assert run("segment", scans, "-o", tmp_path / "out", *arguments) == 2
        assert "Traceback" not in capsys.readouterr().err

    def test_ctrl_c_stops_at_once_and_leaves_whole_files_only(self, tmp_path, alloy):
        folder = tmp_path / "scans"
        for index in range(40):
            write_image(folder / f"{index:02}.tif", alloy.image)
        write_labels(tmp_path / "00.png", alloy.strokes)
        # A shell's background jobs ignore SIGINT and hand that down; a user's terminal does not.
        program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import patchfield.__main__"
        command = [sys.executable, "-c", program, "segment", folder, "--labels", tmp_path / "00.png"]
        process = subprocess.Popen(
            [*command, "--output", tmp_path / "out"],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        deadline = time.monotonic() + 120
        while not (tmp_path / "out" / "areas.csv").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 130, errors
        assert "Stopped" in errors
        assert "Traceback" not in errors
        for file in (tmp_path / "out").glob("*.tif"):
            assert read_labels(file).shape == alloy.image.shape
        assert not list((tmp_path / "out").glob(".*"))


class TestOtherCommands:
    def test_demo_writes_what_it_says_and_beats_chance_by_far(self, tmp_path, capsys):
        assert run("demo", "--output", tmp_path / "demo") == 0
        summary = capsys.readouterr().out
        written = {file.name for file in (tmp_path / "demo").iterdir()}
        pictures = {f"{name}.png" for name in ("input", "strokes", "segmentation", "probability", "pca", "overview")}
        assert pictures < written
        assert all(name in summary for name in written)
        truth = load_sample("alloy").mask
        assert (read_labels(tmp_path / "demo" / "alloy_segmentation.tif") == truth).mean() > 0.9
        again = ("--labels", tmp_path / "demo" / "alloy_strokes.tif", "-o", tmp_path / "again")
        assert run("segment", tmp_path / "demo" / "alloy.tif", *again) == 0

    def test_pca_gives_a_colour_picture_per_image(self, scans, tmp_path):
        assert run("pca", scans / "a.tif", scans / "b.tif", "-o", tmp_path / "out", "--sampling", "fast") == 0
        for name in "ab":
            picture = read_image(tmp_path / "out" / f"{name}_pca.png").pixels
            assert picture.shape == (256, 256, 3)
            assert picture.std() > 20

    def test_evaluate_prints_and_writes_the_scores(self, scans, tmp_path, capsys):
        masks = tmp_path / "masks"
        assert run("evaluate", masks, "--masks", masks, "--output", tmp_path / "scores.csv") == 0
        assert capsys.readouterr().out.count("1.0000") >= 4 * 4
        with (tmp_path / "scores.csv").open(encoding="utf-8-sig", newline="") as file:
            assert [row["mean IoU"] for row in csv.DictReader(file)] == ["1.0000"] * 4
        assert run("evaluate", scans / "a.tif", "--masks", tmp_path / "nowhere") == 1

    def test_models_and_info_name_what_there_is(self, capsys, monkeypatch):
        monkeypatch.setenv("COLUMNS", "200")
        assert run("models") == 0
        assert "filters" in capsys.readouterr().out
        assert run("models", "--links") == 0
        assert "filters" not in capsys.readouterr().out
        assert run("info") == 0
        shown = capsys.readouterr().out
        assert "torch" in shown
        assert "cpu" in shown

    def test_real_micrographs_with_their_strokes(self, shared, tmp_path, capsys):
        folder = shared / "data" / "superalloy_sem"
        strokes = ("--labels", folder / "strokes_*.png", "--sampling", "fast", "-o", tmp_path / "out")
        images = sorted(folder.glob("image_*"))[:2]
        assert run("segment", *images, *strokes) == 0
        assert run("evaluate", tmp_path / "out", "--masks", folder / "mask_*.png", "-o", tmp_path / "scores.csv") == 0
        with (tmp_path / "scores.csv").open(encoding="utf-8-sig", newline="") as file:
            scores = [float(row["mean IoU"]) for row in csv.DictReader(file)]
        assert scores[-1] > 0.4
