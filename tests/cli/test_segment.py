"""`patchfield segment` and `pca`, run as a user runs them, on files."""

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

from patchfield.images import read_image, read_labels, write_image, write_labels
from tests.cli.conftest import CALIBRATION, SHAPE, picture, run, strokes, truth

FILTERS = ("-b", "filters", "--sampling", "fast")


def write_ome_set(folder: Path) -> None:
    """One OME image of two slices in two files, z0.ome.tif and z1.ome.tif, that name each other."""
    folder.mkdir()
    planes = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"><UUID FileName="z{z}.ome.tif">urn:uuid:{z}</UUID></TiffData>'
        for z in range(2)
    )
    for z in range(2):
        xml = (
            f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:{z}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" '
            f'SizeX="{SHAPE[1]}" SizeY="{SHAPE[0]}" SizeZ="2" SizeC="1" SizeT="1">'
            f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}</Pixels></Image></OME>'
        )
        tifffile.imwrite(folder / f"z{z}.ome.tif", picture(z), description=xml, metadata=None)


def areas(folder: Path) -> list[dict[str, str]]:
    with (folder / "areas.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


class TestResults:
    def test_strokes_on_one_image_segment_all_and_the_probe_does_the_same(self, scans, tmp_path, capsys):
        options = ("--labels", tmp_path / "labels", "--save-probe", tmp_path / "p.probe", "--probabilities", *FILTERS)
        assert run("segment", scans, "-o", tmp_path / "out", *options, "--interpolation", "guided") == 0
        assert "3 of 3 images" in capsys.readouterr().out
        assert run("segment", scans / "*.tif", "--probe", tmp_path / "p.probe", "-o", tmp_path / "again") == 0
        for name in "abc":
            segmentation = read_image(tmp_path / "out" / f"{name}_segmentation.tif")
            assert segmentation.calibration == CALIBRATION
            labels = read_labels(tmp_path / "out" / f"{name}_segmentation.tif")
            assert (labels == truth()).mean() > 0.9
            probabilities = tifffile.imread(tmp_path / "out" / f"{name}_probability.tif")
            np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-4)
            np.testing.assert_array_equal(probabilities.argmax(axis=0) + 1, labels)
            np.testing.assert_array_equal(read_labels(tmp_path / "again" / f"{name}_segmentation.tif"), labels)

    def test_areas_add_up_are_physical_and_name_their_file(self, scans, tmp_path, saved_probe):
        assert run("segment", scans, "--probe", saved_probe, "-o", tmp_path / "out") == 0
        rows = areas(tmp_path / "out")
        assert [row["image"] for row in rows] == ["a", "a", "b", "b", "c", "c"]
        assert rows[2]["path"] == str(scans / "b.tif")
        for image in "abc":
            of_image = [row for row in rows if row["image"] == image]
            assert sum(int(row["pixels"]) for row in of_image) == SHAPE[0] * SHAPE[1]
            assert sum(float(row["area"]) for row in of_image) == pytest.approx(SHAPE[0] * SHAPE[1] * 0.25, rel=1e-4)
        assert {row["unit"] for row in rows} == {"µm²"}

    def test_png_results(self, scans, tmp_path, saved_probe):
        options = ("--probe", saved_probe, "-o", tmp_path / "out", "--format", "png", "--probabilities")
        assert run("segment", scans / "a.tif", *options) == 0
        maps = [read_image(tmp_path / "out" / f"a_class{value}_probability.png").pixels for value in (1, 2)]
        np.testing.assert_allclose(maps[0] / 65535 + maps[1] / 65535, 1, atol=1e-4)
        np.testing.assert_array_equal(
            read_labels(tmp_path / "out" / "a_segmentation.png"), np.where(maps[0] >= maps[1], 1, 2)
        )

    def test_a_hybrid_of_two_backbones_is_one_probe(self, scans, tmp_path):
        options = ("--labels", tmp_path / "labels", "--save-probe", tmp_path / "h.probe", *FILTERS, "-b", "filters")
        assert run("segment", scans / "a.tif", "-o", tmp_path / "out", *options) == 0
        assert run("segment", scans / "a.tif", "--probe", tmp_path / "h.probe", "-o", tmp_path / "again") == 0
        first, second = (read_labels(tmp_path / folder / "a_segmentation.tif") for folder in ("out", "again"))
        np.testing.assert_array_equal(first, second)

    def test_pca_gives_a_colour_picture_per_plane_and_skips_what_is_there(self, scans, tmp_path, capsys):
        tifffile.imwrite(scans / "t.tif", np.stack([picture(5), picture(6)]), imagej=True, metadata={"axes": "TYX"})
        assert run("pca", scans / "a.tif", scans / "t.tif", "-o", tmp_path / "out", *FILTERS) == 0
        for name in ("a", "t_plane0", "t_plane1"):
            pixels = read_image(tmp_path / "out" / f"{name}_pca.png").pixels
            assert pixels.shape == (*SHAPE, 3)
            assert pixels.std() > 20
        capsys.readouterr()
        assert run("pca", scans / "a.tif", scans / "t.tif", "-o", tmp_path / "out", *FILTERS) == 0
        assert "0 of 2 images" in capsys.readouterr().out


