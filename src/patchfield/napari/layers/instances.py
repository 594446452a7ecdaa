"""Objects as a labels layer: a number for each, and a table of their features."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels
from numpy.typing import NDArray

from patchfield.images import PlaneIndex
from patchfield.napari.layers import roles
from patchfield.napari.layers.roles import Role
from patchfield.napari.layers.stack import LayerStack


def show_instances(
    viewer: ViewerModel,
    source: LayerStack,
    instances: NDArray[np.int32],
    index: PlaneIndex | None,
    table: Mapping[str, NDArray[Any]],
) -> Labels:
    """Show objects over their image, in place of those that were found before.

    Parameters
    ----------
    viewer : ViewerModel
    source : LayerStack
    instances : ndarray of int32
        Of a plane, (H, W), or of all planes.
    index : tuple of int or None
        The plane; None for all of them.
    table : mapping
        As :func:`patchfield.objects` gives it; it becomes the layer's features.
    """
    data = instances
    if index:
        data = np.zeros(source.labels_shape, np.int32)
        data[index] = instances
    layer = roles.find(viewer, source, Role.OBJECTS)
    if isinstance(layer, Labels):
        layer.data = data
        roles.forget_history(layer)
        layer.visible = True
    else:
        layer = roles.create(viewer, source, Role.OBJECTS, data)
        assert isinstance(layer, Labels)
    layer.features = features_of(table)
    return layer


def features_of(table: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """A table as a labels layer has it: its column "index" says which label a row is of.

    Examples
    --------
    >>> list(features_of({"object": np.array([1, 2]), "area (px)": np.array([9, 4])}))
    ['index', 'area (px)']
    """
    return {"index" if name == "object" else name: np.asarray(values) for name, values in table.items()}
