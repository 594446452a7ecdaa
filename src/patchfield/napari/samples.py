"""Sample data for napari's File > Open Sample."""

import secrets
from typing import Any

from patchfield.samples import endless, load_sample

LayerData = list[tuple[Any, dict[str, Any], str]]


def layer_data(name: str) -> LayerData:
    """A sample as napari adds it."""
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
    """Another one each time; the layer's name tells its number."""
    return layer_data(f"{endless.NAME}-{secrets.randbelow(10**6)}")


def cell() -> LayerData:
    return layer_data("cell")


def glands() -> LayerData:
    return layer_data("glands")
