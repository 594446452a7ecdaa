"""What the manifest points at: the panel, and the sample data."""

import secrets
from typing import TYPE_CHECKING, Any

import napari

from patchfield.errors import PatchfieldError
from patchfield.samples import endless, load_sample

if TYPE_CHECKING:
    from patchfield.napari._qt.panel import PatchfieldPanel

PLUGIN = "napari-patchfield"

LayerData = list[tuple[Any, dict[str, Any], str]]


def __getattr__(name: str) -> type:
    """The panel, imported when it is asked for: it brings PyTorch, and the samples do without."""
    if name == "PatchfieldPanel":
        from patchfield.napari._qt.panel import PatchfieldPanel

        return PatchfieldPanel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def opened_panel() -> "PatchfieldPanel":
    """The panel of the window at hand, opened where it is not.

    Raises
    ------
    PatchfieldError
        When there is no window.
    """
    viewer = napari.current_viewer()
    if viewer is None:
        raise PatchfieldError("This needs a napari window: in scripts use patchfield.LinearProbe.")
    _, panel = viewer.window.add_plugin_dock_widget(PLUGIN)
    found: PatchfieldPanel = panel
    return found


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