class TestStacks:
    @pytest.fixture
    def movie(self, tmp_path) -> Path:
        frames = np.stack([picture(t) for t in range(6)]).reshape(3, 2, *SHAPE)
        frames[2] = 240 - frames[2]
        metadata = {"axes": "TZYX", "unit": "um", "finterval": 5.0, "spacing": 2.0}
        tifffile.imwrite(tmp_path / "m.tif", frames, imagej=True, resolution=(4, 4), metadata=metadata)
        return tmp_path / "m.tif"

    def test_results_have_the_axes_and_the_scale_of_the_image(self, movie, tmp_path, saved_probe):
        options = ("--probe", saved_probe, "-o", tmp_path / "out", "--probabilities")
        assert run("segment", movie, *options) == 0
        for what, axes in (("segmentation", "TZYX"), ("probability", "TZCYX")):
            with tifffile.TiffFile(tmp_path / "out" / f"m_{what}.tif") as file:
                assert file.series[0].axes == axes
                assert file.imagej_metadata["finterval"] == 5.0
        result = read_image(tmp_path / "out" / "m_segmentation.tif")
        assert (result.axes, result.lengths) == ("TZ", (3, 2))
        assert result.calibration == read_image(movie).calibration
        assert [row["plane"] for row in areas(tmp_path / "out")[::2]] == ["0 0", "0 1", "1 0", "1 1", "2 0", "2 1"]

    @pytest.mark.parametrize("plane", ["2,1", "5"])
    def test_one_plane_by_its_index_or_its_number(self, movie, tmp_path, saved_probe, plane):
        assert run("segment", movie, "--probe", saved_probe, "-o", tmp_path / "out") == 0
        assert run("segment", movie, "--probe", saved_probe, "-o", tmp_path / "one", "--plane", plane) == 0
        one = tifffile.imread(tmp_path / "one" / "m_segmentation.tif")
        np.testing.assert_array_equal(one, tifffile.imread(tmp_path / "out" / "m_segmentation.tif")[2, 1])
        assert [row["plane"] for row in areas(tmp_path / "one")] == ["2 1"] * 2

    def test_labels_are_matched_by_their_axes(self, movie, tmp_path):
        painted = np.zeros((2, 3, *SHAPE), np.uint8)
        painted[1, 2] = strokes()
        tifffile.imwrite(tmp_path / "l.tif", painted, photometric="minisblack", metadata={"axes": "ZTYX"})
        assert run("segment", movie, "--labels", tmp_path / "l.tif", "-o", tmp_path / "out", *FILTERS) == 0
        result = tifffile.imread(tmp_path / "out" / "m_segmentation.tif")
        assert (result[2, 1] == truth()).mean() > 0.9
        assert (result[0, 0] == 3 - truth()).mean() > 0.9

    def test_channels_of_the_probe_are_those_of_the_image(self, tmp_path):
        image = np.stack([picture()[::-1, ::-1], np.full(SHAPE, 9, np.uint8), picture()])
        image[0] = np.random.default_rng(0).integers(0, 255, SHAPE)
        tifffile.imwrite(tmp_path / "c.tif", image, imagej=True, metadata={"axes": "CYX"})
        write_labels(tmp_path / "l.png", strokes())
        options = ("--labels", tmp_path / "l.png", "--channels", "2", "--save-probe", tmp_path / "c.probe", *FILTERS)
        assert run("segment", tmp_path / "c.tif", "-o", tmp_path / "out", *options) == 0
        assert run("segment", tmp_path / "c.tif", "--probe", tmp_path / "c.probe", "-o", tmp_path / "again") == 0
        first, second = (read_labels(tmp_path / folder / "c_segmentation.tif") for folder in ("out", "again"))
        np.testing.assert_array_equal(first, second)
        assert (first == truth()).mean() > 0.9

    def test_axes_that_a_file_does_not_say_are_asked_for(self, tmp_path, saved_probe, capsys):
        np.save(tmp_path / "n.npy", np.stack([picture(), picture(1)], axis=-1)[:, :, [0, 1, 0, 1, 0]])
        options = ("segment", tmp_path / "n.npy", "--probe", saved_probe, "-o", tmp_path / "out")
        assert run(*options) == 1
        assert "--axes" in capsys.readouterr().err
        assert run(*options, "--axes", "YXT") == 0
        assert read_image(tmp_path / "out" / "n_segmentation.tif").axes == "T"

    def test_an_image_in_several_files_is_segmented_once(self, tmp_path, saved_probe, capsys):
        write_ome_set(tmp_path / "set")
        for command in (("segment", "--probe", saved_probe), ("pca", *FILTERS)):
            assert run(command[0], tmp_path / "set", *command[1:], "-o", tmp_path / command[0]) == 0
            shown = capsys.readouterr().out
            assert "1 of 1 images" in shown
            assert "z1.ome.tif" in shown
        assert read_image(tmp_path / "segment" / "z0.ome_segmentation.tif").lengths == (2,)

    def test_png_of_a_stack_is_refused_before_anything_is_computed(self, movie, tmp_path, saved_probe, capsys):
        assert run("segment", movie, "--probe", saved_probe, "-o", tmp_path / "out", "--format", "png") == 1
        assert "PNG holds one plane, not 6" in capsys.readouterr().err


