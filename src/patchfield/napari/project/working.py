"""The project of a window: written while one paints, opened again, saved elsewhere, never mixed with another one."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

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
from patchfield.napari.project.reading import Offer, Opened, listed_images, offers, painted_on, read_project
from patchfield.napari.project.restoring import Restoring, restore_strokes
from patchfield.napari.project.saying import said
from patchfield.napari.project.stored import FileStack
from patchfield.napari.project.writer import Refused, Relabelling, Removal, Said, Stroke, Writer
from patchfield.napari.session.settings import Settings
from patchfield.napari.workspace import Workspace
from patchfield.store import SUFFIX

R = TypeVar("R")

WRITING = 0.7
"""Seconds that writing may take on a busy machine, of those that are given from a stroke until it is on the disk."""

PROBE_DELAY = 3.0
"""Seconds without a new probe before it is written: the strokes alone would make it again."""


_PROJECT = "project"


class WorkingProject:
    """Keeps everything that is done in a window, from the first stroke on.

    Strokes are handed over as they are made and written by a job; a project that nobody saved lives in the recovery
    folder. Images that are closed, or whose labels are deleted, keep their strokes, and go on being learned from.

    Parameters
    ----------
    workspace : Workspace
    images : Images
    settings : Settings
        How soon strokes are written, and which projects were open last.

    Attributes
    ----------
    problem : str
        Why nothing can be written at the moment, a sentence; painting goes on, and writing is tried again.
    written : float or None
        When everything was on the disk for the last time, in seconds since 1970.
    earlier : tuple of Offer
        Projects that can be gone on with, the latest first.
    offers : tuple of Offer
        Those of them that are offered; nothing once something is open or painted.
    """

    changed = Signal()
    """Another project, or whether everything is written."""
    opened = Signal()
    """A project was opened, or begun."""
    said = Signal(str)
    """Something to tell the user, a sentence."""

    def __init__(self, workspace: Workspace, images: Images, settings: Settings) -> None:
        self.problem = ""
        self.written: float | None = None
        self.earlier: tuple[Offer, ...] = ()
        self.offers: tuple[Offer, ...] = ()
        self._workspace, self._images, self._settings = workspace, images, settings
        self._writer = Writer()
        self._recorded: dict[str, dict[PlaneIndex, NDArray[Any]]] = {}
        self._quiet = self._closed = self._was_asked = False
        self._waiting: dict[str, Listed] = {}
        self._probe = workspace.live.probe
        self._writes = Slot(workspace.runner, self.changed.emit)
        self._probes = Slot(workspace.runner)
        self._work = Slot(workspace.runner, self.changed.emit)
        self._restoring = Restoring(workspace, images)
        self._connect()
        self._go_on()
        for annotated in workspace.annotations:
            self._on_begun(annotated)
        self._look_for_earlier()

    # -- what it is

    @property
    def path(self) -> Path | None:
        """Its folder; None before anything was painted."""
        return self._writer.path

    @property
    def is_unsaved(self) -> bool:
        """Whether no person has saved it anywhere: then it lives in the recovery folder."""
        return self._writer.is_unsaved

    @property
    def name(self) -> str:
        """What it is called; "" for one that was never saved."""
        return "" if self.path is None or self.is_unsaved else self.path.stem

    @property
    def busy(self) -> bool:
        """Whether a project is being opened or saved elsewhere."""
        return self._work.busy

    @property
    def lost(self) -> tuple[Listed, ...]:
        """Images whose files are not where they were, or are other images now."""
        return tuple(item for item in self._images if item.stored and item.problem)

    @property
    def has_pending(self) -> bool:
        """Whether something was painted that is not on the disk yet."""
        project = self._writer.project
        unsaved = project is not None and project.labels.has_unsaved
        return bool(self._writer.pending) or unsaved or self._writes.busy

    @property
    def summary(self) -> str:
        """Where things stand, a sentence."""
        if self.problem:
            return f"Not saved at the moment: {self.problem}"
        if self.path is None:
            return "Strokes are kept from the first one on"
        when = "" if self.written is None else time.strftime(" at %H:%M:%S", time.localtime(self.written))
        if self.is_unsaved:
            return f"Kept{when} · not saved under a name yet"
        return f"{self.name} · saved{when}"

    # -- what the user can do

    def open(self, path: str | Path) -> None:
        """Open a project in place of this one, in the background; one that is refused is left as it is."""
        target, everything = Path(path), self._said(probe_is_due=True)

        def read() -> Opened | None:
            if self.path is not None and target.resolve() == self.path.resolve():
                return None
            self._writer.write_all(everything)
            return read_project(target)

        self._do(read, self._on_opened)

    def new(self) -> None:
        """Begin another project; this one stays as it is on the disk."""
        everything = self._said(probe_is_due=True)
        self._do(lambda: self._writer.write_all(everything), lambda _: self._begin_anew())

    def save_as(self, path: str | Path) -> None:
        """Save everything under a name, NAME.patchfield, and go on there, in the background."""
        target = Path(path)
        target = target if target.suffix == SUFFIX else target.with_name(f"{target.name}{SUFFIX}")
        everything = self._said(probe_is_due=True)

        def save() -> Path:
            self._writer.save_as(target, everything)
            return target

        self._do(save, self._on_saved)

    def discard(self) -> None:
        """Delete a project that was never saved under a name, and begin another."""
        if self._writer.project is not None and self.is_unsaved:
            self._do(self._writer.project.discard, lambda _: self._begin_anew())

    def relocate(self, where: str | Path, accept: bool = False) -> None:
        """Look for images that are lost, in a folder at any depth or in a file.

        Parameters
        ----------
        where : str or Path
        accept : bool
            Whether a file of an image's name and shape is taken even where it was edited since.
        """
        project = self._writer.project
        if project is None:
            return

        def look() -> dict[str, PaintedElsewhere]:
            project.relocate(where, accept)
            found = {item.stored: item for item in listed_images(project)}
            painted = {}
            for item in self.lost:
                item.path, item.problem = found[item.stored].path, found[item.stored].problem
                strokes = painted_on(project, item)
                if strokes is not None:
                    painted[item.key] = strokes
            return painted

        self._do(look, self._on_relocated)

    def dismiss(self) -> None:
        """Offer no earlier project any more; all stay where they are."""
        self.offers = ()
        self.changed.emit()

    def retry(self) -> None:
        """Try again to write what could not be written."""
        if self.problem:
            self._save()

    def remove(self, key: str) -> None:
        """Take an image off the list, out of the viewer, and out of the project with all that is painted on it.

        Raises
        ------
        ImageError
            When it is not in the list any more.
        """
        item = self._images.find(key)
        self._take_away([item])
        self._workspace.annotations.elsewhere.pop(key, None)
        if item.stored:
            self._writer.pending.append(Removal(item.stored))
            self._save()
        self._workspace.annotations.strokes_changed.emit()

    def close(self) -> None:
        """Write everything, and let others have the project."""
        self._closed = True
        for slot in (self._writes, self._probes, self._work):
            slot.cancel()
        try:
            self._writer.write_all(self._said(probe_is_due=True, listing=False))
        except (OSError, PatchfieldError) as error:
            self._workspace.on_error(error)
        if self.path is not None:
            for annotated in self._workspace.annotations:
                item = self._images.item_for(annotated.source.layer)
                annotated.labels.metadata[roles.METADATA_KEY][_PROJECT] = (str(self.path), item.stored)
        self._writer.close()

    # -- what happens when something happens

    def _connect(self) -> None:
        workspace = self._workspace
        workspace.annotations.begun.connect(self._on_begun)
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
            signal.connect(self._save_if_begun)

    def _go_on(self) -> None:
        """Go on with the project of a panel that was closed in this viewer, whose labels are still there."""
        for annotated in self._workspace.annotations:
            left = annotated.labels.metadata[roles.METADATA_KEY].pop(_PROJECT, None)
            if left is None:
                continue
            try:
                if self.path is None:
                    opened = read_project(Path(left[0]))
                    self._writer = Writer(opened.project)
                    self._waiting = {item.stored: item for item in opened.items}
                item = self._waiting.pop(left[1], None)
                if item is not None:
                    self._images.item_for(annotated.source.layer).stored = item.stored
            except (PatchfieldError, OSError) as error:
                self._workspace.on_error(error)
                return
        if self._writer.project is not None:
            waiting = tuple(self._waiting.values())
            self._images.take_over(waiting)
            self._writer.adopt(self._images)
            for item in waiting:
                painted = painted_on(self._writer.project, item)
                if painted is not None:
                    self._workspace.annotations.elsewhere[item.key] = painted

    def _on_begun(self, annotated: AnnotatedImage) -> None:
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
            for refused in self._writer.take_in():
                self._workspace.on_error(refused.error)
            image, project = self._writer.image_of(item), self._writer.project
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
        if self._quiet or item is None:
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
        if not self._closed and item.layer in self._workspace.viewer.layers:
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
            self._writer.pending.append(Stroke(item, annotated.source, {**planes, **blank}))
            self._save()

    def _on_relabelled(self, value: int, into: int) -> None:
        self._writer.pending.append(Relabelling(value, into))
        self._save()

    def _on_probe(self) -> None:
        if self._workspace.live.probe is not self._probe:
            self._probe = self._workspace.live.probe
            if self.path is not None and not self._quiet:
                self._submit(self._probes, probe_is_due=True, delay=PROBE_DELAY)

    def _save_if_begun(self) -> None:
        if self.path is not None and not self._quiet:
            self._save()

    def _save(self) -> None:
        self.offers = ()
        self._submit(self._writes, probe_is_due=False, delay=max(0.0, self._settings.preferences.autosave - WRITING))

    def _submit(self, slot: Slot, *, probe_is_due: bool, delay: float) -> None:
        if self._closed:
            return
        work = partial(self._writer.write, self._said(probe_is_due=probe_is_due))
        slot.submit(Job(work, self._on_written, self._on_unwritten, delay), interrupt=probe_is_due)

    def _said(self, *, probe_is_due: bool, listing: bool = True) -> Said:
        others = self._restoring.of_others
        return said(self._workspace, self._images, others, probe_is_due=probe_is_due, listing=listing)

    def _on_written(self, step: Refused | None) -> None:
        if step is not None:
            self._workspace.on_error(step.error)
            return
        self.problem, self.written = "", time.time()
        self.changed.emit()

    def _on_unwritten(self, error: Exception) -> None:
        """Said once: it is tried again with the next stroke, and from time to time."""
        before, self.problem = self.problem, error_sentence(error) or str(error)
        if self.problem != before:
            self._workspace.on_error(error)
        self.changed.emit()

    def _look_for_earlier(self) -> None:
        find = partial(offers, self._settings.memory.recent_projects)
        self._workspace.runner.start(Job(find, self._on_offers, self._workspace.on_error))

    def _on_offers(self, found: tuple[Offer, ...]) -> None:
        if self._closed:
            return
        self.earlier = tuple(offer for offer in found if offer.path != self.path)
        if not self._was_asked and self.path is None and not self._writer.pending:
            self.offers = self.earlier
        self._was_asked = True
        self.changed.emit()

    # -- from one project to another

    def _do(self, call: Callable[[], R], then: Callable[[R], None]) -> None:
        """Something with files, in the background; refusals are said."""

        def work() -> Iterator[R]:
            yield call()

        self._work.submit(Job(work, then, self._workspace.on_error))
        self.changed.emit()

    def _on_opened(self, opened: Opened | None) -> None:
        if opened is None:
            return
        if not opened.project.is_recovered:
            self._settings.remember_project(opened.project.path)
        self._begin_anew(Writer(opened.project))
        self._quiet = True
        self._images.take_over(opened.items)
        self._writer.adopt(opened.items)
        self._restoring.restore(opened)
        self._quiet = False
        if opened.warning:
            self.said.emit(opened.warning)
        self._look_for_earlier()
        if self.lost:
            names = ", ".join(item.name for item in self.lost[:3])
            self.said.emit(f"Images are not where they were, or changed: {names}. The Project menu finds them again.")
        self.opened.emit()
        self.changed.emit()

    def _begin_anew(self, writer: Writer | None = None) -> None:
        """Leave the project: what belongs to it goes out of the window; images that are in no project stay."""
        before, self._writer = self._writer, writer or Writer()
        self._quiet = True
        for slot in (self._writes, self._probes):
            slot.cancel()
        self._workspace.select(None)
        self._take_away([item for item in self._images if item.stored])
        before.close()
        self._workspace.annotations.elsewhere.clear()
        self._workspace.live.adopt(None)
        if writer is None:
            self._workspace.classes.restore(())
        self._workspace.annotations.strokes_changed.emit()
        self._quiet, self.problem, self.written, self.offers = False, "", None, ()
        if writer is None:
            self._workspace.select(self._workspace.annotations.first_choice)
            self._look_for_earlier()
            self.opened.emit()
            self.changed.emit()

    def _take_away(self, items: list[Listed]) -> None:
        before, self._quiet = self._quiet, True
        for item in items:
            self._images.remove(item.key)
        self._quiet = before

    def _on_saved(self, path: Path) -> None:
        self.problem, self.written = "", time.time()
        self._settings.remember_project(path)
        self.said.emit(f"Saved: {path}")
        self.changed.emit()

    def _on_relocated(self, painted: dict[str, PaintedElsewhere]) -> None:
        self._workspace.annotations.elsewhere.update(painted)
        self._workspace.annotations.strokes_changed.emit()
        left = len(self.lost)
        self.said.emit(f"Still not found: {left}." if left else "All images are found.")
        self._images.listed.emit()
        self._images.changed.emit()
        self.changed.emit()
