"""What is recorded while one paints: strokes are handed over as they are made, and written by jobs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from patchfield.errors import ImageError, PatchfieldError, error_sentence
from patchfield.images import PlaneIndex
from patchfield.napari.jobs import Job, Slot
from patchfield.napari.layers import roles
from patchfield.napari.layers.annotated import AnnotatedImage
from patchfield.napari.layers.annotations import PaintedElsewhere
from patchfield.napari.project.images import Images, Listed
from patchfield.napari.project.restoring import Restoring, restore_strokes
from patchfield.napari.project.saying import said
from patchfield.napari.project.stored import FileStack
from patchfield.napari.project.writer import Refused, Relabelling, Removal, Said, Stroke, Writer
from patchfield.napari.session.settings import Settings
from patchfield.napari.workspace import Workspace

WRITING = 0.7
"""Seconds that writing may take on a busy machine, of those that are given from a stroke until it is on the disk."""

PROBE_DELAY = 3.0
"""Seconds without a new probe before it is written: the strokes alone would make it again."""


class Recording:
    """Hands everything that is done in a window over to the project that is open, and has it written.

    Parameters
    ----------
    workspace : Workspace
    images : Images
    settings : Settings
        How soon strokes are written.
    restoring : Restoring
        Which images the probe keeps samples of.

    Attributes
    ----------
    writer : Writer
        The project that is open, or the one that will be made for the first stroke.
    problem : str
        Why nothing can be written at the moment, a sentence; "" where it can.
    written : float or None
        When everything was on the disk for the last time, in seconds since 1970.
    is_closed : bool
        Whether nothing is recorded any more.
    """

    changed = Signal()
    """Whether everything is written."""
    saving = Signal()
    """There is something to write."""
    said = Signal(str)
    """Something to tell the user, a sentence."""

    def __init__(self, workspace: Workspace, images: Images, settings: Settings, restoring: Restoring) -> None:
        self.writer = Writer()
        self.problem = ""
        self.written: float | None = None
        self.is_closed = False
        self._workspace, self._images, self._settings, self._restoring = workspace, images, settings, restoring
        self._recorded: dict[str, dict[PlaneIndex, NDArray[Any]]] = {}
        self._paused = False
        self._probe = workspace.live.probe
        self._writes = Slot(workspace.runner, self.changed.emit)
        self._probes = Slot(workspace.runner)
        self._connect()

    @property
    def has_pending(self) -> bool:
        """Whether something was painted that is not on the disk yet."""
        project = self.writer.project
        unsaved = project is not None and project.labels.has_unsaved
        return bool(self.writer.pending) or unsaved or self._writes.busy

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens meanwhile is no work of the user, and is not recorded."""
        before, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = before

    def save(self) -> None:
        """Write what was handed over, and what the window says, soon."""
        self.saving.emit()
        self._submit(self._writes, probe_is_due=False, delay=max(0.0, self._settings.preferences.autosave - WRITING))

    def save_if_begun(self) -> None:
        """Write what the window says, where there is a project."""
        if self.writer.path is not None and not self._paused:
            self.save()

    def remove(self, item: Listed) -> None:
        """Take an image out of the project."""
        if item.stored:
            self._hand_over(Removal(item.stored))

    def everything(self, *, listing: bool = True) -> Said:
        """All that is written when a project is left: what the window says, and the probe."""
        return self._said(probe_is_due=True, listing=listing)

    def note_written(self) -> None:
        """Take note that everything is on the disk."""
        self.problem, self.written = "", time.time()

    def cancel(self) -> None:
        """Write nothing more of what is waiting; what was handed over stays so."""
        for slot in (self._writes, self._probes):
            slot.cancel()

    def close(self) -> None:
        """Record nothing any more, and write everything now."""
        self.is_closed = True
        self.cancel()
        try:
            self.writer.write_all(self.everything(listing=False))
        except (OSError, PatchfieldError) as error:
            self._workspace.on_error(error)

    # -- what happens when something happens

    def _connect(self) -> None:
        workspace = self._workspace
        workspace.annotations.begun.connect(self.begin)
        workspace.annotations.ended.connect(self._on_ended)
        workspace.annotations.relabelled.connect(self._on_relabelled)
        workspace.live.changed.connect(self._on_probe)
        for signal in (
            workspace.annotations.selected,
            workspace.classes.changed,
            workspace.view.changed,
            workspace.features.chosen,
            self._images.listed,
        ):
            signal.connect(self.save_if_begun)

    def begin(self, annotated: AnnotatedImage) -> None:
        """An image is annotated from now on: its strokes are recorded, and those that it had come back."""
        item = self._images.item_for(annotated.source.layer)
        before = self._workspace.annotations.elsewhere.pop(item.key, None)
        annotated.strokes_changed.connect(partial(self._record, annotated))
        if annotated.snapshots:
            self._record(annotated)
        elif before is not None or item.stored:
            self._bring_back(annotated, item, before)

    def _bring_back(self, annotated: AnnotatedImage, item: Listed, before: PaintedElsewhere | None) -> None:
        try:
            for refused in self.writer.take_in():
                self._workspace.on_error(refused.error)
            image, project = self.writer.image_of(item), self.writer.project
            if image is not None and project is not None and image.shape == annotated.source.shape:
                restore_strokes(annotated, project, image)
            elif before is not None and before.source.shape == annotated.source.shape:
                annotated.restore({index: np.asarray(labels) for index, labels in before.planes.items()})
        except (ImageError, PatchfieldError, OSError) as error:
            self._workspace.on_error(error)
            return
        self._recorded[annotated.source.id] = dict(annotated.snapshots)
        if annotated.snapshots:
            annotated.strokes_changed.emit()

    def _on_ended(self, annotated: AnnotatedImage) -> None:
        """Labels or image are gone, or are seen differently: strokes are not lost, and go on being learned from."""
        item, source = self._images.item_of(annotated.source.layer), annotated.source
        self._recorded.pop(source.id, None)
        if self._paused or item is None:
            return
        layers = self._workspace.viewer.layers
        is_open = source.layer in layers
        if not is_open:
            self._workspace.runner.later(partial(self._clear, source.id))
        if not annotated.snapshots:
            return
        stack = source if source.file is None or is_open else FileStack.from_layer(source, source.file)
        painted = PaintedElsewhere(
            source.id, stack, {plane.index: labels for plane, labels in annotated.painted_planes()}
        )
        self._workspace.annotations.elsewhere[item.key] = painted
        if is_open and annotated.labels not in layers:
            self._workspace.runner.later(partial(self._say_that_labels_are_gone, item))

    def _say_that_labels_are_gone(self, item: Listed) -> None:
        """Say it where the image stayed: a viewer that is closed, or cleared, takes both."""
        if not self.is_closed and item.layer in self._workspace.viewer.layers:
            gone = f"The labels of {item.name} are gone, its strokes are kept"
            self.said.emit(f"{gone}: choose it in the list of images to have them back.")

    def _clear(self, image: str) -> None:
        """Take out of the viewer what was made of an image that was closed; the project has its strokes."""
        layers = self._workspace.viewer.layers
        if self.problem or any(str(layer.unique_id) == image for layer in layers):
            return
        for layer in [layer for layer in layers if roles.is_of(layer, image)]:
            layers.remove(layer)

    def _record(self, annotated: AnnotatedImage) -> None:
        """Hand over what a stroke changed: the planes whose snapshot is another one now."""
        known, now = self._recorded.get(annotated.source.id, {}), annotated.snapshots
        planes = {index: labels for index, labels in now.items() if known.get(index) is not labels}
        blank = dict.fromkeys(index for index in known if index not in now)
        self._recorded[annotated.source.id] = dict(now)
        if planes or blank:
            item = self._images.item_for(annotated.source.layer)
            self._hand_over(Stroke(item, annotated.source, {**planes, **blank}))

    def _on_relabelled(self, value: int, into: int) -> None:
        self._hand_over(Relabelling(value, into))

    def _on_probe(self) -> None:
        if self._workspace.live.probe is not self._probe:
            self._probe = self._workspace.live.probe
            if self.writer.path is not None and not self._paused:
                self._submit(self._probes, probe_is_due=True, delay=PROBE_DELAY)

    # -- how it is written

    def _hand_over(self, step: Stroke | Removal | Relabelling) -> None:
        self.writer.pending.append(step)
        self.save()

    def _submit(self, slot: Slot, *, probe_is_due: bool, delay: float) -> None:
        if self.is_closed:
            return
        work = partial(self.writer.write, self._said(probe_is_due=probe_is_due))
        slot.submit(Job(work, self._on_written, self._on_unwritten, delay), interrupt=probe_is_due)

    def _said(self, *, probe_is_due: bool, listing: bool = True) -> Said:
        others = self._restoring.of_others
        return said(self._workspace, self._images, others, probe_is_due=probe_is_due, listing=listing)

    def _on_written(self, step: Refused | None) -> None:
        if step is not None:
            self._workspace.on_error(step.error)
            return
        self.note_written()
        self.changed.emit()

    def _on_unwritten(self, error: Exception) -> None:
        """Said once: it is tried again with the next stroke, and from time to time."""
        before, self.problem = self.problem, error_sentence(error) or str(error)
        if self.problem != before:
            self._workspace.on_error(error)
        self.changed.emit()
