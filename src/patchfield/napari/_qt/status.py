"""The top of the panel: what to do, and where things stand."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QLabel, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout

from patchfield.napari._qt.style import GAP, row
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
_CARD = "QFrame#patchfieldCard { background: rgba(128, 140, 160, 38); border-radius: 6px; }"


class StatusCard(QFrame):
    """The guide until the first success, the state always, progress and its button when something goes on."""

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self._controller = controller
        self.setObjectName("patchfieldCard")
        self.setStyleSheet(_CARD)
        self.guide = QLabel(GUIDE)
        self.guide.setWordWrap(True)
        self.guide.setTextFormat(Qt.TextFormat.RichText)
        self.dot = QLabel()
        self.dot.setFixedSize(10, 10)
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        for label in (self.guide, self.sentence):
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.button = QPushButton()
        self.button.clicked.connect(self._press)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(4)
        self.bar.setStyleSheet(
            "QProgressBar { border: none; border-radius: 2px; background: rgba(128, 140, 160, 70); }"
            "QProgressBar::chunk { border-radius: 2px; background: #f2b134; }"
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 8)
        layout.setSpacing(GAP)
        layout.addWidget(self.guide)
        layout.addLayout(row(self.dot, self.sentence, self.button, stretch=1))
        layout.addWidget(self.bar)
        controller.status_changed.connect(self.show_status)
        self.show_status(controller.status)

    def show_status(self, status: Status) -> None:
        # What went wrong in a few words; napari's notification said what to do about it, and so does the tool tip.
        stopped = status.state is State.STOPPED
        self.sentence.setText(status.sentence.partition(": ")[0] if stopped else status.sentence)
        self.sentence.setToolTip(status.sentence if stopped else "")
        self.dot.setStyleSheet(f"background: {COLORS[status.state]}; border-radius: 5px;")
        if status.state is State.LIVE:
            self.guide.hide()
        self._show_progress(status)
        self._show_button(status)

    def _show_progress(self, status: Status) -> None:
        self.bar.setVisible(status.progress is not None)
        if status.progress is not None:
            # A total of 0 makes Qt show that something goes on without saying how far it is.
            self.bar.setRange(0, status.progress.total)
            self.bar.setValue(status.progress.done)

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
