"""A post-training run as the app sees it: what it was asked for, how far it is, what came of it.

Nothing of the package `training` is imported here; it runs as a process of its own.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from patchfield.atomic import atomic_path
from patchfield.backbones import weights_folder
from patchfield.errors import PatchfieldError
from patchfield.runs.folder import (
    CHECKPOINT,
    METRICS,
    STATUS,
    RunProgress,
    is_held,
    last_lines,
    read_json,
    read_progress,
    read_status,
)
from patchfield.runs.process import SupervisedProcess

MODULE = "training.neco"
SETTINGS = "adapt.json"
"""What the run was asked for: the options of `training.neco`, as its --config reads them."""
PROCESS_LOG = "process.log"

_CHECKPOINTS = 20
"""How many a run writes at least."""


class AdaptationError(PatchfieldError):
    """A backbone cannot be adapted to images; the message is one complete sentence."""


@dataclass(frozen=True)
class TrainingRun:
    """A run and its folder.

    Attributes
    ----------
    folder : Path
        Of this run alone.
    init : str
        A name or file for :func:`patchfield.load_backbone`.
    name : str
        Under which the result is listed.
    images : tuple of Path
        Files and folders.
    steps, batch : int
        Optimiser steps, and images per step.
    options : dict
        Further options of `training.neco` by their dotted names.
    """

    folder: Path
    init: str
    name: str
    images: tuple[Path, ...]
    steps: int
    batch: int
    options: dict[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def read(cls, folder: Path) -> "TrainingRun | None":
        """The run that a folder holds; None when the app began none there."""
        settings = read_json(folder / SETTINGS)
        if settings is None:
            return None
        try:
            images = tuple(map(Path, settings["images"]))
            return cls(folder, settings["init"], settings["name"], images, settings["steps"], settings["batch"])
        except (KeyError, TypeError):
            return None

    def write(self) -> None:
        """Write the settings file that the process reads.

        Raises
        ------
        AdaptationError
            When the folder holds something else, or a run that can be resumed.
        """
        if self.is_resumable:
            raise AdaptationError(f"'{self.name}' was begun and is not done: resume it, or choose another name.")
        if (self.folder / CHECKPOINT).exists():
            raise AdaptationError(f"{self.folder} holds a run that is done: choose another name.")
        if self.folder.is_dir() and any(self.folder.iterdir()) and TrainingRun.read(self.folder) is None:
            raise AdaptationError(f"{self.folder} holds other files: choose another name or folder.")
        settings: dict[str, Any] = {
            "images": [str(path) for path in self.images],
            "init": self.init,
            "output": str(self.folder),
            "name": self.name,
            "steps": self.steps,
            "batch": self.batch,
            # Incidental to the result: often enough that the bar moves and that a crash costs little.
            "log_every": 1,
            "checkpoint_every": min(100, -(-self.steps // _CHECKPOINTS)),
        }
        with atomic_path(self.folder / SETTINGS) as temporary:
            temporary.write_text(json.dumps(_nested({**settings, **self.options}), indent=1), encoding="utf-8")

    @property
    def is_finished(self) -> bool:
        """Whether it came to its end, or its result is there."""
        status = read_status(self.folder)
        if status is not None and status.state == "finished":
            return True
        return (weights_folder() / f"{self.name}.safetensors").is_file()

    @property
    def is_resumable(self) -> bool:
        """Whether it was interrupted, with a checkpoint to go on from."""
        return (self.folder / CHECKPOINT).is_file() and not self.is_finished

    @property
    def is_at_work(self) -> bool:
        """Whether a process of this or another session trains in the folder."""
        return is_held(self.folder)

    @property
    def progress(self) -> RunProgress:
        """How far it is."""
        return read_progress(self.folder, self.steps)

    @property
    def message(self) -> str:
        """Empty, or what the process said at its end."""
        status = read_status(self.folder)
        return status.message if status is not None else ""

    def start(self, *, resume: bool = False) -> SupervisedProcess:
        """Start the process, from the last checkpoint or from the beginning.

        Raises
        ------
        AdaptationError
            When a process is at work in the folder.
        """
        if self.is_at_work:
            raise AdaptationError(f"'{self.name}' is still at work in another process: wait until it has ended.")
        # What earlier processes said is not to be taken for the news of this one.
        (self.folder / STATUS).unlink(missing_ok=True)
        if not resume:
            (self.folder / METRICS).unlink(missing_ok=True)
        flags = ["--config", str(self.folder / SETTINGS), *(["--resume", "true"] if resume else [])]
        return SupervisedProcess(self.folder, MODULE, flags, self.folder / PROCESS_LOG, append=resume)

    def why_it_failed(self, code: int) -> str:
        """One sentence about a process that ended with an exit code that is neither finished nor stopped."""
        if self.message:
            return _sentence(self.message)
        if code < 0:
            return f"The training process was killed (signal {-code}), perhaps because memory was full."
        said = next((line.strip() for line in reversed(last_lines(self.folder / PROCESS_LOG)) if line.strip()), "")
        return _sentence(said.partition("Error: ")[2] or said or f"The training process ended with code {code}")


def runs_folder() -> Path:
    """Where runs are kept unless another folder is chosen: beside the weights that they become."""
    return weights_folder() / "runs"


def runs_below(root: Path) -> set[str]:
    """The names of the runs in a folder that came as far as a checkpoint."""
    return {path.parent.name for path in root.glob(f"*/{CHECKPOINT}")}


def unfinished_run(root: Path) -> TrainingRun | None:
    """The run below a folder that was interrupted last, and can go on."""
    found = [TrainingRun.read(path.parent) for path in root.glob(f"*/{SETTINGS}")]
    waiting = [run for run in found if run is not None and run.is_resumable and not run.is_at_work]
    return max(waiting, key=lambda run: (run.folder / CHECKPOINT).stat().st_mtime, default=None)


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    """{"a.b": 1} as {"a": {"b": 1}}."""
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        group, _, name = key.rpartition(".")
        (nested.setdefault(group, {}) if group else nested)[name] = value
    return nested


def _sentence(text: str) -> str:
    """With a capital and a full stop."""
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
