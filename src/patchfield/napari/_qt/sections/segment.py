"""The answer: live or not, what there is to know of it, and how it is finished."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton, QWidget
from superqt import QToggleSwitch

from patchfield.napari._qt.cards import LABEL_WIDTH, Section, hint, row
from patchfield.napari._qt.finishing import FinishingForm
from patchfield.napari._qt.notices import notify_refusals
from patchfield.napari.controller import Controller
from patchfield.napari.segment.notices import Notice
from patchfield.napari.session.status import Status

NOTICES = 3
"""There are never more at once."""


class NoticeRow(QWidget):
    """A sentence and what to do about it."""

    def __init__(self) -> None:
        super().__init__()
        self.sentence, self.button = hint(), QPushButton()
        # A layout asks a label for its height before it knows its width.
        self.sentence.setMinimumHeight(2 * self.sentence.fontMetrics().lineSpacing())
        self.button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.button.setToolTip("What can be done about it")
        self.button.setAccessibleName("What can be done about it")
        self.button.clicked.connect(self._press)
        self._notice: Notice | None = None
        self.setLayout(row(self.sentence, self.button, stretch=0))

    def show_notice(self, notice: Notice | None) -> None:
        """Show a notice, or nothing."""
        self._notice = notice
        self.setVisible(notice is not None)
        if notice is not None:
            self.sentence.setText(notice.sentence)
            self.button.setText(notice.button)
            self.button.setToolTip(notice.tip)
            self.button.setAccessibleName(f"{notice.button}: {notice.sentence}")

    def _press(self) -> None:
        if self._notice is not None:
            notify_refusals(self._notice.press)()


class SegmentSection(Section):
    """Live switch, notices, how segmentations are finished."""

    def __init__(self, controller: Controller) -> None:
        super().__init__("Segment", expanded=True)
        self._controller = controller
        self.live = QToggleSwitch()
        self.live.setChecked(controller.live.following)
        self.live.setToolTip("Learn from every stroke at once")
        self.update_now = QPushButton("Update")
        self.update_now.setToolTip("Learn from the strokes now (Shift+S)")
        self.finishing = FinishingForm(controller.live, controller.classes)
        self.notices = [NoticeRow() for _ in range(NOTICES)]
        self._lay_out()
        self._connect()
        self.show_notices()
        self.show_status(controller.status)

    def show_status(self, status: Status) -> None:
        """Enable what can be done now."""
        live = self._controller.live
        self.update_now.setVisible(not live.following)
        self.update_now.setEnabled(live.stale)
        # The switch would move even to where it is, and each frame of that composes the whole window anew.
        if self.live.isChecked() != live.following:
            self.live.blockSignals(True)
            self.live.setChecked(live.following)
            self.live.blockSignals(False)

    def show_notices(self) -> None:
        """Show what there is to know."""
        notices = list(self._controller.notices)[:NOTICES]
        for line, notice in zip(self.notices, [*notices, *[None] * NOTICES], strict=False):
            line.show_notice(notice)

    def _lay_out(self) -> None:
        label = QLabel("Live")
        label.setFixedWidth(LABEL_WIDTH)
        self.rows.addLayout(row(label, self.live, QWidget(), self.update_now, stretch=2))
        for line in self.notices:
            self.rows.addWidget(line)
        self.rows.addWidget(self.finishing)

    def _connect(self) -> None:
        controller = self._controller
        self.live.toggled.connect(controller.follow)
        self.update_now.clicked.connect(controller.learn)
        controller.status_changed.connect(self.show_status)
        controller.notices.changed.connect(self.show_notices)
