"""`patchfield demo`, `evaluate`, `models` and `info`, run as a user runs them."""

import csv
from pathlib import Path

import numpy as np
import pytest

from patchfield.images import read_labels, write_image, write_labels
from patchfield.samples import load_sample
from tests.cli.conftest import picture, run, truth


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_demo_writes_what_it_says_and_beats_chance_by_far(tmp_path, capsys):
    assert run("demo", "--output", tmp_path / "demo", "-b", "filters", "--sampling", "fast") == 0
    summary = capsys.readouterr().out
    written = {file.name for file in (tmp_path / "demo").iterdir()}
    pictures = {f"{name}.png" for name in ("input", "strokes", "segmentation", "probability", "pca", "overview")}
    assert pictures < written
    assert all(name in summary for name in written)
    mask = load_sample("alloy").mask
    assert (read_labels(tmp_path / "demo" / "alloy_segmentation.tif") == mask).mean() > 0.85
    again = ("--labels", tmp_path / "demo" / "alloy_strokes.tif", "-o", tmp_path / "again", "-b", "filters")
    assert run("segment", tmp_path / "demo" / "alloy.tif", *again, "--sampling", "fast") == 0


def test_the_demo_replaces_its_own_files_only(tmp_path, capsys):
    (tmp_path / "pca.png").write_text("mine")
    assert run("demo", "-o", tmp_path, "-b", "filters") == 1
    assert "pca.png was not written by Patchfield" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["pca.png"]


@pytest.mark.parametrize("options", [("--sample", "steel"), ("--sampling", "superb"), ("-b", "dinov9")])
def test_a_wrong_choice_for_the_demo_leaves_with_2(tmp_path, capsys, options):
    assert run("demo", "-o", tmp_path / "demo", *options) == 2
    assert options[1] in capsys.readouterr().err


class TestEvaluate:
    @pytest.fixture
    def results(self, tmp_path) -> Path:
        segmentation = truth()
        segmentation[:12] = 1
        for name in "ab":
            write_labels(tmp_path / "out" / f"{name}_segmentation.tif", segmentation)
            write_labels(tmp_path / "masks" / f"mask_{name}.png", truth())
            write_image(tmp_path / "masks" / f"image_{name}.png", picture())
        return tmp_path / "out"

    def test_it_prints_and_writes_the_scores(self, results, tmp_path, capsys):
        options = ("--masks", tmp_path / "masks", "--output", tmp_path / "scores.csv")
        for _ in range(2):
            assert run("evaluate", results, *options) == 0
        expected = (0.8 + 0.75) / 2  # a quarter of class 2 was taken for class 1
        assert f"{expected:.4f}" in capsys.readouterr().out
        assert [row["mean IoU"] for row in rows_of(tmp_path / "scores.csv")] == [f"{expected:.4f}"] * 3

    def test_one_bad_mask_leaves_the_others(self, results, tmp_path, capsys):
        write_labels(tmp_path / "masks" / "mask_a.png", truth()[1:])
        assert run("evaluate", results, "--masks", tmp_path / "masks", "-o", tmp_path / "scores.csv") == 1
        assert "a_segmentation.tif" in capsys.readouterr().err
        assert [row["image"] for row in rows_of(tmp_path / "scores.csv")] == ["b", "mean"]

    def test_masks_that_label_nothing_are_said_and_no_nan_is_printed(self, results, tmp_path, capsys):
        write_labels(tmp_path / "masks" / "mask_a.png", 0 * truth())
        assert run("evaluate", results, "--masks", tmp_path / "masks") == 0
        shown = capsys.readouterr().out
        assert "labels nothing" in shown
        assert "nan" not in shown

    @pytest.mark.parametrize(
        ("options", "mean"), [((), 1), (("--ignore", "255"), 1), (("--ignore", "0"), 2 / 3 * 28 / 32)]
    )
    def test_void_values(self, tmp_path, capsys, options, mean):
        mask = truth()
        mask[:, 28:36] = 255
        write_labels(tmp_path / "a_segmentation.tif", truth())
        write_labels(tmp_path / "a.png", mask)
        arguments = (tmp_path / "a_segmentation.tif", "--masks", tmp_path / "a.png", "-o", tmp_path / "s.csv")
        assert run("evaluate", *arguments, *options) == 0
        assert float(rows_of(tmp_path / "s.csv")[0]["mean IoU"]) == pytest.approx(mean, abs=1e-4)
        assert ("--ignore" in capsys.readouterr().out) == (options != ("--ignore", "255"))

    def test_many_classes_are_not_squeezed_into_the_terminal(self, tmp_path, capsys):
        many = np.arange(1, 61).reshape(6, 10)
        write_labels(tmp_path / "a_segmentation.tif", many)
        write_labels(tmp_path / "a.tif", many)
        assert run("evaluate", tmp_path / "a_segmentation.tif", "--masks", tmp_path / "a.tif") == 0
        shown = capsys.readouterr().out
        assert "1.0000" in shown
        assert "60 classes" in shown

    def test_no_input_and_no_foreign_file_is_replaced(self, results, tmp_path, capsys):
        (tmp_path / "notes.csv").write_text("my,own\n")
        for target in (tmp_path / "masks" / "mask_a.png", results / "a_segmentation.tif", tmp_path / "notes.csv"):
            before = target.read_bytes()
            assert run("evaluate", results, "--masks", tmp_path / "masks", "-o", target) == 1
            assert "would be replaced" in capsys.readouterr().err
            assert target.read_bytes() == before

    def test_nothing_to_compare_is_said(self, tmp_path, capsys):
        assert run("evaluate", tmp_path / "a.tif", "--masks", tmp_path / "nowhere") == 1
        assert "holds no label file" in capsys.readouterr().err


def test_models_and_info_name_what_there_is(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run("models") == 0
    short = capsys.readouterr().out
    (line,) = [line for line in short.splitlines() if "│ micro " in line]
    assert "a small network trained on strokes of many kinds of micrographs" in line, "what is piped is not broken"
    assert "dinov3-license: no nuclear or military use" in short
    assert run("models", "--all") == 0
    every = capsys.readouterr().out
    assert "dino-base-16" in every
    assert "dino-base-16" not in short
    assert run("models", "--links") == 0
    assert "filters" not in capsys.readouterr().out
    assert run("info") == 0
    shown = capsys.readouterr().out
    assert "torch" in shown
    assert "cpu" in shown


def test_real_micrographs_with_their_strokes(shared, tmp_path):
    folder = shared / "data" / "superalloy_sem"
    images = sorted(folder.glob("image_*"))[:2]
    assert run("segment", *images, "--labels", folder, "--sampling", "fast", "-o", tmp_path / "out") == 0
    assert run("evaluate", tmp_path / "out", "--masks", folder, "-o", tmp_path / "scores.csv") == 0
    assert np.mean([float(row["mean IoU"]) for row in rows_of(tmp_path / "scores.csv")]) > 0.4
