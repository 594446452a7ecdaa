"""The layers that the plugin makes: found by what they carry, never by name; other people's are never touched."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer, Points
from napari.utils.colormaps import DirectLabelColormap
from napari.utils.transforms.transform_utils import shear_to_matrix

from patchfield.images.colors import NamedColor
from patchfield.napari.layers.stack import LayerStack

METADATA_KEY = "patchfield"
SMALLEST_RING = 36
"""Pixels on the canvas."""

_RING_WIDTH = 0.04


class Role(StrEnum):
    """What a layer of ours is for."""

    LABELS = "labels"
    SEGMENTATION = "segmentation"
    PROBABILITY = "probability"
    UNCERTAINTY = "uncertainty"
    PCA = "PCA"
    CLUSTERS = "clusters"
    SIMILARITY = "similarity"
    ATTENTION = "attention"
    FOREGROUND = "foreground"
    OBJECTS = "objects"
    MARK = "place"


RESULT_ROLES = (Role.SEGMENTATION, Role.PROBABILITY, Role.UNCERTAINTY)
TRANSIENT_ROLES = (Role.PCA, Role.CLUSTERS, Role.SIMILARITY, Role.ATTENTION, Role.FOREGROUND)
"""What is there only while it is looked at."""
LABEL_ROLES = (Role.LABELS, Role.SEGMENTATION, Role.CLUSTERS, Role.FOREGROUND, Role.OBJECTS)
_STYLES: dict[Role, dict[str, Any]] = {
    Role.LABELS: {"opacity": 0.9},
    Role.SEGMENTATION: {},
    Role.CLUSTERS: {"opacity": 0.6},
    Role.PROBABILITY: {"opacity": 0.75, "colormap": "viridis", "contrast_limits": (0, 1)},
    Role.UNCERTAINTY: {"opacity": 0.75, "colormap": "inferno", "contrast_limits": (0, 1)},
    Role.FOREGROUND: {"opacity": 0.6},
    # Its bright end is the similar one; turbo ends dark on both sides.
    Role.SIMILARITY: {"opacity": 0.75, "colormap": "inferno", "contrast_limits": (0, 1)},
    Role.ATTENTION: {"opacity": 0.75, "colormap": "inferno", "contrast_limits": (0, 1)},
    Role.PCA: {"opacity": 1.0, "rgb": True},
    Role.OBJECTS: {"opacity": 0.7},
}


def is_ours(layer: Layer) -> bool:
    return METADATA_KEY in layer.metadata


def is_over(layer: Layer, image: Layer) -> bool:
    """Whether a layer is one of ours that was made of an image."""
    return is_ours(layer) and bool(layer.metadata[METADATA_KEY]["image"] == str(image.unique_id))


def is_of(layer: Layer, image: str) -> bool:
    """Whether a layer is one of ours, for the image of an id."""
    return is_ours(layer) and str(layer.metadata[METADATA_KEY]["image"]) == image


def role(layer: Layer) -> Role | None:
    """What a layer of ours is for; None for all others."""
    return Role(layer.metadata[METADATA_KEY]["role"]) if is_ours(layer) else None


def find(viewer: ViewerModel, source: LayerStack, wanted: Role) -> Layer | None:
    """Our layer of that role for that image, whatever it is called by now."""
    return find_of(viewer, source.id, wanted)


def find_of(viewer: ViewerModel, image: str, wanted: Role) -> Layer | None:
    """Our layer of that role for the image of an id."""
    for layer in viewer.layers:
        if role(layer) is wanted and layer.metadata[METADATA_KEY]["image"] == image:
            return layer
    return None


def images(viewer: ViewerModel) -> list[Image]:
    """The image layers that are not ours, topmost first."""
    return [layer for layer in reversed(viewer.layers) if isinstance(layer, Image) and not is_ours(layer)]


def create(viewer: ViewerModel, source: LayerStack, made_for: Role, data: np.ndarray, **style: Any) -> Layer:
    """Add a layer of ours over its image: results below the labels, everything else in place as it was.

    Parameters
    ----------
    data : ndarray
        With the image's axes (see :attr:`LayerStack.layer_axes`), or its last two.
    """
    kind = Labels if made_for in LABEL_ROLES else Image
    shared = source.layer_axes
    axes = shared if data.ndim == len(shared) and made_for in LABEL_ROLES else shared[-2:]
    layer = kind(
        data,
        name=f"{source.title} {made_for}",
        metadata={METADATA_KEY: {"role": str(made_for), "image": source.id}},
        **(_STYLES[made_for] | style),
        **placement(source.layer, axes),
    )
    describe(layer, source)
    selection = set(viewer.layers.selection)
    viewer.layers.insert(_height(viewer, source, made_for), layer)
    if made_for is not Role.LABELS:
        viewer.layers.selection = selection
    return layer


def create_ring(
    viewer: ViewerModel, source: LayerStack, position: Sequence[float], diameter: float, color: str
) -> Points:
    """Add a ring around a pixel of an image, on top of all layers.

    Parameters
    ----------
    position : sequence of float
        Along all axes of the labels.
    diameter : float
        In pixels; on the canvas it is never so small that it is overlooked.
    """
    layer = Points(
        [position],
        name=f"{source.title} {Role.MARK}",
        metadata={METADATA_KEY: {"role": str(Role.MARK), "image": source.id}},
        size=diameter,
        symbol="disc",
        face_color="transparent",
        border_color=color,
        border_width=_RING_WIDTH,
        canvas_size_limits=(SMALLEST_RING, 10_000),
        **placement(source.layer, source.layer_axes),
    )
    layer.editable = False
    selection = set(viewer.layers.selection)
    viewer.layers.append(layer)
    viewer.layers.selection = selection
    return layer


def placement(image: Layer, axes: Sequence[int]) -> dict[str, Any]:
    """The transforms of some of an image's axes, as arguments of a layer: ours go where it is."""
    chosen = np.asarray(axes, dtype=int)
    block = np.ix_(chosen, chosen)
    homogeneous = np.append(chosen, image.ndim)
    shear = np.asarray(image.shear)
    shear = shear_to_matrix(shear, ndim=image.ndim) if shear.ndim == 1 else shear
    return {
        "scale": np.asarray(image.scale)[chosen],
        "translate": np.asarray(image.translate)[chosen],
        "rotate": np.asarray(image.rotate)[block],
        "shear": shear[block],
        "affine": np.asarray(image.affine)[np.ix_(homogeneous, homogeneous)],
        "units": tuple(image.units[axis] for axis in chosen),
        "axis_labels": tuple(image.axis_labels[axis] for axis in chosen),
    }


