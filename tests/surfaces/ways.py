"""The ways into Patchfield: an array, a file, a layer opened from a file, the command line."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from numpy.typing import NDArray

from patchfield.cli import main
from patchfield.field import FeatureField, FeatureRecipe
from patchfield.images import ArrayStack, ImageSettings, PlaneIndex, read_image
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.layers import Role
from patchfield.pipeline import Extractor
from patchfield.probe import LinearProbe

RECIPE = FeatureRecipe("filters", "fast")


@dataclass
class Window:
    """The panel's controller with an image opened from its file, as napari's menu opens it."""

    controller: Controller

    @classmethod
    def opened(cls, path: Path, settings: ImageSettings) -> "Window":
        viewer = ViewerModel()
        controller = Controller(viewer, InlineRunner(), RECIPE, on_error=_raise)
        viewer.open(str(path), plugin="napari")
        annotations = controller.annotations
        if settings.axes is not None:
            annotations.set_axes(settings.axes)
        if settings.channels is not None:
            annotations.set_channels(settings.channels)
        annotations.set_contrast(settings.contrast)
        return cls(controller)

    def field(self, index: PlaneIndex) -> FeatureField:
        """The features of a plane, once the viewer shows it."""
        current = self.controller.current
        self.show(index)
        field = self.controller.features.field(current.plane(index))
        assert field is not None
        return field

    def show(self, index: PlaneIndex) -> None:
        """Move napari's sliders to a plane."""
        source = self.controller.current.source
        for axis, position in zip(source.layer_axes[:-2], index, strict=True):
            self.controller.viewer.dims.set_current_step(axis, position)

    def paint(self, index: PlaneIndex, labels: NDArray[np.integer]) -> None:
        """Paint strokes on a plane, class by class."""
        self.show(index)
        for value in np.unique(labels[labels > 0]):
            rows, columns = np.nonzero(labels == value)
            leading = [np.full(len(rows), position) for position in index]
            self.controller.current.labels.data_setitem((*leading, rows, columns), value)

    def segmentation(self, index: PlaneIndex) -> NDArray[np.integer]:
        """What the layer of the result shows of a plane."""
        self.show(index)
        return np.asarray(self.controller.current.result(Role.SEGMENTATION).data[index])


def _raise(error: Exception) -> None:
    raise error


def from_array(planes: NDArray[np.generic], axes: str, settings: ImageSettings, index: PlaneIndex) -> FeatureField:
    """The library, given an array."""
    letters = f"{axes}YXC"[: planes.ndim]
    return extractor_for(settings).field(ArrayStack(planes, letters), index)


def from_file(path: Path, settings: ImageSettings, index: PlaneIndex) -> FeatureField:
    """The library, given a file."""
    return extractor_for(settings).field(read_image(path, axes=settings.axes), index)


def from_probe(probe: Path, image: Path, index: PlaneIndex) -> tuple[FeatureField, NDArray[np.integer]]:
    """A saved probe: features made as it was trained, and what it says."""
    loaded = LinearProbe.load(probe)
    extractor = Extractor.load(loaded.recipes)
    field = extractor.field(read_image(image, axes=extractor.axes), index)
    return field, loaded.segment(field)


def extractor_for(settings: ImageSettings) -> Extractor:
    return Extractor.load(FeatureRecipe("filters", "fast", image=settings))


def run(*arguments: object) -> None:
    """The command line; anything but success is a failure."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    assert end.value.code == 0


def equal(first: FeatureField, second: FeatureField) -> bool:
    """Whether two fields hold the same tokens and say that they were made alike."""
    grids = [[grid for block in field.blocks for grid in block.grids] for field in (first, second)]
    same = all(bool((a.tokens == b.tokens).all()) for a, b in zip(*grids, strict=True))
    return same and first.recipes == second.recipes
