"""A process that ends when whoever started it is gone: ``python -m patchfield.runs.process FOLDER MODULE ...``.

Its standard input is kept open by the supervisor. When that end is closed, by the supervisor or by the operating
system because the supervisor is gone, SIGTERM's handler is called in the module, on every operating system. So no
process is left behind, however the supervisor ended. FOLDER is the folder of the run; nobody else works in it
meanwhile.
"""

import _thread
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from patchfield.errors import PatchfieldError
from patchfield.runs.folder import ExitCode, hold

PATIENCE = 600.0
"""Seconds that a module has to end after its supervisor let go: a step of the largest backbone on a laptop."""

_NICENESS = 10
"""The supervisor, in which somebody paints, goes first."""


class SupervisedProcess:
    """A module in a process of its own, which ends when it is released or its supervisor is gone.

    Parameters
    ----------
    folder : Path
        Of the run.
    module : str
        Run as ``python -m`` would do.
    arguments : sequence of str
    log : Path
        Where its output goes.
    append : bool
        Keep what the log holds already.

    Raises
    ------
    OSError
        When the log cannot be written.
    """

    def __init__(self, folder: Path, module: str, arguments: Sequence[str], log: Path, append: bool = False) -> None:
        # -P: a folder called `training` where the supervisor was started must not be taken for the package.
        command = [sys.executable, "-P", "-m", "patchfield.runs.process", str(folder), module, *arguments]
        with log.open("ab" if append else "wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl+C in the terminal is for the supervisor, which then releases its processes.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )

    def release(self) -> None:
        """Ask it to end: a run finishes its step and writes a checkpoint. Returns at once."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def wait(self, seconds: float) -> int | None:
        """The exit code, or None when the process runs on after some seconds."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


def main(folder: str, module: str, *arguments: str) -> None:
    """Run `module` with `arguments` as ``python -m`` would do, until the standard input is closed."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    try:
        with hold(Path(folder)):
            signal.signal(signal.SIGTERM, _leave)
            threading.Thread(target=_watch_supervisor, daemon=True).start()
            sys.argv = [module, *arguments]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except PatchfieldError as error:
        sys.exit(f"Error: {error}")


def _watch_supervisor() -> None:
    """Wait until standard input is closed, then end the module: it may finish what it is at, but not for ever."""
    while os.read(0, 1024):
        continue
    _thread.interrupt_main(signal.SIGTERM)
    time.sleep(PATIENCE)
    os._exit(ExitCode.STOPPED)


def _leave(number: int, frame: FrameType | None) -> None:
    """What SIGTERM does while the module does not handle it itself: files that are being written are tidied up."""
    sys.exit(ExitCode.STOPPED)


if __name__ == "__main__":
    main(*sys.argv[1:])
