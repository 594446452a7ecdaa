"""What all tests, doctests and examples of the documentation share: an environment that is the same everywhere."""

import os
import tempfile
from pathlib import Path

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
    os.environ["NAPARI_CONFIG"] = str(empty / "napari.yaml")


# At import, before anything loads the hub's client, which reads its variables once.
_FOLDER = tempfile.TemporaryDirectory(prefix="patchfield-tests-")
_isolate()
