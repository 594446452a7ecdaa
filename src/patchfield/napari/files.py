"""Probe, labels and segmentations as files."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from napari.layers import Layer
from numpy.typing import NDArray
from psygnal import Signal

from patchfield.errors import LabelError, PatchfieldError, ProbeError
from patchfield.images import (
    LabelStack,
    PlaneIndex,
    Stack,
    labels_of_planes,
    read_label_stack,
    write_labels,
    write_map,
)
from patchfield.napari.jobs import Job
from patchfield.napari.layers.annotated import AnnotatedImage
from patchfield.napari.layers.roles import Role
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.workspace import Workspace
from patchfield.probe import ClassInfo, LinearProbe

R = TypeVar("R")
LabelledPlanes = dict[PlaneIndex, NDArray[Any]]


class Files:
    """Reads and writes beside the painting; everything is written whole or not at all.

    No file that an open layer was read from is ever replaced.

    Parameters
    ----------
    workspace : Workspace
    """

    written = Signal(Path)
    """A file was written."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._read_from: set[Path] = set()

    def save_probe(self, path: str | Path) -> None:
        """Write the probe with the names and colours that the classes have now.

        Raises
        ------
        ProbeError
            When there is none, or when no file can say how the images are seen that it was trained on.
        """
        probe = self._workspace.live.probe
        if probe is None:
            raise ProbeError("There is no probe yet: paint two classes, then save it.")
        if probe is not self._workspace.live.loaded:
            self._check_that_one_recipe_says_it_all()
        infos = self._workspace.classes.infos
        probe.classes.update({value: infos[value] for value in probe.classes if value in infos})
        self._write(path, partial(probe.save, path))

    def load_probe(self, path: str | Path) -> None:
        """Read a probe, make features in its way, and segment with it."""
        self._run(partial(LinearProbe.load, path), self._workspace.adopt)

    def save_labels(self, path: str | Path) -> None:
        """Write the strokes of the current image."""
        self._save_label_layer(path, self._current.source, self._current.labels)

    def save_segmentation(self, path: str | Path) -> None:
        """Write the segmentation of the current image.

        Raises
        ------
        LabelError
            When there is none.
        """
        layer = self._current.result(Role.SEGMENTATION)
        if layer is None:
            raise LabelError("There is no segmentation yet: paint two classes, then save it.")
        self._save_label_layer(path, self._current.source, layer)

    def save_probabilities(self, path: str | Path) -> None:
        """Write one probability map per class of the plane on view.

        Raises
        ------
        LabelError
            When there is no probe, or no plane with features.
        """
        probe, target = self._workspace.live.probe, self._workspace.target()
        if probe is None or target is None:
            raise LabelError("There are no probabilities yet: paint two classes, then save them.")
        calibration = self._current.source.calibration
        self._write(path, lambda: write_map(path, probe.probabilities(target.field), calibration))

    def load_labels(self, path: str | Path) -> None:
        """Replace the strokes of the current image by those of a file, matched with the image by their axes.

        Labels of a single plane replace those of the plane on view.
        """
        annotated = self._current
        shown = annotated.source.index_at(self._workspace.viewer.dims.point)
        self._read_from.add(Path(path).resolve())
        self._run(partial(_read_labels, path, annotated.source, shown), partial(self._take_labels, annotated))

    @property
    def _current(self) -> AnnotatedImage:
        if self._workspace.current is None:
            raise LabelError("There is no image: open one, or choose one in the Images section.")
        return self._workspace.current

    def _take_labels(self, annotated: AnnotatedImage, read: tuple[LabelStack, LabelledPlanes]) -> None:
        labels, planes = read
        annotated.replace_planes(planes, others=len(planes) < len(annotated.source.indices()))
        if labels.classes:
            self._workspace.classes.replace({v: ClassInfo(c.name, c.color) for v, c in labels.classes.items()})

    def _check_that_one_recipe_says_it_all(self) -> None:
        """A probe remembers one way to see images: all that it was trained on have to be seen in it."""
        sources = [annotated.source for annotated in self._workspace.annotations if annotated.snapshots]
        for source in sources:
            if source.joined:
                raise ProbeError(
                    f"The colours of {source.name} come from several layers, which a probe cannot say: save them as "
                    "one image and paint on that, or choose a channel of the layer itself."
                )
            if source.settings != sources[0].settings:
                raise ProbeError(
                    f"{source.name} and {sources[0].name} are seen in different contrasts or channels, and a probe "
                    "remembers one: choose the same for both in the Images section, then save it."
                )

    def _save_label_layer(self, path: str | Path, source: LayerStack, layer: Layer) -> None:
        # A copy, because painting goes on.
        labels = np.array(layer.data)
        classes = self._workspace.classes.infos
        self._write(
            path,
            lambda: write_labels(path, labels, source.calibration, axes=source.axes, classes=classes),
        )

    def _write(self, path: str | Path, write: Callable[[], None]) -> None:
        self._check_that_nothing_is_lost(Path(path))
        self._run(write, lambda _: self.written.emit(Path(path)))

    def _check_that_nothing_is_lost(self, path: Path) -> None:
        opened = {Path(layer.source.path).resolve() for layer in self._workspace.viewer.layers if layer.source.path}
        if path.resolve() in opened | self._read_from:
            raise LabelError(f"{path} is open here, and writing would replace it: choose another name.")

    def _run(self, call: Callable[[], R], take: Callable[[R], None]) -> None:
        def work() -> Iterator[R]:
            yield call()

        def deliver(result: R) -> None:
            try:
                take(result)
            except PatchfieldError as refusal:
                self._workspace.on_error(refusal)

        self._workspace.runner.start(Job(work, deliver, self._workspace.on_error))


def _read_labels(path: str | Path, stack: Stack, shown: PlaneIndex) -> tuple[LabelStack, LabelledPlanes]:
    """Labels of a file, and what belongs to which plane of an image."""
    labels = read_label_stack(path, stack)
    single = all(length == 1 for length in labels.lengths)
    return labels, labels_of_planes(labels, stack, shown if single else None)
