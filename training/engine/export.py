"""The trained networks as backbones that the app can load."""

import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from patchfield.atomic import atomic_path
from patchfield.backbones import load_backbone, models, weights_folder
from patchfield.runs.names import check_name, listed_names
from training.engine.objective import BatchT, ExportedNetwork, Objective, SettingsT
from training.engine.settings import RunSettings
from training.engine.step import Stepper
from training.errors import TrainingError

_SPARE = 64 * 2**20
"""Bytes that logs and the index of images may need."""


def check_target(settings: RunSettings, run: str) -> None:
    """Refuse, before hours are spent, what could not be exported at the end.

    Parameters
    ----------
    settings : RunSettings
    run : str
        Identity of the run, which its exported files hold.

    Raises
    ------
    PatchfieldError
        When the name cannot be one, is that of a published backbone or of another run's, or the folder of weights
        cannot be written to.
    """
    name = settings.model_name
    check_name(name)
    known = {weight.name for weight in models()}
    for listed in listed_names(name):
        path = _listed_path(listed)
        if path.exists():
            if not _is_made_by(path, run):
                raise TrainingError(
                    f"there is a backbone '{listed}' of another run already ({path}): choose another --name for this "
                    "one, or remove that file."
                )
        elif listed in known:
            raise TrainingError(f"'{listed}' is the name of a published backbone: choose another --name for yours.")
    _check_writable(weights_folder())


def check_room(folder: Path, stepper: Stepper[Any], networks: Sequence[ExportedNetwork], is_resumed: bool) -> None:
    """Refuse to start when the disk cannot hold the checkpoints and what is exported.

    Parameters
    ----------
    folder : Path
        The output folder.
    stepper : Stepper
    networks : sequence of ExportedNetwork
    is_resumed : bool
        Whether there is a checkpoint already; a new one is written beside it and then takes its place.

    Raises
    ------
    TrainingError
    """
    exported = sum(tensor.nbytes for network in networks for tensor in network.tensors().values())
    checkpoint = _bytes(stepper.state_dict())
    checkpoints = checkpoint if is_resumed else 2 * (checkpoint + stepper.moment_bytes)
    weights = weights_folder()
    same_disk = folder.stat().st_dev == weights.stat().st_dev
    for where, needed in ((folder, checkpoints + exported * (1 + same_disk) + _SPARE), (weights, exported)):
        free = shutil.disk_usage(where).free
        if free < needed:
            raise TrainingError(
                f"{where} has {free / 1e9:.1f} GB left, and this run needs {needed / 1e9:.1f} GB: make room, or choose "
                "another folder."
            )


def check_finite(network: ExportedNetwork) -> None:
    """Refuse to export weights that are no numbers.

    Raises
    ------
    TrainingError
    """
    if not all(bool(tensor.isfinite().all()) for tensor in network.tensors().values()):
        raise TrainingError(
            f"{network.file} is not written: its weights are no longer numbers. Start again with a lower learning rate."
        )


def export(objective: Objective[SettingsT, BatchT], step: int, run: str) -> tuple[list[Path], str]:
    """Write the networks into the output folder and into the folder of weights that the app lists.

    The first, the better one as a rule, is listed under the run's name, the others under that name and their suffix.

    Returns
    -------
    written : list of Path
        In the output folder.
    message : str
        Empty, or one sentence about why they are not listed.

    Raises
    ------
    TrainingError
        When weights are no numbers.
    OSError
        When a folder is full or cannot be written to.
    """
    settings, init = objective.settings, objective.init
    message = ""
    written = []
    for network in objective.networks():
        check_finite(network)
        details = {
            "summary": f"{network.summary} ({step} steps, {datetime.now(UTC):%Y-%m-%d})",
            "licence": f"as {Path(init).name}" if init is not None else "yours",
            "init": init,
            "steps": step,
            "settings": settings.fingerprint(),
            "run": run,
        }
        path = Path(settings.output) / network.file
        network.write(path, details)
        load_backbone(path, device="cpu")
        written.append(path)
        listed = _listed_path(f"{settings.model_name}{network.suffix}")
        if listed.exists() and not _is_made_by(listed, run):
            message = f"{listed} has been written by another run meanwhile: {path} is not in the list of backbones."
            continue
        network.write(listed, details)
    return written, message


def _listed_path(name: str) -> Path:
    return weights_folder() / f"{name}.safetensors"


def _is_made_by(path: Path, run: str) -> bool:
    """Whether the header of an exported file names the run."""
    try:
        with safe_open(path, framework="pt") as file:
            return any(f'"run": "{run}"' in text for text in (file.metadata() or {}).values())
    except (OSError, SafetensorError):
        return False


def _check_writable(folder: Path) -> None:
    try:
        with atomic_path(folder / "writable") as probe:
            probe.write_bytes(b"?")
        (folder / "writable").unlink()
    except OSError as error:
        raise TrainingError(
            f"{folder}, where trained backbones are listed from, cannot be written to ({error.strerror}): make room, "
            "or set PATCHFIELD_WEIGHTS to another folder."
        ) from error


def _bytes(state: Any) -> int:
    """Of the tensors of a nested state."""
    if isinstance(state, Tensor):
        return state.nbytes
    if isinstance(state, Mapping):
        return sum(map(_bytes, state.values()))
    return sum(map(_bytes, state)) if isinstance(state, list | tuple) else 0
