"""The folder of a run: what its files are called, what they say, and who may work in it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Literal, get_args

from filelock import FileLock, Timeout

from patchfield.atomic import atomic_path
from patchfield.errors import PatchfieldError

CHECKPOINT = "checkpoint.pt"
"""Everything to go on from, replaced as a whole."""
METRICS = "metrics.jsonl"
"""One JSON object for each logged step; only appended to."""
STATUS = "status.json"
DESCRIPTION = "run.json"
"""Settings, versions and fingerprints."""
IMAGES = "images.json"
"""Every image with what was measured on it."""
LOCK = "run.lock"
"""Held by the process that works in the folder."""

_TAIL = 4096

State = Literal["starting", "training", "evaluating", "finished", "stopped", "failed"]


class ExitCode(IntEnum):
    """How the process of a run ended."""

    FINISHED = 0
    FAILED = 1
    STOPPED = 3
    """By a signal, with a checkpoint to go on from."""


class RunError(PatchfieldError):
    """A run cannot have this folder or name; the message is one complete sentence."""


@dataclass(frozen=True)
class RunProgress:
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
class RunStatus:
    """What a run is doing.

    Attributes
    ----------
    state : str
        starting, training, evaluating, finished, stopped or failed.
    message : str
        Empty, or one sentence.
    """

    state: State
    message: str = ""


def write_status(folder: Path, state: State, message: str = "", progress: RunProgress | None = None) -> None:
    """Replace the status file of a run, for programs that watch it.

    It holds ``state``, ``message`` (empty, or one sentence) and, while and after training, ``step``, ``steps``,
    ``loss`` and ``seconds_left``.

    Raises
    ------
    OSError
        When the folder cannot be written to.
    """
    status: dict[str, Any] = {"state": state, "message": message, **(asdict(progress) if progress else {})}
    with atomic_path(folder / STATUS) as temporary:
        temporary.write_text(json.dumps(status), encoding="utf-8")


def read_status(folder: Path) -> RunStatus | None:
    """What the status file of a run says; None where there is none that can be read."""
    read = read_json(folder / STATUS)
    if read is None or read.get("state") not in get_args(State):
        return None
    return RunStatus(read["state"], str(read.get("message", "")))


def read_progress(folder: Path, steps: int) -> RunProgress:
    """What the last line of the log says: that file is only appended to, so that reading it disturbs nobody."""
    for line in reversed(last_lines(folder / METRICS)):
        try:
            read = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(read, dict) and isinstance(read.get("step"), int):
            return RunProgress(read["step"], steps, read.get("loss"), read.get("seconds_left"))
    return RunProgress(0, steps)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object that a JSON file holds; None where there is no such file, or it is damaged."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return read if isinstance(read, dict) else None


def last_lines(path: Path) -> list[str]:
    """The last lines of a text file, up to 4 kB; the first of them may be cut. Empty where there is no such file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            return file.read().decode("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Be the only process that works in a run's folder; within this process the block may be nested.

    Raises
    ------
    RunError
        When another process works in it, or it cannot be made or written to.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with hold(folder):
    ...     is_held(folder)
    True
    >>> is_held(folder)
    False
    """
    folder = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file: choose another folder for the run.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, is_singleton=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(
            f"another process is still at work in {folder}: wait until it has ended, or choose another folder."
        ) from None
    except OSError as error:
        raise RunError(f"{folder} cannot be used ({error.strerror}): choose another folder for the run.") from error
    try:
        yield
    finally:
        lock.release()


def is_held(folder: Path) -> bool:
    """Whether a process works in a run's folder."""
    path = folder.resolve() / LOCK
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