class TestSelection:
    def test_masks_and_strokes_in_the_folder_are_neither_trained_on_nor_segmented(self, tmp_path, capsys):
        folder = tmp_path / "set"
        for number in range(2):
            write_image(folder / f"image_{number}.png", picture(number))
            write_labels(folder / f"mask_{number}.png", truth())
            write_labels(folder / f"strokes_{number}.png", strokes())
        (tmp_path / "here").mkdir()
        relative = os.path.relpath(folder)
        for labels in (folder, folder / "strokes_*", f"{relative}/strokes_*"):
            output = tmp_path / "here" / str(hash(labels))
            assert run("segment", folder, "--labels", labels, "-o", output, *FILTERS) == 0
            shown = capsys.readouterr().out
            assert "2 of 2 images" in shown
            assert "Left aside" in shown
            assert run("evaluate", output, "--masks", folder, "-o", output / "scores.csv") == 0
            with (output / "scores.csv").open(encoding="utf-8-sig", newline="") as file:
                assert [float(row["mean IoU"]) > 0.8 for row in csv.DictReader(file)] == [True] * 3
            capsys.readouterr()

    def test_one_label_file_for_two_images_is_refused(self, tmp_path, capsys):
        for folder in "ab":
            write_image(tmp_path / folder / "x.png", picture())
        write_labels(tmp_path / "labels" / "x.png", strokes())
        images = (tmp_path / "a", tmp_path / "b")
        assert run("segment", *images, "--labels", tmp_path / "labels", "-o", tmp_path / "out", *FILTERS) == 1
        assert "belongs to one image" in capsys.readouterr().err


