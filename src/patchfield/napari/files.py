"""Probe, labels and segmentations as files."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Layer
from psygnal import Signal

from patchfield.errors import LabelError
from patchfield.images import Calibration, read_labels, write_labels, write_map
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import Job
from patchfield.napari.layers import Role
from patchfield.probe import ClassInfo, LinearProbe


class Files:
    """Reads and writes beside the painting; everything is written whole or not at all."""

    written = Signal(object)
    """A file (Path) was written."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    def save_probe(self, path: str | Path) -> None:
        """Write the probe with the names and colours that the classes have now."""
        probe = self._controller.live.probe
        if probe is None:
            raise LabelError("There is no probe yet: paint two classes, then save it.")
        for value in probe.values:
            entry = self._controller.classes[int(value)]
            probe.classes[int(value)] = ClassInfo(entry.name, entry.color)
        self._write(path, partial(probe.save, path))

    def load_probe(self, path: str | Path) -> None:
        """Read a probe, make features in its way, and segment with it."""
        self._read(partial(LinearProbe.load, path), self._controller.adopt)

    def save_labels(self, path: str | Path) -> None:
        """Write the strokes of the current image."""
        self._save_label_layer(path, self._current.labels)

    def save_segmentation(self, path: str | Path) -> None:
        """Write the segmentation of the current image."""
        layer = self._current.result(Role.SEGMENTATION)
        if layer is None:
            raise LabelError("There is no segmentation yet: paint two classes, then save it.")
        self._save_label_layer(path, layer)

    def save_probabilities(self, path: str | Path) -> None:
        """Write one probability map per class of the plane on view."""
        probe, target = self._controller.live.probe, self._controller.target()
        if probe is None or target is None:
            raise LabelError("There are no probabilities yet: paint two classes, then save them.")
        calibration = _calibration(self._current.labels)
        self._write(path, lambda: write_map(path, probe.probabilities(target.field), calibration))

    def load_labels(self, path: str | Path) -> None:
        """Replace the strokes of the current image by those of a file."""
        annotated = self._current

        def take(labels: np.ndarray) -> None:
            annotated.replace_labels(_fitting(labels, annotated.source.labels_shape, path))

        self._read(partial(read_labels, path), take)

    @property
    def _current(self) -> Any:
        if self._controller.current is None:
            raise LabelError("There is no image: open one, or choose one in the Image section.")
        return self._controller.current

    def _save_label_layer(self, path: str | Path, layer: Layer) -> None:
        # A copy, because painting goes on; more than one leading axis is flattened, files know only one.
        labels = np.array(layer.data)
        pages = labels.reshape(-1, *labels.shape[-2:]) if labels.ndim > 2 else labels
        self._write(path, partial(write_labels, path, pages, _calibration(layer)))

    def _write(self, path: str | Path, write: Callable[[], None]) -> None:
        self._run(write, lambda _: self.written.emit(Path(path)))

    def _read(self, read: Callable[[], Any], take: Callable[[Any], None]) -> None:
        self._run(read, take)

    def _run(self, call: Callable[[], Any], on_result: Callable[[Any], None]) -> None:
        def work() -> Iterator[Any]:
            yield call()

        self._controller.runner.start(Job(work, on_result, self._controller.on_error))


def _fitting(labels: np.ndarray, shape: tuple[int, ...], path: str | Path) -> np.ndarray:
    """Labels of a file in the shape of a labels layer."""
    if labels.size != np.prod(shape) or labels.shape[-2:] != shape[-2:]:
        raise LabelError(
            f"{path} holds labels of shape {labels.shape}, but the image needs {shape}: "
            "choose the labels that were painted on this image."
        )
    return labels.reshape(shape)


def _calibration(layer: Layer) -> Calibration | None:
    """The size of a pixel, where the layer has a physical unit."""
    height, width = (float(length) for length in layer.scale[-2:])
    return Calibration.from_metadata(height, width, f"{layer.units[-1]:~}")
