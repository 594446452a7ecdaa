"""Fixtures that every room's tests share."""

import os
from pathlib import Path

import pytest

BESIDE_THE_PROJECT = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of oracles and labelled micrographs, from $PATCHFIELD_SHARED or beside the project."""
    folder = Path(os.environ.get("PATCHFIELD_SHARED", BESIDE_THE_PROJECT))
    if not (folder / "oracles" / "recipe.py").is_file():
        pytest.skip(
            f"reference data not found at {folder}: set PATCHFIELD_SHARED to the folder that holds oracles/ and data/"
        )
    return folder


@pytest.fixture(scope="session")
def recipe(shared: Path):
    """The module that makes the deterministic weights and inputs of the oracles."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("oracle_recipe", shared / "oracles" / "recipe.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
