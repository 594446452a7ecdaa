"""A supervised process never outlives its supervisor, and nobody else works in its folder."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from patchfield.runs.folder import ExitCode, is_held

WAITS = """
import signal, sys, time
from pathlib import Path
def tidy(*_):
    Path(sys.argv[1] + ".tidy").touch()
    sys.exit(3)
if sys.argv[2:]:
    signal.signal(signal.SIGTERM, tidy)
Path(sys.argv[1]).touch()
while True:
    time.sleep(0.01)
"""


def wait_until(condition) -> None:
    deadline = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def command(tmp_path: Path, monkeypatch) -> list[str]:
    """The command line of a module that waits until it is released."""
    (tmp_path / "waits.py").write_text(WAITS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    return [
        sys.executable,
        "-P",
        "-m",
        "patchfield.runs.process",
        str(tmp_path / "run"),
        "waits",
        str(tmp_path / "ready"),
    ]


def test_the_process_ends_when_whoever_started_it_is_killed(command, tmp_path):
    start = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE); time.sleep(99)"
    app = subprocess.Popen([sys.executable, "-c", start, *command, "handles"])
    wait_until((tmp_path / "ready").exists)
    assert is_held(tmp_path / "run")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as second:
        assert "still at work in" in second.stderr.read()
    assert second.returncode == 1
    app.kill()
    app.wait()
    wait_until((tmp_path / "ready.tidy").exists)
    wait_until(lambda: not is_held(tmp_path / "run"))


def test_a_module_that_handles_no_signals_yet_is_stopped_too(command, tmp_path):
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    wait_until((tmp_path / "ready").exists)
    process.stdin.close()
    assert process.wait(10) == ExitCode.STOPPED