def follow(layer: Layer, source: LayerStack) -> None:
    """Put a layer of ours where its image is now."""
    for name, value in placement(source.layer, source.layer_axes[-layer.ndim :]).items():
        setattr(layer, name, value)
    describe(layer, source)


def colormap(colors: dict[int, str]) -> DirectLabelColormap:
    """Label value -> colour; every other value is invisible."""
    invisible: dict[int | None, str] = {None: "transparent", 0: "transparent"}
    return DirectLabelColormap(color_dict=invisible | colors)


def features_of_classes(classes: Mapping[int, NamedColor]) -> dict[str, Any]:
    """What napari's table of features and its status bar say of each label value: the name of its class."""
    values = sorted(classes)
    return {"index": [0, *values], "class": ["unlabelled", *(classes[value].name for value in values)]}


def describe(layer: Layer, source: LayerStack) -> None:
    """Note in a layer of ours what the axes of its image are and how large its pixels: writers see nothing else."""
    layer.metadata[METADATA_KEY] |= {"axes": source.axes, "calibration": source.calibration}


def forget_history(labels: Labels) -> None:
    """Make undo start anew: napari would write old pixels into data that was replaced since."""
    mode = labels.mode
    # A layer that becomes uneditable drops its history; there is no other public way (napari 0.9).
    labels.editable = False
    labels.editable = True
    labels.mode = mode


def _height(viewer: ViewerModel, source: LayerStack, made_for: Role) -> int:
    """Where in the stack of layers: labels on top, results below them, explanations below results."""
    top = len(viewer.layers)
    if made_for is Role.LABELS:
        return top
    above = (Role.LABELS,) if made_for in (Role.SEGMENTATION, Role.OBJECTS) else (Role.LABELS, Role.SEGMENTATION)
    found = [find(viewer, source, other) for other in above]
    return min((viewer.layers.index(layer) for layer in found if layer is not None), default=top)
