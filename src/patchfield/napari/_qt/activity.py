"""What goes on, in napari's activity dock: progress, time left, and a button that stops it."""

import io
from collections.abc import Callable
from dataclasses import dataclass

from napari.utils import cancelable_progress
from qtpy.QtCore import QTimer

from patchfield.napari.controller import Controller
from patchfield.napari.session.status import Progress

INTERVAL = 250
"""Milliseconds: what ends sooner gets no bar."""


class _Bar(cancelable_progress):
    """A bar of the dock; napari looks at the class to tell whether there is a button."""

    def __init__(self, title: str, total: int, stop: Callable[[], object]) -> None:
        # Without a file of its own it would write to the terminal, too.
        super().__init__(desc=title, total=total, file=io.StringIO())
        self._stop, self._shown_total = stop, total

    def cancel(self) -> None:
        """What the button does."""
        super().cancel()
        self._stop()

    def move(self, progress: Progress) -> None:
        if progress.total != self._shown_total:
            self.total = self._shown_total = progress.total
        self.update(progress.done - self.n)


@dataclass(frozen=True)
class _Work:
    """Something that may go on: what it is called, how far it is, and how it is stopped."""

    title: str
    progress: Callable[[], Progress | None]
    stop: Callable[[], object]


class Activity:
    """Keeps a bar for everything that goes on longer than a moment.

    napari handles all waiting events whenever a bar moves. So bars move by a timer, never in the middle of a signal.

    Parameters
    ----------
    controller : Controller

    Attributes
    ----------
    bars : dict of str to bar
        What is in the dock, by its title.
    """

    def __init__(self, controller: Controller) -> None:
        features, applying, adapting = controller.features, controller.applying, controller.adapting
        objects, check, folder = controller.objects, controller.check, controller.folder
        exporting = controller.files.exporting
        self._works = (
            _Work("Loading weights", lambda: features.loading, features.stop),
            _Work("Computing features", lambda: features.extracting, features.stop),
            _Work(applying.title, lambda: applying.progress, applying.cancel),
            _Work("Saving results", lambda: exporting.progress, exporting.cancel),
            _Work("Segmenting a folder", lambda: folder.progress, folder.cancel),
            _Work(objects.title, lambda: objects.progress, objects.cancel),
            _Work(check.title, lambda: check.progress, check.cancel),
            _Work("Adapting the model", lambda: adapting.status.progress, adapting.stop),
        )
        self.bars: dict[str, _Bar] = {}
        self._awaited = self._closed = False
        parts = (features, applying, exporting, folder, objects, check, adapting)
        self._signals = tuple(part.changed for part in parts)
        for signal in self._signals:
            signal.connect(self._note)

    def close(self) -> None:
        """Take the bars away, and stop listening."""
        for signal in self._signals:
            signal.disconnect(self._note, missing_ok=True)
        self._closed = True
        for title in [*self.bars]:
            self.bars.pop(title).close()

    def _note(self) -> None:
        if not self._awaited:
            self._awaited = True
            # A timer of our own would be gone before us when the application ends.
            QTimer.singleShot(INTERVAL, self._show)

    def _show(self) -> None:
        self._awaited = False
        if self._closed:
            return
        for work in self._works:
            progress, bar = work.progress(), self.bars.get(work.title)
            if progress is not None and bar is None:
                self.bars[work.title] = _Bar(work.title, progress.total, work.stop)
            elif progress is not None and bar is not None:
                bar.move(progress)
            elif bar is not None:
                self.bars.pop(work.title).close()
