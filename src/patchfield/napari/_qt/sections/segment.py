"""The answer: live or not, and how it is finished."""

from qtpy.QtWidgets import QLabel, QPushButton, QWidget
from superqt import QToggleSwitch

from patchfield.napari._qt.cards import LABEL_WIDTH, Section, row
from patchfield.napari._qt.finishing import FinishingForm
from patchfield.napari.controller import Controller
from patchfield.napari.session.status import Status


class SegmentSection(Section):
    """Live switch, how segmentations are finished."""

    def __init__(self, controller: Controller) -> None:
        super().__init__("Segment", expanded=True)
        self._controller = controller
        self.live = QToggleSwitch()
        self.live.setChecked(controller.live.following)
        self.live.setToolTip("Learn from every stroke at once")
        self.update_now = QPushButton("Update")
        self.update_now.setToolTip("Learn from the strokes now (Shift+S)")
        self.finishing = FinishingForm(controller.live, controller.classes)
        self._lay_out()
        self._connect()
        self.show_status(controller.status)

    def show_status(self, status: Status) -> None:
        """Enable what can be done now."""
        live = self._controller.live
        self.update_now.setVisible(not live.following)
        self.update_now.setEnabled(live.stale)
        self.live.blockSignals(True)
        self.live.setChecked(live.following)
        self.live.blockSignals(False)

    def _lay_out(self) -> None:
        label = QLabel("Live")
        label.setFixedWidth(LABEL_WIDTH)
        self.rows.addLayout(row(label, self.live, QWidget(), self.update_now, stretch=2))
        self.rows.addWidget(self.finishing)

    def _connect(self) -> None:
        controller = self._controller
        self.live.toggled.connect(controller.follow)
        self.update_now.clicked.connect(controller.learn)
        controller.status_changed.connect(self.show_status)
