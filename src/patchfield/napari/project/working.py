"""The project of a window: written while one paints, opened again, saved elsewhere, never mixed with another one."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

from psygnal import Signal

from patchfield.errors import PatchfieldError
from patchfield.napari.jobs import Job, Slot
from patchfield.napari.layers.annotations import PaintedElsewhere
from patchfield.napari.project.handover import go_on_from_labels, leave_in_labels
from patchfield.napari.project.images import Images, Listed
from patchfield.napari.project.reading import Offer, Opened, listed_images, offers, painted_on, read_project
from patchfield.napari.project.recording import Recording
from patchfield.napari.project.restoring import Restoring
from patchfield.napari.project.writer import Writer
from patchfield.napari.session.settings import Settings
from patchfield.napari.workspace import Workspace
from patchfield.store import SUFFIX

R = TypeVar("R")


class WorkingProject:
    """Keeps everything that is done in a window, from the first stroke on.

    Strokes are handed over as they are made and written by a job (:class:`Recording`); a project that nobody saved
    lives in the recovery folder. Images that are closed, or whose labels are deleted, keep their strokes, and go on
    being learned from.

    Parameters
    ----------
    workspace : Workspace
    images : Images
    settings : Settings
        How soon strokes are written, and which projects were open last.

    Attributes
    ----------
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
        self.earlier: tuple[Offer, ...] = ()
        self.offers: tuple[Offer, ...] = ()
        self._workspace, self._images, self._settings = workspace, images, settings
        self._was_asked = False
        self._work = Slot(workspace.runner, self.changed.emit)
        self._restoring = Restoring(workspace, images)
        self._recording = Recording(workspace, images, settings, self._restoring)
        self._recording.changed.connect(self.changed.emit)
        self._recording.said.connect(self.said.emit)
        self._recording.saving.connect(self._on_saving)
        go_on_from_labels(self._recording, workspace, images)
        for annotated in workspace.annotations:
            self._recording.begin(annotated)
        self._look_for_earlier()

    # -- what it is

    @property
    def path(self) -> Path | None:
        """Its folder; None before anything was painted."""
        return self._recording.writer.path

    @property
    def is_unsaved(self) -> bool:
        """Whether no person has saved it anywhere: then it lives in the recovery folder."""
        return self._recording.writer.is_unsaved

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
        return self._recording.has_pending

    @property
    def problem(self) -> str:
        """Why nothing can be written at the moment, a sentence; painting goes on, and writing is tried again."""
        return self._recording.problem

    @property
    def written(self) -> float | None:
        """When everything was on the disk for the last time, in seconds since 1970."""
        return self._recording.written

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
        target, everything = Path(path), self._recording.everything()

        def read() -> Opened | None:
            if self.path is not None and target.resolve() == self.path.resolve():
                return None
            self._recording.writer.write_all(everything)
            return read_project(target)

        self._do(read, self._on_opened)

    def new(self) -> None:
        """Begin another project; this one stays as it is on the disk."""
        everything = self._recording.everything()

        def begin(_: None) -> None:
            if self._leave():
                self._begin_anew()

        self._do(lambda: self._recording.writer.write_all(everything), begin)

    def save_as(self, path: str | Path) -> None:
        """Save everything under a name, NAME.patchfield, and go on there, in the background."""
        target = Path(path)
        target = target if target.suffix == SUFFIX else target.with_name(f"{target.name}{SUFFIX}")
        everything = self._recording.everything()

        def save() -> Path:
            self._recording.writer.save_as(target, everything)
            return target

        self._do(save, self._on_saved)

    def discard(self) -> None:
        """Delete a project that was never saved under a name, and begin another."""
        if self._recording.writer.project is not None and self.is_unsaved:
            self._do(self._recording.writer.project.discard, lambda _: self._begin_anew())

    def relocate(self, where: str | Path, accept: bool = False) -> None:
        """Look for images that are lost, in a folder at any depth or in a file.

        Parameters
        ----------
        where : str or Path
        accept : bool
            Whether a file of an image's name and shape is taken even where it was edited since.
        """
        project = self._recording.writer.project
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
            self._recording.save()

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
        self._recording.remove(item)
        self._workspace.annotations.strokes_changed.emit()

    def close(self) -> None:
        """Write everything, and let others have the project."""
        self._work.cancel()
        self._recording.close()
        if self.path is not None:
            leave_in_labels(self.path, self._workspace, self._images)
        self._recording.writer.close()

    # -- those that can be gone on with

    def _look_for_earlier(self) -> None:
        find = partial(offers, self._settings.memory.recent_projects)
        self._workspace.runner.start(Job(find, self._on_offers, self._workspace.on_error))

    def _on_offers(self, found: tuple[Offer, ...]) -> None:
        if self._recording.is_closed:
            return
        self.earlier = tuple(offer for offer in found if offer.path != self.path)
        if not self._was_asked and self.path is None and not self._recording.writer.pending:
            self.offers = self.earlier
        self._was_asked = True
        self.changed.emit()

    def _on_saving(self) -> None:
        self.offers = ()

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
        if not self._leave():
            opened.project.close()
            return
        if not opened.project.is_recovered:
            self._settings.remember_project(opened.project.path)
        self._begin_anew(Writer(opened.project))
        with self._recording.paused():
            self._images.take_over(opened.items)
            self._recording.writer.adopt(opened.items)
            self._restoring.restore(opened)
        if opened.warning:
            self.said.emit(opened.warning)
        self._look_for_earlier()
        if self.lost:
            names = ", ".join(item.name for item in self.lost[:3])
            self.said.emit(f"Images are not where they were, or changed: {names}. The Project menu finds them again.")
        self.opened.emit()
        self.changed.emit()

    def _leave(self) -> bool:
        """Write what was painted while the next project was being read; whether nothing is lost by going there."""
        if self.has_pending:
            try:
                self._recording.writer.write_all(self._recording.everything(listing=False))
            except (OSError, PatchfieldError) as error:
                self._workspace.on_error(error)
                return False
        return True

    def _begin_anew(self, writer: Writer | None = None) -> None:
        """Leave the project: what belongs to it goes out of the window; images that are in no project stay."""
        recording = self._recording
        before, recording.writer = recording.writer, writer or Writer()
        with recording.paused():
            recording.cancel()
            self._workspace.select(None)
            self._take_away([item for item in self._images if item.stored])
            before.close()
            self._workspace.annotations.elsewhere.clear()
            self._workspace.live.adopt(None)
            if writer is None:
                self._workspace.classes.restore(())
            self._workspace.annotations.strokes_changed.emit()
        recording.problem, recording.written, self.offers = "", None, ()
        if writer is None:
            self._workspace.select(self._workspace.annotations.first_choice)
            self._look_for_earlier()
            self.opened.emit()
            self.changed.emit()

    def _take_away(self, items: list[Listed]) -> None:
        with self._recording.paused():
            for item in items:
                self._images.remove(item.key)

    def _on_saved(self, path: Path) -> None:
        self._recording.note_written()
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
