"""What a run tells: numbers as JSON lines and TensorBoard events, its state in one small file, progress on screen."""

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from patchfield.atomic import atomic_path

METRICS = "metrics.jsonl"
STATUS = "status.json"

State = Literal["starting", "training", "evaluating", "finished", "stopped", "failed"]


class RunLog:
    """The logs of one run, in its output folder. A context manager.

    ``metrics.jsonl`` has one object per logged step; ``status.json`` always tells the latest, see
    :func:`write_status`.

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
    """

    def __init__(
        self,
        folder: Path,
        steps: int,
        first_step: int = 0,
        console: Console | None = None,
        title: str = "post-training",
    ) -> None:
        self._folder, self._steps = folder, steps
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

    def __enter__(self) -> "RunLog":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        self._events.close()
        self._lines.close()

    def step(self, step: int, measured: dict[str, float], seconds_left: float | None) -> None:
        """Log the numbers after `step` steps."""
        timing: dict[str, Any] = {} if seconds_left is None else {"seconds_left": round(seconds_left, 1)}
        line = {"step": step, **measured, **timing}
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()
        for name, value in measured.items():
            self._events.add_scalar(name, value, step)
        write_status(self._folder, "training", steps=self._steps, step=step, loss=measured.get("loss"), **timing)
        shown = "  ".join(
            f"{name} {measured[name]:.3f}"
            for name in ("loss", "divergence", "accuracy", "accuracy_other")
            if name in measured
        )
        self._progress.update(self._task, completed=step, measures=shown)
        if seconds_left is not None and not self._console.is_terminal:
            left = f"{seconds_left / 60:.1f} min left"
            self._console.print(f"step {step}/{self._steps}  {shown}  {left}", highlight=False)

    def advance(self, step: int) -> None:
        """Show that `step` steps are done, without numbers."""
        self._progress.update(self._task, completed=step)


def write_status(folder: Path, state: State, message: str = "", **facts: Any) -> None:
    """Replace the status file of a run, for programs that watch it.

    It holds ``state``, ``message`` (empty, or one sentence) and, while and after training, ``step``, ``steps``,
    ``loss`` and ``seconds_left``.
    """
    with atomic_path(folder / STATUS) as temporary:
        temporary.write_text(json.dumps({"state": state, "message": message, **facts}))


def _keep_until(path: Path, step: int) -> None:
    """Drop the lines of steps that will be run again, and a last line that was cut short."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except json.JSONDecodeError:
            continue
    with atomic_path(path) as temporary:
        temporary.write_text("".join(kept), encoding="utf-8")
