"""A probe that is dropped on napari is loaded into the panel."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari

from patchfield.errors import ProbeError

PLUGIN = "napari-patchfield"
NO_LAYERS = [(None,)]
"""How napari is told that a file was read and adds no layer."""


def probe_reader(path: str | list[str]) -> Callable[[Any], list[tuple[None]]] | None:
    """napari's question whether we read a path: yes for one file that ends with .probe."""
    return _load if isinstance(path, str) and Path(path).suffix == ".probe" else None


def _load(path: str) -> list[tuple[None]]:
    viewer = napari.current_viewer()
    if viewer is None:
        raise ProbeError(f"{path} is a probe, which needs a napari window: in scripts use LinearProbe.load.")
    _, panel = viewer.window.add_plugin_dock_widget(PLUGIN)
    panel.files.load_probe(path)
    return NO_LAYERS
