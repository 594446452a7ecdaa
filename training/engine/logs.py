"""What a run reports: numbers as JSON lines and TensorBoard events, its state in one small file, progress on screen."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from patchfield.atomic import atomic_path
from patchfield.runs.folder import METRICS, RunProgress, write_status

_SHOWN = ("loss", "divergence", "accuracy", "accuracy_other")
"""Measures that a line on the screen has, where a run has them."""


class RunLog:
    """The logs of one run, in its output folder. A context manager.

    ``metrics.jsonl`` has one object per logged step; ``status.json`` always says the latest, see
    :func:`patchfield.runs.folder.write_status`.

    Parameters
    ----------
    folder : Path
    steps : int
        Steps of the run.
    first_step : int
        Steps already done: later lines of an interrupted run are dropped.
    console : rich.console.Console, optional
    title : str
        What the progress bar is called.

    Raises
    ------
    OSError
        When the folder cannot be written to.
    """

    def __init__(
        self,
        folder: Path,
        steps: int,
        first_step: int = 0,
        console: Console | None = None,
        title: str = "training",
    ) -> None:
        self._folder = folder
        self._steps = steps
        self._console = console or Console(stderr=True)
        _keep_until(folder / METRICS, first_step)
        self._lines = (folder / METRICS).open("a", encoding="utf-8")
        self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step)
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[measures]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task(title, total=steps, completed=first_step, measures="")
        write_status(folder, "training", progress=RunProgress(first_step, steps))

    def __enter__(self) -> "RunLog":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        self._events.close()
        self._lines.close()

    def step(self, step: int, measured: Mapping[str, float], seconds_left: float | None) -> None:
        """Log the numbers after `step` steps.

        Raises
        ------
        OSError
            When the folder cannot be written to.
        """
        seconds_left = None if seconds_left is None else round(seconds_left, 1)
        line: dict[str, Any] = {"step": step, **measured}
        if seconds_left is not None:
            line["seconds_left"] = seconds_left
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()
        for name, value in measured.items():
            self._events.add_scalar(name, value, step)
        progress = RunProgress(step, self._steps, measured.get("loss"), seconds_left)
        write_status(self._folder, "training", progress=progress)
        shown = "  ".join(f"{name} {measured[name]:.3f}" for name in _SHOWN if name in measured)
        self._progress.update(self._task, completed=step, measures=shown)
        if seconds_left is not None and not self._console.is_terminal:
            left = f"{seconds_left / 60:.1f} min left"
            self._console.print(f"step {step}/{self._steps}  {shown}  {left}", highlight=False)

    def advance(self, step: int) -> None:
        """Show that `step` steps are done, without numbers."""
        self._progress.update(self._task, completed=step)


def _keep_until(path: Path, step: int) -> None:
    """Drop the lines of steps that will be run again, and lines that are damaged or were cut short."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            read = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(read, dict) and isinstance(read.get("step"), int) and read["step"] <= step:
            kept.append(line + "\n")
    with atomic_path(path) as temporary:
        temporary.write_text("".join(kept), encoding="utf-8")
