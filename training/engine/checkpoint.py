"""Checkpoints: written whole or not at all, read as tensors only."""

import json
import pickle
from pathlib import Path
from typing import Any, Protocol

import torch

from patchfield.atomic import atomic_path
from training.errors import TrainingError

FILE = "checkpoint.pt"


class Resumable(Protocol):
    """Settings of a run that can be taken up again."""

    def trajectory(self) -> dict[str, Any]:
        """JSON-able values that decide what comes out."""
        ...


def write_checkpoint(folder: Path, settings: Resumable, step: int, state: dict[str, Any]) -> None:
    """Write the state after `step` steps; a checkpoint that was there before stays until this one is complete."""
    with atomic_path(folder / FILE) as temporary:
        torch.save({"step": step, "settings": json.dumps(settings.trajectory()), "state": state}, temporary)


def read_checkpoint(folder: Path, settings: Resumable) -> tuple[int, dict[str, Any]] | None:
    """The number of steps done and the state after them; None when there is no checkpoint yet.

    Raises
    ------
    TrainingError
        When the checkpoint is damaged or belongs to a run with other settings.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        read = torch.load(path, map_location="cpu", weights_only=True)
        step, written, state = read["step"], json.loads(read["settings"]), read["state"]
    except (OSError, EOFError, RuntimeError, KeyError, pickle.UnpicklingError, json.JSONDecodeError) as error:
        raise TrainingError(f"{path} cannot be read: remove it and start the run again.") from error
    changed = sorted(_differences(written, settings.trajectory()))
    if changed:
        raise TrainingError(
            f"{path} belongs to a run with other settings ({', '.join(changed)}): resume with the same ones, or "
            "choose another --output."
        )
    return step, state


def _differences(first: Any, second: Any, name: str = "") -> set[str]:
    """Dotted names of the settings that differ."""
    if isinstance(first, dict) and isinstance(second, dict):
        names = first.keys() | second.keys()
        return {
            path
            for key in names
            for path in _differences(first.get(key), second.get(key), f"{name}.{key}" if name else key)
        }
    return set() if first == second else {name}
