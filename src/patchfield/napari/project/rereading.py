"""Images that napari's own reader took for something else, or only in part: read again, as the command line does."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer
from psygnal import Signal

from patchfield.errors import ImageError
from patchfield.images import read_image
from patchfield.images.roles import FileRole, file_role
from patchfield.napari.jobs import Job, Slot
from patchfield.napari.layers import roles
from patchfield.napari.layers.opening import ReadFile, add_layer, read_file
from patchfield.napari.workspace import Workspace

BUILTIN = "napari"
"""What layers say that napari's own reader made."""
_PIECE = 512
_SMOOTH = 0.5
"""Labels have more pixels than this whose neighbour has the same value; images of many grey values have fewer."""


class Rereading:
    """Replaces a layer that was just opened where its file holds more, or something else, than it shows.

    napari's own reader takes the first of several positions or pages, and whole numbers of 32 bits for labels. What
    was painted on, and what other plugins or scripts made, is left alone.

    Parameters
    ----------
    workspace : Workspace
    """

    said = Signal(str)
    """What was read again, and why: a sentence."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._slot = Slot(workspace.runner)
        self._inserting = False
        workspace.viewer.layers.events.inserted.connect(self._on_inserted)

    def close(self) -> None:
        """Stop listening."""
        self._slot.cancel()
        self._workspace.viewer.layers.events.inserted.disconnect(self._on_inserted)

    def _on_inserted(self, event: Any) -> None:
        layer = event.value
        if _is_suspect(layer):
            self._inserting = True
            self._workspace.runner.later(partial(self._look, layer))
            self._inserting = False

    def _look(self, layer: Layer) -> None:
        # A runner that calls at once leaves the layer as it is: napari is not done with it.
        if layer in self._workspace.viewer.layers and not self._inserting:
            shape, mistaken = tuple(layer.data.shape), isinstance(layer, Labels)
            work = partial(_better, Path(layer.source.path), str(layer.name), shape, mistaken=mistaken)
            self._slot.submit(Job(work, partial(self._replace, layer), self._workspace.on_error))

    def _replace(self, layer: Layer, read: ReadFile) -> None:
        workspace = self._workspace
        if layer not in workspace.viewer.layers or self._is_painted(layer):
            return
        ours = [other for other in workspace.viewer.layers if roles.is_over(other, layer)]
        for gone in (layer, *ours):
            workspace.viewer.layers.remove(gone)
        add_layer(workspace.viewer, read)
        what = "an image, not labels" if isinstance(layer, Labels) else "more than napari's own reader shows"
        self.said.emit(f"{read.path.name} holds {what}: it was read again, as the command line reads it.")

    def _is_painted(self, layer: Layer) -> bool:
        known = str(layer.unique_id)
        return known in self._workspace.annotations and bool(self._workspace.annotations[known].snapshots)


def _is_suspect(layer: Layer) -> bool:
    """Whether napari's own reader made a layer that may be wrong: an image of a file, or labels that may be none."""
    path, plugin = layer.source.path, layer.source.reader_plugin
    if roles.is_ours(layer) or plugin != BUILTIN or path is None or layer.multiscale or not Path(path).is_file():
        return False
    if isinstance(layer, Labels):
        return file_role(Path(path)) is FileRole.IMAGE and not _is_piecewise_constant(layer)
    return isinstance(layer, Image)


def _is_piecewise_constant(layer: Labels) -> bool:
    plane = layer.data[tuple(length // 2 for length in layer.data.shape[:-2])]
    rows, columns = (slice(max(0, (length - _PIECE) // 2), (length + _PIECE) // 2) for length in plane.shape)
    piece = np.asarray(plane[rows, columns])
    return piece.shape[1] < 2 or float(np.mean(piece[:, 1:] == piece[:, :-1])) > _SMOOTH


def _better(path: Path, name: str, shape: tuple[int, ...], *, mistaken: bool) -> Iterator[ReadFile]:
    """The file as it should be shown, where that is more or something else than what is shown."""
    try:
        file = read_image(path)
    except ImageError:
        return
    whole = int(np.prod(file.lengths)) * int(np.prod(file.shape))
    shown = int(np.prod(shape)) // (file.channels if np.prod(shape) % (whole * file.channels) == 0 else 1)
    if mistaken or shown < whole:
        yield read_file(path, name)
