"""Fixtures that every room's tests share."""

import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

DATA = Path(__file__).parent / "data"
BESIDE_THE_PROJECT = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of labelled micrographs, from $PATCHFIELD_SHARED or beside the project."""
    folder = Path(os.environ.get("PATCHFIELD_SHARED", BESIDE_THE_PROJECT))
    if not (folder / "data").is_dir():
        pytest.skip(f"no labelled micrographs at {folder}: set PATCHFIELD_SHARED to the folder that holds data/")
    return folder


@pytest.fixture(scope="session")
def recipe() -> ModuleType:
    """The module that makes the deterministic weights and inputs of the reference values."""
    spec = importlib.util.spec_from_file_location("oracle_recipe", DATA / "recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def oracles() -> Callable[[str], tuple[dict[str, dict], dict[str, np.ndarray]]]:
    """Read the cases and the arrays of a set of reference values, by its name in tests/data."""

    def read(name: str) -> tuple[dict[str, dict], dict[str, np.ndarray]]:
        with np.load(DATA / f"{name}.npz") as arrays:
            return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8")), dict(arrays)

    return read
