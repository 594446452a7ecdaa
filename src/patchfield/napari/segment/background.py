"""Work on many planes or files beside the painting: progress, time left, and a way to stop it."""

from psygnal import Signal

from patchfield.napari.jobs import Job, Slot
from patchfield.napari.session.pace import Pace
from patchfield.napari.session.status import Progress
from patchfield.napari.workspace import Workspace


class Background:
    """One job at a time, with its progress.

    Parameters
    ----------
    workspace : Workspace

    Attributes
    ----------
    title : str
        What goes on: "Segmenting".
    progress : Progress or None
        While something goes on.
    """

    changed = Signal()
    """Progress."""
    title = ""

    def __init__(self, workspace: Workspace) -> None:
        self.progress: Progress | None = None
        self._workspace = workspace
        self._slot = Slot(workspace.runner)
        self._pace = Pace(0, "")

    def cancel(self) -> None:
        """Stop after the step that is worked on; what is done stays."""
        self._slot.cancel()
        self._set_progress(None)

    def close(self) -> None:
        """Stop without another word."""
        self._slot.cancel()

    def _begin(self, total: int, unit: str, job: Job) -> None:
        self._pace = Pace(total, unit)
        self._set_progress(self._pace.progress())
        self._slot.submit(job, interrupt=True)

    def _step(self) -> None:
        self._set_progress(self._pace.step())

    def _fail(self, error: Exception) -> None:
        self._set_progress(None)
        self._workspace.on_error(error)

    def _set_progress(self, progress: Progress | None) -> None:
        self.progress = progress
        self.changed.emit()
