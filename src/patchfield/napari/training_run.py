"""A post-training run as the app sees it: a folder, a process, and small files that tell how far it is.

Nothing of the package `training` is imported here; it runs as a process of its own.
"""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from patchfield.atomic import atomic_path
from patchfield.backbones import weights_folder
from patchfield.errors import PatchfieldError
from patchfield.napari.leash import is_held

MODULE = "training.neco"
SETTINGS = "adapt.json"
"""What the run was asked for: the options of `training.neco`, as its --config reads them."""

_STATUS, _METRICS, _CHECKPOINT = "status.json", "metrics.jsonl", "checkpoint.pt"
_LOG, _LOCK = "process.log", "adapt.lock"
_TAIL = 4096
_CHECKPOINTS = 20
"""How many a run writes at least."""


class AdaptationError(PatchfieldError):
    """A backbone cannot be adapted to images; the message is one complete sentence."""


@dataclass(frozen=True)
class RunStatus:
    """How far a run is.

    Attributes
    ----------
    step, steps : int
        Steps done, and of the whole run.
    loss : float or None
        Of the last step.
    seconds_left : float or None
        Until the last step, once the pace is known.
    """

    step: int
    steps: int
    loss: float | None = None
    seconds_left: float | None = None


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
        settings = _read_json(folder / SETTINGS)
        if settings is None:
            return None
        images = tuple(map(Path, settings.pop("images")))
        return cls(folder, settings["init"], settings["name"], images, settings["steps"], settings["batch"])

    def write(self) -> None:
        """Write the settings file that the process reads.

        Raises
        ------
        AdaptationError
            When the folder holds something else, or a run that can be resumed.
        """
        if self.is_resumable:
            raise AdaptationError(f"'{self.name}' was begun and is not done: resume it, or choose another name.")
        if (self.folder / _CHECKPOINT).exists():
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
        told = _read_json(self.folder / _STATUS) or {}
        return told.get("state") == "finished" or (weights_folder() / f"{self.name}.safetensors").is_file()

    @property
    def is_resumable(self) -> bool:
        """Whether it was interrupted, with a checkpoint to go on from."""
        return (self.folder / _CHECKPOINT).is_file() and not self.is_finished

    @property
    def is_at_work(self) -> bool:
        """Whether a process of this or another session trains in the folder."""
        return is_held(self.folder / _LOCK)

    @property
    def status(self) -> RunStatus:
        """What the log's last line says: that file is only appended to, so that reading it is in nobody's way."""
        line = _last_json_line(self.folder / _METRICS)
        return RunStatus(line.get("step", 0), self.steps, line.get("loss"), line.get("seconds_left"))

    @property
    def message(self) -> str:
        """Empty, or what the process said at its end."""
        return (_read_json(self.folder / _STATUS) or {}).get("message", "")

    def start(self, *, resume: bool = False) -> "TrainingProcess":
        """Start the process, from the last checkpoint or from the beginning.

        Raises
        ------
        AdaptationError
            When a process is at work in the folder.
        """
        if self.is_at_work:
            raise AdaptationError(f"'{self.name}' is still at work in another process: wait until it has ended.")
        # What earlier processes told is not to be taken for the news of this one.
        (self.folder / _STATUS).unlink(missing_ok=True)
        if not resume:
            (self.folder / _METRICS).unlink(missing_ok=True)
        return TrainingProcess(self, resume)

    def why_it_failed(self, code: int) -> str:
        """One sentence about a process that ended with another exit code than 0 and 3."""
        if self.message:
            return _sentence(self.message)
        if code < 0:
            return f"The training process was killed (signal {-code}), perhaps because memory was full."
        line = _last_line(self.folder / _LOG)
        return _sentence(line.partition("Error: ")[2] or line or f"The training process ended with code {code}")


class TrainingProcess:
    """The process of a run. It ends when it is let go, and so it does when the app is gone.

    Parameters
    ----------
    run : TrainingRun
        Its settings are written.
    resume : bool
    """

    def __init__(self, run: TrainingRun, resume: bool) -> None:
        self.run = run
        # -P: a folder called `training` where napari was started must not be taken for ours.
        leash = [sys.executable, "-P", "-m", "patchfield.napari.leash", str(run.folder / _LOCK), MODULE]
        flags = ["--config", str(run.folder / SETTINGS), *(["--resume", "true"] if resume else [])]
        with (run.folder / _LOG).open("ab" if resume else "wb") as log:
            self._process = subprocess.Popen(
                [*leash, *flags],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl+C in the terminal is for the app, which then lets go.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )

    def stop(self) -> None:
        """Let go: the process finishes its step, writes a checkpoint and ends. Returns at once."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def wait(self, seconds: float) -> int | None:
        """The exit code, or None when the process runs on after some seconds."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


def runs_folder() -> Path:
    """Where runs are kept unless another folder is chosen: beside the weights that they become."""
    return weights_folder() / "runs"


def runs_below(root: Path) -> set[str]:
    """The names of the runs in a folder that came as far as a checkpoint."""
    return {path.parent.name for path in root.glob(f"*/{_CHECKPOINT}")}


def unfinished_run(root: Path) -> TrainingRun | None:
    """The run below a folder that was interrupted last, and can go on."""
    found = [TrainingRun.read(path.parent) for path in root.glob(f"*/{SETTINGS}")]
    waiting = [run for run in found if run is not None and run.is_resumable and not run.is_at_work]
    return max(waiting, key=lambda run: (run.folder / _CHECKPOINT).stat().st_mtime, default=None)


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    """{"a.b": 1} as {"a": {"b": 1}}."""
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        group, _, name = key.rpartition(".")
        (nested.setdefault(group, {}) if group else nested)[name] = value
    return nested


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None


def _tail(path: Path) -> list[str]:
    """The last lines of a file; the first of them may be cut."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            return file.read().decode("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _last_line(path: Path) -> str:
    return next((line.strip() for line in reversed(_tail(path)) if line.strip()), "")


def _last_json_line(path: Path) -> dict[str, Any]:
    """The last line that is written to its end."""
    for line in reversed(_tail(path)):
        try:
            return json.loads(line)
        except json.JSONDecodeError:
            continue
    return {}


def _sentence(text: str) -> str:
    """With a capital and a full stop."""
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
