"""Run a module as a process that stops when it is let go: ``python -m patchfield.napari.leash LOCK MODULE ...``.

Standard input is the leash. When its other end is closed, by the app or by the operating system because the app is
gone, SIGTERM's handler is called in the module, on every operating system. So no process is left behind, however the
app ended. LOCK is a file that is held meanwhile: nobody else works in the same folder.
"""

import _thread
import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

STOPPED = 3
"""The exit code of a process that was stopped, as `training.neco` has it."""

PATIENCE = 600.0
"""Seconds that a module has to end after it was let go: a step of the largest backbone on a laptop."""

_NICENESS = 10
"""Whoever paints meanwhile goes first."""


def main(lock: str, module: str, *arguments: str) -> None:
    """Run `module` with `arguments` as ``python -m`` would do."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        sys.exit("Another process is still at work in this folder: wait until it is done, then try again.")
    with held:
        signal.signal(signal.SIGTERM, _leave)
        threading.Thread(target=_follow, daemon=True).start()
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)


def is_held(lock: Path) -> bool:
    """Whether a process runs that holds this lock."""
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


def _follow() -> None:
    """Wait until the leash is let go, then end the module: it may finish what it is at, but not for ever."""
    while os.read(0, 1024):
        continue
    _thread.interrupt_main(signal.SIGTERM)
    time.sleep(PATIENCE)
    os._exit(STOPPED)


def _leave(number: int, frame: FrameType | None) -> None:
    """What SIGTERM does while the module has no answer to it of its own: files that are being written are tidied up."""
    sys.exit(STOPPED)


if __name__ == "__main__":
    main(*sys.argv[1:])