class TestOutputs:
    """Nothing that was read, and nothing that is not ours, is ever replaced."""

    def test_labels_called_like_a_result_are_not_replaced(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        write_image(tmp_path / "x.png", picture())
        tifffile.imwrite(tmp_path / "x_segmentation.tif", strokes())
        before = (tmp_path / "x_segmentation.tif").read_bytes()
        assert run("segment", "x.png", "--labels", "x_segmentation.tif", "-o", ".", *FILTERS) == 1
        assert "would be replaced" in capsys.readouterr().err
        assert run("segment", "x.png", "--labels", tmp_path / "x_segmentation.tif", "-o", ".", "--overwrite") == 1
        assert (tmp_path / "x_segmentation.tif").read_bytes() == before

    def test_a_file_that_is_not_ours_is_not_replaced(self, scans, tmp_path, saved_probe, capsys):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "b_segmentation.tif").write_text("mine")
        assert run("segment", scans, "--probe", saved_probe, "-o", tmp_path / "out", "--overwrite") == 1
        shown = capsys.readouterr()
        assert "2 of 3 images" in shown.out
        assert "b_segmentation.tif was not written by Patchfield" in shown.err
        assert (tmp_path / "out" / "b_segmentation.tif").read_text() == "mine"

    @pytest.mark.parametrize("target", ["scans/a.tif", "labels/a_strokes.png", "notes.txt", "scans"])
    def test_a_probe_is_saved_over_nothing_but_a_probe(self, scans, tmp_path, target, capsys):
        (tmp_path / "notes.txt").write_text("mine")
        options = ("--labels", tmp_path / "labels", "-o", tmp_path / "out", "--save-probe", tmp_path / target, *FILTERS)
        before = (tmp_path / target).read_bytes() if (tmp_path / target).is_file() else b""
        assert run("segment", scans, *options) == 1
        assert str(tmp_path / target) in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
        assert not before or (tmp_path / target).read_bytes() == before

    def test_finished_results_are_left_and_those_of_another_probe_refused(self, scans, tmp_path, saved_probe, capsys):
        options = ("segment", scans, "-o", tmp_path / "out")
        assert run(*options, "--probe", saved_probe) == 0
        before = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").glob("*.tif")}
        assert run(*options, "--probe", saved_probe) == 0
        assert "--overwrite does it again" in capsys.readouterr().out
        assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out").glob("*.tif")} == before
        (tmp_path / "out" / "areas.csv").unlink()
        assert run(*options, "--probe", saved_probe) == 0
        assert len(areas(tmp_path / "out")) == 6
        other = ("--labels", tmp_path / "labels", "-b", "filters", "--sampling", "balanced")
        assert run(*options, *other) == 1
        assert "result of another probe" in capsys.readouterr().err
        assert run(*options, *other, "--overwrite") == 0
        assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out").glob("*.tif")} != before
        assert len(areas(tmp_path / "out")) == 6

    def test_another_image_of_the_same_name_gets_another_name(self, scans, tmp_path, saved_probe, capsys):
        write_image(tmp_path / "more" / "a.png", picture(9))
        assert run("segment", scans / "a.tif", "--probe", saved_probe, "-o", tmp_path / "out") == 0
        assert run("segment", tmp_path / "more" / "a.png", "--probe", saved_probe, "-o", tmp_path / "out") == 0
        assert "more_a" in capsys.readouterr().out
        assert [row["image"] for row in areas(tmp_path / "out")] == ["a", "a", "more_a", "more_a"]

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_a_name_that_would_be_too_long_is_said_before_computing(self, scans, tmp_path, saved_probe, capsys):
        (scans / "b.tif").rename(scans / f"{'b' * 245}.tif")
        assert run("segment", scans, "--probe", saved_probe, "-o", tmp_path / "out") == 1
        shown = capsys.readouterr()
        assert "2 of 3 images" in shown.out
        assert "too long a name" in shown.err

    def test_another_probe_is_replaced_only_when_that_is_said(self, scans, tmp_path, capsys):
        options = (
            "segment",
            scans,
            "--labels",
            tmp_path / "labels",
            "--save-probe",
            tmp_path / "p.probe",
            "-b",
            "filters",
        )
        assert run(*options, "-o", tmp_path / "1", "--sampling", "fast") == 0
        assert run(*options, "-o", tmp_path / "1", "--sampling", "fast") == 0
        assert run(*options, "-o", tmp_path / "2") == 1
        assert "is another probe" in capsys.readouterr().err
        assert run(*options, "-o", tmp_path / "2", "--overwrite") == 0

    def test_a_file_in_the_place_of_the_folder_is_said_before_computing(self, scans, tmp_path, saved_probe, capsys):
        (tmp_path / "out").write_text("a file")
        assert run("segment", scans, "--probe", saved_probe, "-o", tmp_path / "out") == 1
        assert "is a file: give another folder" in capsys.readouterr().err

    def test_a_table_that_is_not_ours_stays(self, scans, tmp_path, saved_probe, capsys):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "areas.csv").write_text("my,own\n1,2\n")
        assert run("segment", scans, "--probe", saved_probe, "-o", tmp_path / "out") == 1
        assert "move it" in capsys.readouterr().err
        assert os.listdir(tmp_path / "out") == ["areas.csv"]


