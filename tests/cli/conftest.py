"""Small files of one material, and the command run on them as a user runs it."""

from pathlib import Path

import numpy as np
import pytest

from patchfield.cli import main
from patchfield.images import Calibration, write_image, write_labels

CALIBRATION = Calibration(0.5, 0.5, "µm")
SHAPE = (48, 64)


def run(*arguments: str | Path) -> int:
    """The exit code of ``patchfield ARGUMENTS``."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return left.value.code


def picture(seed: int = 0) -> np.ndarray:
    """A dark half and a bright one, with noise: (48, 64) uint8."""
    values = np.full(SHAPE, 60.0)
    values[:, 32:] = 180
    return (values + np.random.default_rng(seed).normal(0, 5, SHAPE)).astype(np.uint8)


def strokes() -> np.ndarray:
    """A stroke in each half."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[20:24, 4:20], labels[20:24, 40:56] = 1, 2
    return labels


def truth() -> np.ndarray:
    """Class 1 left, class 2 right."""
    return np.where(np.arange(SHAPE[1]) < 32, 1, 2) * np.ones(SHAPE, np.uint8)


@pytest.fixture
def scans(tmp_path) -> Path:
    """Three calibrated images; the first one has strokes in labels/, all have masks in masks/."""
    for number, name in enumerate("abc"):
        write_image(tmp_path / "scans" / f"{name}.tif", picture(number), CALIBRATION)
        write_labels(tmp_path / "masks" / f"{name}.png", truth())
    write_labels(tmp_path / "labels" / "a_strokes.png", strokes())
    return tmp_path / "scans"


@pytest.fixture(scope="session")
def saved_probe(tmp_path_factory) -> Path:
    """A probe of `filters` for such images."""
    folder = tmp_path_factory.mktemp("probe")
    write_image(folder / "x.png", picture())
    write_labels(folder / "l.png", strokes())
    options = ("-b", "filters", "--sampling", "fast", "--save-probe", folder / "saved.probe")
    assert run("segment", folder / "x.png", "--labels", folder / "l.png", "-o", folder / "out", *options) == 0
    return folder / "saved.probe"
