"""What all tests, doctests and examples of the documentation share: an environment that is the same everywhere."""

import itertools
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

_DECIDES_ELSEWHERE = (
    "CURL_CA_BUNDLE",
    "FORCE_COLOR",
    "GITHUB_ACTIONS",
    "LOCAL_WORLD_SIZE",
    "NO_COLOR",
    "PY_COLORS",
    "RANK",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TERMINAL_WIDTH",
    "WORLD_SIZE",
)
"""Variables of a user's or a CI's environment that would change what is tested."""


def _isolate() -> None:
    """Take settings of the hub, of proxies and of consoles out of the environment, also for child processes."""
    for name in list(os.environ):
        if name.startswith(("HF_", "HUGGINGFACE_")) or name.lower().endswith("_proxy") or name in _DECIDES_ELSEWHERE:
            del os.environ[name]
    empty = Path(_FOLDER.name)
    os.environ["HF_HOME"] = str(empty / "hub")
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["PATCHFIELD_WEIGHTS"] = str(empty / "weights")
    os.environ["PATCHFIELD_RECOVERY"] = str(empty / "recovery")
    os.environ["NAPARI_CONFIG"] = str(empty / "napari.yaml")
    if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):
        # Workers that each take all cores only wait for one another.
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))


# At import, before anything loads the hub's client, which reads its variables once.
_FOLDER = tempfile.TemporaryDirectory(prefix="patchfield-tests-")
_NUMBERS = itertools.count()
_isolate()


@pytest.fixture(autouse=True)
def recovery(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recovery folder that is empty at first: what is painted in one test is not offered to the next."""
    folder = Path(_FOLDER.name, f"recovery-{next(_NUMBERS)}")
    monkeypatch.setenv("PATCHFIELD_RECOVERY", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _doctests_have_a_folder(request: pytest.FixtureRequest) -> None:
    """Doctests write into a folder of their own."""
    if isinstance(request.node, pytest.DoctestItem):
        folder = request.getfixturevalue("tmp_path")
        request.getfixturevalue("monkeypatch").chdir(folder)


def _enter_example_folder(names: dict[str, Any]) -> None:
    """Examples of the documentation run in a folder of their own, which holds what they speak of."""
    import tifffile

    from patchfield.samples import load_sample

    names["folder"] = tempfile.TemporaryDirectory(prefix="patchfield-example-")
    names["before"] = Path.cwd()
    os.chdir(names["folder"].name)
    names["recovery"], os.environ["PATCHFIELD_RECOVERY"] = (
        os.environ["PATCHFIELD_RECOVERY"],
        str(Path("kept").resolve()),
    )
    sample = load_sample("alloy")
    tifffile.imwrite("alloy.tif", sample.image)
    names["labels"] = sample.strokes


def _leave_example_folder(names: dict[str, Any]) -> None:
    os.chdir(names["before"])
    os.environ["PATCHFIELD_RECOVERY"] = names["recovery"]
    names["folder"].cleanup()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["*.md", "docs/*.md"],
    setup=_enter_example_folder,
    teardown=_leave_example_folder,
).pytest()
