"""What the manifest points at: the panel, the reader of probes, the sample data."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari

from patchfield.errors import ProbeError
from patchfield.samples import endless, load_sample

PLUGIN = "napari-patchfield"
NO_LAYERS = [(None,)]
"""How napari learns that a file was read and adds no layer."""

LayerData = list[tuple[Any, dict[str, Any], str]]


def __getattr__(name: str) -> type:
    """The panel, imported when it is asked for: it brings PyTorch, and the samples do without."""
    if name == "PatchfieldPanel":
        from patchfield.napari._qt.panel import PatchfieldPanel

        return PatchfieldPanel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def probe_reader(path: str | list[str]) -> Callable[[Any], list[tuple[None]]] | None:
    """napari's question whether we read a path: yes for one file that ends with .probe."""
    return _load if isinstance(path, str) and Path(path).suffix == ".probe" else None


def _load(path: str) -> list[tuple[None]]:
    viewer = napari.current_viewer()
    if viewer is None:
        raise ProbeError(f"{path} is a probe, which needs a napari window: in scripts use LinearProbe.load.")
    _, docked = viewer.window.add_plugin_dock_widget(PLUGIN)
    docked.controller.files.load_probe(path)
    return NO_LAYERS


def layer_data(name: str) -> LayerData:
    """A sample as napari adds it.

    Raises
    ------
    ImageError
        When there is no such sample.
    """
    sample = load_sample(name)
    rgb = sample.image.ndim == 3 and sample.planes == 1
    return [(sample.image, {"name": sample.name, "rgb": rgb}, "image")]


def alloy() -> LayerData:
    return layer_data("alloy")


def grains() -> LayerData:
    return layer_data("grains")


def fibres() -> LayerData:
    return layer_data("fibres")


def nuclei() -> LayerData:
    return layer_data("nuclei")


def foam() -> LayerData:
    return layer_data("foam")


def microstructure() -> LayerData:
    """A different one each time; the layer's name tells its number."""
    return layer_data(f"{endless.NAME}-{secrets.randbelow(10**6)}")


def cell() -> LayerData:
    return layer_data("cell")


def glands() -> LayerData:
    return layer_data("glands")
