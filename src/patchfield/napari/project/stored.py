"""Images that wait in files: what is known of them is said at once, pixels are read when they are asked for."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from patchfield.images import Calibration, ImageSettings, LazyArray, PlaneIndex, Stack, read_image
from patchfield.napari.layers.stack import LayerStack
from patchfield.store import ArrangedStack, ProjectImage, arranged


@dataclass(frozen=True)
class FileStack:
    """An image of a file, with the planes that labels are kept of; read at the first glance at its pixels.

    Attributes
    ----------
    path : Path
    settings : ImageSettings
    axes : str
    lengths : tuple of int
    shape : (int, int)
    channels : int
        As :class:`patchfield.images.Stack` has them.
    """

    path: Path
    settings: ImageSettings
    axes: str
    lengths: tuple[int, ...]
    shape: tuple[int, int]
    channels: int

    @classmethod
    def from_stored(cls, image: ProjectImage) -> Self:
        """An image of a project."""
        return cls(image.path, image.settings, image.axes, image.lengths, image.shape, image.channels)

    @classmethod
    def from_layer(cls, source: LayerStack, path: Path) -> Self:
        """The image that a layer showed which is closed now."""
        return cls(path, source.settings, source.axes, source.lengths, source.shape, source.channels)

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._stack.dtype

    @property
    def calibration(self) -> Calibration | None:
        return self._stack.calibration

    def pixels_at(self, index: PlaneIndex) -> LazyArray:
        """The plane at `index`.

        Raises
        ------
        ImageError
            When the file cannot be read, or holds another image now.
        """
        return self._stack.pixels_at(index)

    @cached_property
    def _stack(self) -> Stack:
        return arranged(read_image(self.path, axes=self.settings.axes), self.axes, self.lengths)


def index_in_project(image: ProjectImage, source: Stack, index: PlaneIndex) -> PlaneIndex:
    """What a project calls a plane that a layer calls `index`: their axes may be in another order.

    Raises
    ------
    ImageError
        When the planes of the layer are others.
    """
    sources = _sources(image, source)
    own = {axis: position for axis, position in zip(sources, index, strict=True) if axis is not None}
    return tuple(own.get(axis, 0) for axis in range(len(image.lengths)))


def index_in_layer(image: ProjectImage, source: Stack, index: PlaneIndex) -> PlaneIndex:
    """What a layer calls the plane that a project calls `index`.

    Raises
    ------
    ImageError
        When the planes of the layer are others.
    """
    return tuple(0 if axis is None else index[axis] for axis in _sources(image, source))


def _sources(image: ProjectImage, source: Stack) -> tuple[int | None, ...]:
    """For each leading axis of a layer the one of the project's image that it is."""
    seen = arranged(source, image.axes, image.lengths)
    return seen.sources if isinstance(seen, ArrangedStack) else tuple(range(len(image.lengths)))
