"""Labels layers as files, from napari's own save dialogs: written as the command line writes them."""

from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.layers import Labels

from patchfield.errors import LabelError
from patchfield.images import Calibration, write_labels
from patchfield.images.colors import LabelClass, NamedColor
from patchfield.napari.layers.content import axes_of_layer, calibration_of_layer
from patchfield.napari.layers.roles import METADATA_KEY


def save_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a labels layer with the axes, the pixel size and the names and colours of the classes that it has.

    Raises
    ------
    LabelError
        When a layer was opened from that file, which would be replaced.
    ImageError
        When the format cannot hold the labels.
    """
    _check_that_no_layer_is_replaced(Path(path))
    ours = attributes.get("metadata", {}).get(METADATA_KEY, {})
    axes, calibration = _said(Labels(np.zeros((1,) * np.ndim(data), np.uint8), **_placement(attributes)))
    write_labels(
        path,
        np.asarray(data),
        ours.get("calibration", calibration),
        axes=ours.get("axes", axes),
        classes=_classes(attributes),
    )
    return [path]


def _placement(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: attributes[name] for name in ("scale", "units", "axis_labels", "name") if name in attributes}


def _said(layer: Labels) -> tuple[str, Calibration | None]:
    """What a layer itself says of its axes and its pixel size."""
    letters = axes_of_layer(layer)
    return letters.removesuffix("YX"), calibration_of_layer(layer, letters)


def _classes(attributes: dict[str, Any]) -> dict[int, NamedColor]:
    """Names and colours of the classes of a layer of ours, or of one that was read from a file of ours."""
    metadata = attributes.get("metadata", {})
    said = metadata.get(METADATA_KEY, metadata).get("classes", {})
    return {int(value): LabelClass(info.name, info.color) for value, info in said.items()}


def _check_that_no_layer_is_replaced(path: Path) -> None:
    viewer = napari.current_viewer()
    opened = () if viewer is None else (layer.source.path for layer in viewer.layers)
    if any(Path(file).resolve() == path.resolve() for file in opened if file):
        raise LabelError(f"{path} is open here, and writing would replace it: choose another name.")
