"""Projects of small images."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from patchfield.field import FeatureRecipe
from patchfield.images import write_image
from patchfield.store import Project

SHAPE = (48, 64)
FILTERS = FeatureRecipe("filters", "fast")


def picture(seed: int = 0, planes: int | None = None) -> np.ndarray:
    """A dark half and a bright one, with noise: (48, 64) uint8, or a stack of these."""
    values = np.full(SHAPE if planes is None else (planes, *SHAPE), 60.0)
    values[..., 32:] = 180
    return (values + np.random.default_rng(seed).normal(0, 5, values.shape)).astype(np.uint8)


def strokes() -> np.ndarray:
    """A stroke in each half."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[20:24, 4:20], labels[20:24, 40:56] = 1, 2
    return labels


@pytest.fixture
def scan(tmp_path) -> Path:
    write_image(tmp_path / "scans" / "a.tif", picture())
    return tmp_path / "scans" / "a.tif"


@pytest.fixture
def movie(tmp_path) -> Path:
    write_image(tmp_path / "scans" / "movie.tif", picture(planes=5), axes="T")
    return tmp_path / "scans" / "movie.tif"


@pytest.fixture
def project(tmp_path) -> Iterator[Project]:
    with Project.create(tmp_path / "steel.patchfield", FILTERS) as made:
        yield made


@pytest.fixture(autouse=True)
def recovery(tmp_path, monkeypatch) -> Path:
    """A recovery folder that is empty at first."""
    monkeypatch.setenv("PATCHFIELD_RECOVERY", str(tmp_path / "recovery"))
    return tmp_path / "recovery"
