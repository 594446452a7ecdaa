"""The top of the panel: what to do, and where things stand."""

from qtpy.QtCore import Qt

from patchfield.napari._qt.style import Card, wrapping
from patchfield.napari.controller import Controller
from patchfield.napari.states import State, Status

GUIDE = """<b>1.</b> Open or drop an image. A labels layer appears, brush in hand.<br>
<b>2.</b> Paint a few thin strokes of each class, also while features are computed.<br>
<b>3.</b> The segmentation follows every stroke: correct it where it is wrong."""

COLORS = {
    State.NO_IMAGE: "#8a8f98",
    State.LOADING_WEIGHTS: "#f2b134",
    State.COMPUTING: "#f2b134",
    State.STOPPED: "#e5544b",
    State.NEED_CLASSES: "#4aa8ff",
    State.LIVE: "#3ecf8e",
    State.STALE: "#ff8a3d",
}


class StatusCard(Card):
    """The guide until the first success, the state always, progress and its button when something goes on."""

    def __init__(self, controller: Controller) -> None:
        super().__init__(self._press)
        self._controller = controller
        self.guide = wrapping(GUIDE)
        self.guide.setTextFormat(Qt.TextFormat.RichText)
        self.rows.insertWidget(0, self.guide)
        controller.status_changed.connect(self.show_status)
        self.show_status(controller.status)

    def show_status(self, status: Status) -> None:
        # What went wrong in a few words; napari's notification said what to do about it, and so does the tool tip.
        stopped = status.state is State.STOPPED
        self.sentence.setText(status.sentence.partition(": ")[0] if stopped else status.sentence)
        self.sentence.setToolTip(status.sentence if stopped else "")
        self.show_dot(COLORS[status.state])
        if status.state is State.LIVE:
            self.guide.hide()
        self.show_progress(status.progress)
        self._show_button(status)

    def _show_button(self, status: Status) -> None:
        stoppable = status.progress is not None
        resumable = self._controller.features.problem is not None and self._controller.current is not None
        self.button.setVisible(stoppable or resumable)
        self.button.setText("Stop" if stoppable else "Compute")

    def _press(self) -> None:
        features = self._controller.features
        if features.problem is None:
            features.stop()
        else:
            features.resume()
