"""The command line of the third objective on eight small micrographs."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def command(micrographs: Path, tiny_vit: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """Makes the flags of a run of six steps; further ones win."""

    def flags(*further: str, output: Path = tmp_path / "run") -> list[str]:
        given = {
            "images": micrographs,
            "init": tiny_vit,
            "output": output,
            "steps": 6,
            "batch": 2,
            "workers": 0,
            "device": "cpu",
            "log_every": 1,
            "checkpoint_every": 2,
        }
        return [*(f"--{name}={value}" for name, value in given.items()), *further]

    return flags
