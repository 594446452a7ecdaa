"""The `patchfield` command: its parts, and how it ends.

Exit codes: 0 all went well, 1 something failed (the sentence is on stderr), 2 the arguments make no sense, 130 stopped
by Ctrl+C. What takes long to import is imported by the command that needs it.
"""

import io
import logging
import sys
import tempfile
import warnings
from pathlib import Path
from typing import NoReturn, Protocol, runtime_checkable

import typer

from patchfield.cli.compare import compare
from patchfield.cli.evaluating import evaluate
from patchfield.cli.objects import objects
from patchfield.cli.probing import probe
from patchfield.cli.project import app as project_app
from patchfield.cli.segmenting import segment
from patchfield.cli.showing import demo, info, models
from patchfield.cli.unlabelled import attention, clusters, pca
from patchfield.errors import error_sentence

app = typer.Typer(
    help="A few brush strokes on a micrograph become a full segmentation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (demo, segment, clusters, pca, attention, objects, evaluate, compare, probe, models, info):
    app.command()(command)
app.add_typer(project_app, name="project")


@runtime_checkable
class UsageError(Protocol):
    """What typer raises for arguments that make no sense; which package defines it depends on its version."""

    exit_code: int

    def format_message(self) -> str: ...


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command and leave with its exit code."""
    _prepare_console()
    try:
        code = app(arguments, prog_name="patchfield", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 (what a user sees of a defect is one line, too)
        sys.exit(_explain(error))
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: Exception) -> int:
    """Show what went wrong on stderr, and give the exit code that says so."""
    if isinstance(error, UsageError):
        message = error.format_message()
        print(message if message.startswith("Usage") or not message else f"Error: {message}", file=sys.stderr)
        return error.exit_code
    sentence = error_sentence(error)
    if sentence is None:
        from patchfield.batch.failures import LOG, defect_sentence

        sentence = defect_sentence(error, Path(tempfile.gettempdir()) / LOG)
    print(f"Error: {sentence}", file=sys.stderr)
    return 1


def _prepare_console() -> None:
    """Names of files in any encoding can be shown; what libraries only remark is not."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # tifffile logs every irregularity of files that it reads all the same; numpy warns of 0 / 0 where a result says so.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=RuntimeWarning)
    warnings.showwarning = _show_warning


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: object = None,
) -> None:
    """A warning as one line, without the place in the source that it comes from."""
    print(f"Warning: {' '.join(str(message).split())}", file=sys.stderr)
