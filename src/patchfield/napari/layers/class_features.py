"""What each class covers, as the features of the layer that shows the segmentation."""

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels

from patchfield.napari.layers import roles
from patchfield.napari.layers.results import Results
from patchfield.napari.layers.roles import Role
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.session.classes import ClassTable


class ClassFeatures:
    """Writes name and coverage of the classes into the features of segmentations.

    napari's status bar says them of the class below the mouse, and its features table lists them.

    Parameters
    ----------
    viewer : ViewerModel
    results : Results
    classes : ClassTable
    """

    def __init__(self, viewer: ViewerModel, results: Results, classes: ClassTable) -> None:
        self._viewer = viewer
        self._results = results
        self._classes = classes
        results.measured.connect(self.write)

    def write(self, source: LayerStack) -> None:
        """Write what is known of an image's segmentation now."""
        layer = roles.find(self._viewer, source, Role.SEGMENTATION)
        if not isinstance(layer, Labels):
            return
        found, entries = self._results.fractions(source), list(self._classes)
        if found is None:
            layer.features = {}
            return
        values = [entry.value for entry in entries]
        columns = {
            "index": np.array(values),
            "class": np.array([entry.name for entry in entries], dtype=object),
            "pixels": np.array([found.pixels.get(value, 0) for value in values]),
            "covers (%)": np.array([round(100 * found.share(value), 3) for value in values]),
        }
        if found.pixel_area is not None:
            columns[f"area ({found.unit})"] = np.array([found.area(value) for value in values])
        layer.features = columns
