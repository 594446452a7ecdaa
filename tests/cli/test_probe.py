"""`patchfield probe`, and the warning about images of another magnification."""

import numpy as np

from patchfield.cli.terminal import ERRORS, show_warnings
from patchfield.images import Calibration, write_image, write_labels
from patchfield.probe import LinearProbe
from tests.cli.conftest import SHAPE, picture, run


def three_strokes(wrong: bool = False) -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    labels[[6, 20, 34], 4:20], labels[[6, 20, 34], 40:56] = 1, 2
    if wrong:
        labels[42, 4:20] = 2
    return labels


def trained(folder, labels):
    write_image(folder / "x.tif", picture(), Calibration(0.5, 0.5, "µm"))
    write_labels(folder / "l.png", labels)
    options = ("-b", "filters", "--sampling", "fast", "--save-probe", folder / "saved.probe")
    assert run("segment", folder / "x.tif", "--labels", folder / "l.png", "-o", folder / "out", *options) == 0
    return folder / "saved.probe"


def test_it_says_what_a_probe_knows_and_where_it_errs(tmp_path, capsys):
    probe = trained(tmp_path, three_strokes(wrong=True))
    capsys.readouterr()
    assert run("probe", probe) == 0
    said = capsys.readouterr().out
    for words in ("filters, fast", "1 image, 7 strokes", "500 nm", "mean of classes", "class 1", "75.0 %", "25.0 %"):
        assert words in said
    assert "42, 11" in said
    assert "x.tif" in said
    assert "1 of 7 strokes" in said
    assert "What it goes by" in said


def test_a_probe_of_few_strokes_says_what_would_tell(saved_probe, capsys):
    assert run("probe", saved_probe) == 0
    said = capsys.readouterr().out
    assert "unknown: 3 strokes" in said
    assert "pixel size  unknown" in said


def test_what_is_no_probe_is_refused_in_one_sentence(scans, capsys):
    assert run("probe", scans / "a.tif") == 1
    assert "no probe" in capsys.readouterr().err


def test_images_of_another_magnification_are_segmented_with_a_warning(tmp_path, capsys):
    probe = trained(tmp_path, three_strokes())
    assert LinearProbe.load(probe).training.pixel_size == (500.0, 500.0)
    write_image(tmp_path / "same.tif", picture(1), Calibration(0.6, 0.6, "µm"))
    write_image(tmp_path / "far.tif", picture(2), Calibration(2, 2, "µm"))
    capsys.readouterr()
    assert run("segment", tmp_path / "same.tif", tmp_path / "far.tif", "--probe", probe, "-o", tmp_path / "new") == 0
    said = capsys.readouterr().err
    assert f"Warning: {tmp_path / 'far.tif'}: its pixels are 2 µm wide, and the probe was trained on 500 nm" in said
    assert "same.tif" not in said


def test_many_warnings_are_counted(capsys):
    show_warnings([f"image {number}" for number in range(9)])
    assert ERRORS.stderr
    said = capsys.readouterr().err
    assert said.count("image") == 5
    assert "4 more" in said


def test_a_saved_probe_is_corrected_by_labels(tmp_path, capsys):
    probe = trained(tmp_path, three_strokes())
    write_image(tmp_path / "y.tif", picture(1))
    correction = np.zeros(SHAPE, np.uint8)
    correction[40:44, 4:20] = 3  # a new class on another image
    write_labels(tmp_path / "y_labels.png", correction)
    options = ("segment", tmp_path / "y.tif", "--labels", tmp_path / "y_labels.png", "--probe", probe)
    assert run(*options, "-o", tmp_path / "new", "--save-probe", probe) == 1
    assert "saved.probe" in capsys.readouterr().err
    assert run(*options, "-o", tmp_path / "new", "--save-probe", tmp_path / "corrected.probe") == 0
    corrected = LinearProbe.load(tmp_path / "corrected.probe")
    assert corrected.training.strokes == {1: 3, 2: 3, 3: 1}
    assert [source.name for source in corrected.kept.sources] == ["x.tif", "y.tif"]
    assert run(*options, "-o", tmp_path / "new", "-b", "filters", "--sampling", "fine") == 2
