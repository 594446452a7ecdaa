"""What the command line shows: progress bars, tables, failures."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from patchfield.errors import printable
from patchfield.field import ExtractionStep

OUT = Console()
ERRORS = Console(stderr=True)

_UNBROKEN = 10_000
"""Characters of a line that is written to a file or a pipe, where nothing has to fit."""


class Bars:
    """A progress bar on stderr for the crops of the file that is worked on; nothing where stderr is no terminal.

    Examples
    --------
    >>> with Bars() as bars:
    ...     bars(Path("a.tif"), ExtractionStep(1, 4, None))
    """

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=ERRORS, disable=not ERRORS.is_terminal, transient=True)
        self._task = self._progress.add_task("reading", total=None)
        self._path: Path | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, path: Path, step: ExtractionStep) -> None:
        if path != self._path or step.done <= 1:
            self._path = path
            self._progress.reset(self._task, description=escape(printable(path.name)))
        self._progress.update(self._task, completed=step.done, total=step.total)

    def download(self, done: int, total: int) -> None:
        """Show how much of a backbone's weights has arrived."""
        megabytes = f"downloading weights, {total / 1e6:,.0f} MB"
        self._progress.update(self._task, description=megabytes, completed=done, total=total)


@contextmanager
def stoppable(output: Path | None) -> Iterator[None]:
    """Let Ctrl+C end the command with one line and exit code 130; files are whole because they are written at once."""
    try:
        yield
    except KeyboardInterrupt:
        complain("Stopped." if output is None else f"Stopped. Results that were finished are in {output}.")
        raise typer.Exit(130) from None


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout; in a terminal that it is too wide for, only the longest column is broken."""
    table = Table(title=title, title_justify="left", title_style="bold")
    lengths = [max(len(row[index]) for row in rows) for index in range(len(columns))]
    for column, length in zip(columns, lengths, strict=True):
        longest = length == max(lengths)
        table.add_column(column, no_wrap=not longest, overflow="fold", min_width=None if longest else len(column))
    for row in rows:
        table.add_row(*(escape(printable(cell)) for cell in row))
    console = OUT if OUT.is_terminal else Console(width=_UNBROKEN)
    console.print(table)


def show_failures(failures: Mapping[Path, str]) -> None:
    """One line per file that failed, on stderr."""
    for reason in failures.values():
        complain(reason)


def show_warnings(sentences: Sequence[str], limit: int = 5) -> None:
    """A line for each of the first few warnings, on stderr, and how many there are more."""
    for sentence in sentences[:limit]:
        ERRORS.print(f"[yellow]Warning: {escape(printable(sentence))}[/yellow]", soft_wrap=True, highlight=False)
    if len(sentences) > limit:
        ERRORS.print(f"[yellow]Warning: and {len(sentences) - limit} more of this kind[/yellow]", highlight=False)


def say(sentence: str) -> None:
    """A line on stdout, unwrapped."""
    OUT.print(escape(printable(sentence)), soft_wrap=True, highlight=False)


def complain(sentence: str) -> None:
    """A line on stderr, unwrapped."""
    ERRORS.print(f"[red]{escape(printable(sentence))}[/red]", soft_wrap=True, highlight=False)
