"""Checkpoints: written whole or not at all, read as tensors only."""

import json
import pickle
from pathlib import Path
from typing import Any

import torch

from patchfield.atomic import atomic_path
from patchfield.runs.folder import CHECKPOINT
from training.engine.settings import RunSettings, with_present_names
from training.errors import TrainingError


def write_checkpoint(folder: Path, settings: RunSettings, step: int, state: dict[str, Any]) -> None:
    """Write the state after `step` steps; a checkpoint that was there before stays until this one is complete.

    Raises
    ------
    TrainingError
        When the folder is full or cannot be written to.
    """
    path = folder / CHECKPOINT
    try:
        with atomic_path(path) as temporary:
            torch.save({"step": step, "settings": json.dumps(settings.trajectory()), "state": state}, temporary)
    except (OSError, RuntimeError) as error:
        # PyTorch's own writer raises a RuntimeError when the disk is full.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "is the disk full?"
        raise TrainingError(
            f"{path} cannot be written ({reason}): make room, then go on with --resume true from the last checkpoint."
        ) from error


def read_checkpoint(folder: Path, settings: RunSettings) -> tuple[int, dict[str, Any]] | None:
    """The number of steps done and the state after them; None when there is no checkpoint yet.

    Raises
    ------
    TrainingError
        When the checkpoint is damaged or belongs to a run with other settings.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        read = torch.load(path, map_location="cpu", weights_only=True)
        step, written, state = int(read["step"]), json.loads(read["settings"]), dict(read["state"])
        written = with_present_names(written, settings.RENAMED)
    except (OSError, EOFError, RuntimeError, LookupError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path} cannot be read: remove it and start the run again.") from error
    changed = sorted(_differences(written, settings.trajectory()))
    if changed:
        raise TrainingError(
            f"{path} belongs to a run with other settings ({', '.join(changed)}): resume with the same ones, or "
            "choose another --output."
        )
    if not 0 < step <= settings.steps:
        raise TrainingError(f"{path} is of step {step} of {settings.steps}: remove it and start the run again.")
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
