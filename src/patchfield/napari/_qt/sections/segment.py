"""The answer: live or not, what of it is shown, and where it is unsure."""

from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QButtonGroup, QComboBox, QLabel, QPushButton, QSizePolicy, QSlider, QWidget
from superqt import QToggleSwitch

from patchfield.napari._qt.cards import LABEL_WIDTH, Section, row
from patchfield.napari.controller import Controller
from patchfield.napari.layers.results import ROLES
from patchfield.napari.session.status import Status
from patchfield.napari.session.view import Show

TIPS = {
    Show.SEGMENTATION: "Which class each pixel is (S shows and hides it)",
    Show.PROBABILITY: "How probable one class is, pixel by pixel",
    Show.UNCERTAINTY: "Where the probe cannot tell: bright places are worth a stroke (U)",
}

_SEGMENTED = "QPushButton { padding: 4px 6px; }"


class SegmentSection(Section):
    """Live switch, what is shown, opacity, next unsure place."""

    def __init__(self, controller: Controller) -> None:
        super().__init__("Segment", expanded=True)
        self._controller = controller
        self.live = QToggleSwitch()
        self.live.setChecked(controller.live.following)
        self.live.setToolTip("Learn from every stroke at once")
        self.update_now = QPushButton("Update")
        self.update_now.setToolTip("Learn from the strokes now (Shift+S)")
        self.buttons = {show: QPushButton(show.capitalize()) for show in Show}
        for show, button in self.buttons.items():
            button.setToolTip(TIPS[show])
        self.shown_class = QComboBox()
        self.shown_class.setAccessibleName("Class of the probability")
        self.shown_class.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.shown_class.setToolTip("Of which class the probability is shown")
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setToolTip("How strongly the result covers the image")
        self.opacity.setRange(0, 100)
        self.opacity.setValue(45)
        self.next = QPushButton("Next unsure place   N")
        self.next.setToolTip("Go to where a stroke would help most")
        self._lay_out()
        self._connect()
        self.show_classes()
        self.show_status(controller.status)

    def show_status(self, status: Status) -> None:
        """Enable what can be done now."""
        live = self._controller.live
        self.update_now.setVisible(not live.following)
        self.update_now.setEnabled(live.stale)
        self.next.setEnabled(live.probe is not None and self._controller.current is not None)
        self.live.blockSignals(True)
        self.live.setChecked(live.following)
        self.live.blockSignals(False)
        self.show_what()

    def show_what(self) -> None:
        """Show which result is on view, and how opaque it is."""
        shown = self._controller.view.show
        self.buttons[shown].setChecked(True)
        self.shown_class.setVisible(shown is Show.PROBABILITY)
        layer = self._shown_layer()
        self.opacity.setEnabled(layer is not None)
        if layer is not None and not self.opacity.isSliderDown():
            self.opacity.blockSignals(True)
            self.opacity.setValue(round(layer.opacity * 100))
            self.opacity.blockSignals(False)

    def show_classes(self) -> None:
        """Fill the list of classes whose probability can be shown."""
        self.shown_class.clear()
        for entry in self._controller.classes:
            self.shown_class.addItem(entry.name, entry.value)
        self.shown_class.setCurrentIndex(max(0, self.shown_class.findData(self._controller.view.shown_class)))

    def _lay_out(self) -> None:
        label = QLabel("Live")
        label.setFixedWidth(LABEL_WIDTH)
        self.rows.addLayout(row(label, self.live, QWidget(), self.update_now, stretch=2))
        exclusive = QButtonGroup(self)
        line = row(*self.buttons.values())
        line.setSpacing(1)
        for index, button in enumerate(self.buttons.values()):
            button.setCheckable(True)
            button.setStyleSheet(_SEGMENTED)
            exclusive.addButton(button)
            line.setStretch(index, 1)
        self.rows.addLayout(line)
        self.rows.addWidget(self.shown_class)
        label = QLabel("Opacity")
        label.setFixedWidth(LABEL_WIDTH)
        self.rows.addLayout(row(label, self.opacity, stretch=1))
        self.rows.addWidget(self.next)

    def _connect(self) -> None:
        controller = self._controller
        self.live.toggled.connect(controller.follow)
        self.update_now.clicked.connect(controller.learn)
        for show, button in self.buttons.items():
            button.clicked.connect(lambda _, show=show: self._show(show))
        self.shown_class.activated.connect(lambda _: self._show(Show.PROBABILITY))
        self.opacity.valueChanged.connect(self._set_opacity)
        self.next.clicked.connect(controller.tour.next)
        controller.status_changed.connect(self.show_status)
        controller.annotations.selected.connect(self.show_what)
        controller.view.changed.connect(self.show_what)
        controller.classes.changed.connect(self.show_classes)

    def _show(self, show: Show) -> None:
        self._controller.show(show, self.shown_class.currentData())

    def _shown_layer(self) -> Layer | None:
        current = self._controller.current
        return None if current is None else current.result(ROLES[self._controller.view.show])

    def _set_opacity(self, percent: int) -> None:
        layer = self._shown_layer()
        if layer is not None:
            layer.opacity = percent / 100