class TestFailures:
    def test_a_bad_file_is_named_and_the_others_are_finished(self, scans, tmp_path, saved_probe, capsys):
        (scans / "b.tif").write_bytes((scans / "b.tif").read_bytes()[:300])
        tifffile.imwrite(
            scans / "two.tif", np.zeros((*SHAPE, 2), np.uint8), photometric="minisblack", planarconfig="contig"
        )
        assert run("segment", scans, "--probe", saved_probe, "-o", tmp_path / "out") == 1
        shown = capsys.readouterr()
        assert "2 of 4 images" in shown.out
        assert str(scans / "b.tif") in shown.err
        assert str(scans / "two.tif") in shown.err
        assert sorted(os.listdir(tmp_path / "out")) == ["a_segmentation.tif", "areas.csv", "c_segmentation.tif"]

    def test_a_defect_at_one_file_leaves_the_others_and_its_traceback(
        self, scans, tmp_path, saved_probe, capsys, monkeypatch
    ):
        import patchfield.batch.segmentation as room

        def write(path, *arguments, **options):
            if path.name.startswith("b_"):
                raise KeyError("a defect")
            write_labels(path, *arguments, **options)

        monkeypatch.setattr(room, "write_labels", write)
        assert run("segment", scans, "--probe", saved_probe, "-o", tmp_path / "out") == 1
        shown = capsys.readouterr()
        assert "2 of 3 images" in shown.out
        assert "A defect of Patchfield (KeyError: 'a defect')" in shown.err
        assert "Traceback" not in shown.err
        assert "Traceback" in (tmp_path / "out" / "patchfield-errors.log").read_text()

    @pytest.mark.skipif(sys.platform != "linux", reason="names of files are text elsewhere")
    def test_names_that_are_no_text_are_files_like_others(self, scans, tmp_path, saved_probe, capsys):
        (scans / "b.tif").rename(scans / os.fsdecode(b"Pr\xf6be.tif"))
        assert run("segment", scans, "--probe", saved_probe, "-o", tmp_path / "out") == 0
        assert b"Pr\xf6be_segmentation.tif" in os.listdir(os.fsencode(tmp_path / "out"))
        capsys.readouterr()
        assert run("segment", scans, "--probe", saved_probe, "-o", tmp_path / "out") == 0
        assert "Named apart" not in "".join(capsys.readouterr()), "a second run knows its own results"
        assert "Pr\\udcf6be" in {row["image"] for row in areas(tmp_path / "out")}
        (scans / os.fsdecode(b"Pr\xf6be.tif")).write_bytes(b"no image")
        assert run("segment", scans, "--probe", saved_probe, "-o", tmp_path / "again") == 1
        assert "Pr\\udcf6be.tif" in capsys.readouterr().err

    def test_consoles_of_any_encoding_show_what_they_can(self, scans, tmp_path, saved_probe):
        write_image(scans / "größe µ.tif", picture())
        arguments = [sys.executable, "-m", "patchfield", "segment", scans, "--probe", saved_probe, "-o", tmp_path / "ö"]
        done = subprocess.run(
            arguments, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "ascii"}, check=False
        )
        assert done.returncode == 0, done.stderr
        assert b"4 of 4" in done.stdout

    @pytest.mark.parametrize(
        ("arguments", "code", "sentence"),
        [
            (["--labels", "nowhere"], 1, "nowhere holds no label file"),
            (["--labels", "SMALL"], 1, "20 x 20 pixels"),
            (["--labels", "EMPTY"], 1, "painted"),
            (["--probe", "nowhere.probe"], 1, "nowhere.probe"),
            (["--labels", "LABELS", "--backbone", "dinov9"], 2, "dinov9"),
            (["--labels", "LABELS", "--backbone", ""], 2, "empty"),
            (["--labels", "LABELS", "--sampling", "superb"], 2, "superb"),
            (["--labels", "LABELS", "--contrast", "9,1"], 2, "do not make a range"),
            (["--labels", "LABELS", "--contrast", "abc"], 2, "abc"),
            (["--labels", "LABELS", "--channels", "x"], 2, "channel numbers"),
            (["--labels", "LABELS", "--axes", "YY"], 2, "--axes"),
            (["--labels", "LABELS", "--device", "tpu"], 2, "tpu"),
            (["--labels", "LABELS", "--plane", "-1"], 2, "--plane"),
            (["--labels", "LABELS", "--plane", "x"], 2, "--plane"),
            (["--labels", ""], 2, "empty path"),
            (["--probe", ""], 2, "empty path"),
            (["--labels", "LABELS", "--save-probe", ""], 2, "empty path"),
            (["--labels", "LABELS", "-o", ""], 2, "empty path"),
            (["--labels", "LABELS", ""], 1, "empty path"),
            ([], 2, "--labels"),
            (["--labels", "LABELS", "--probe", "y"], 1, "no probe 'y'"),
            (["--probe", "x", "--sampling", "fast"], 2, "--sampling"),
            (["--probe", "x", "--save-probe", "y"], 2, "--save-probe"),
            (["--labels", "x", "--format", "bmp"], 2, "bmp"),
            (["--labels", "x", "--bogus"], 2, "--bogus"),
        ],
    )
    def test_one_sentence_for_what_cannot_work(self, scans, tmp_path, capsys, arguments, code, sentence):
        write_labels(tmp_path / "small.tif", np.eye(20, dtype=np.uint8))
        write_labels(tmp_path / "empty.tif", np.zeros(SHAPE, np.uint8))
        files = {"LABELS": tmp_path / "labels", "SMALL": tmp_path / "small.tif", "EMPTY": tmp_path / "empty.tif"}
        arguments = [str(files.get(argument, argument)) for argument in arguments]
        assert run("segment", scans / "a.tif", "-o", tmp_path / "out", *arguments) == code
        shown = capsys.readouterr().err
        assert sentence in shown
        assert shown.count("\n") == 1
        assert not (tmp_path / "out").exists()

    def test_ctrl_c_stops_at_once_and_leaves_whole_files_only(self, tmp_path, saved_probe):
        for number in range(60):
            write_image(tmp_path / "scans" / f"{number:02}.tif", np.tile(picture(number), (6, 6)))
        # A shell's background jobs ignore SIGINT and hand that down; a user's terminal does not.
        program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import patchfield.__main__"
        arguments = ["segment", tmp_path / "scans", "--probe", saved_probe, "--output", tmp_path / "out"]
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        deadline = time.monotonic() + 600
        while not (tmp_path / "out" / "areas.csv").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 130, errors
        assert "Stopped" in errors
        assert "Traceback" not in errors
        for file in (tmp_path / "out").glob("*.tif"):
            assert read_labels(file).shape == (6 * SHAPE[0], 6 * SHAPE[1])
        assert not list((tmp_path / "out").glob(".*"))


def test_a_moved_file_of_weights_is_given_with_the_backbone_option(scans, tmp_path, capsys):
    import shutil

    from patchfield.backbones.micro.files import SHIPPED

    first, moved = tmp_path / "here.safetensors", tmp_path / "there.safetensors"
    shutil.copy(SHIPPED, first)
    options = ("--labels", tmp_path / "labels", "-b", first, "--sampling", "fast", "--save-probe", tmp_path / "p.probe")
    assert run("segment", scans / "a.tif", "-o", tmp_path / "out", *options) == 0
    first.rename(moved)
    again = ("segment", scans / "b.tif", "--probe", tmp_path / "p.probe", "-o", tmp_path / "out")
    assert run(*again) == 1
    assert "here.safetensors" in capsys.readouterr().err
    assert run(*again, "-b", "filters") == 1
    assert "other weights" in capsys.readouterr().err
    assert run(*again, "-b", moved) == 0
