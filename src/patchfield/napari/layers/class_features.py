"""What each class covers, as the features of the layer that shows the segmentation."""

from napari.components import ViewerModel
from napari.layers import Labels

from patchfield.napari.layers import roles
from patchfield.napari.layers.annotations import Annotations
from patchfield.napari.layers.results import Results
from patchfield.napari.layers.roles import Role
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.session.classes import ClassTable
from patchfield.napari.session.fractions import Fractions


class ClassFeatures:
    """Writes name and coverage of the classes into the features of segmentations.

    napari's status bar says them of the class below the mouse, and its features table lists them.

    Parameters
    ----------
    viewer : ViewerModel
    results : Results
    classes : ClassTable
    annotations : Annotations
    """

    def __init__(self, viewer: ViewerModel, results: Results, classes: ClassTable, annotations: Annotations) -> None:
        self._viewer = viewer
        self._results = results
        self._classes = classes
        self._annotations = annotations
        results.measured.connect(self.write)
        # After the results, which name the classes and know nothing of numbers.
        classes.changed.connect(self._write_all)

    def write(self, source: LayerStack) -> None:
        """Write what is known of an image's segmentation now."""
        layer = roles.find(self._viewer, source, Role.SEGMENTATION)
        if not isinstance(layer, Labels):
            return
        found = self._results.fractions(source)
        columns = roles.features_of_classes(self._classes.infos)
        if found is not None:
            values = columns["index"]
            columns["pixels"] = [_pixels(found, value) for value in values]
            columns["covers (%)"] = [round(100 * _pixels(found, value) / found.total, 3) for value in values]
            if found.pixel_area is not None:
                columns[f"area ({found.unit})"] = [_pixels(found, value) * found.pixel_area for value in values]
        layer.features = columns

    def _write_all(self) -> None:
        for annotated in self._annotations:
            self.write(annotated.source)


def _pixels(found: Fractions, value: int) -> int:
    """Pixels of a class; of none, what the classes leave."""
    return found.pixels.get(value, 0) if value else found.total - sum(found.pixels.values())
