"""What is seen over the image: one list, and what belongs to the view that is chosen."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QWidget,
)

from patchfield.napari._qt.cards import LABEL_WIDTH, Section, hint, row
from patchfield.napari.controller import Controller
from patchfield.napari.session.view import EXPLORATIONS, RESULTS, Show

TITLES = {Show.IMAGE: "Image only", Show.BORDERS: "Borders only", Show.PCA: "PCA colours"}
TIPS = {
    Show.SEGMENTATION: "Which class each pixel is (S shows and hides it)",
    Show.BORDERS: "The segmentation as outlines: the image stays in view",
    Show.PROBABILITY: "How probable one class is, pixel by pixel",
    Show.UNCERTAINTY: "Where the probe cannot tell: bright places are worth a stroke (U)",
    Show.IMAGE: "No result over the image, only the strokes (hold H to hide these, too)",
    Show.PCA: "The three main components of the features as red, green and blue: what has one colour looks alike",
    Show.CLUSTERS: "Pixels that look alike, grouped without strokes",
    Show.SIMILARITY: "Click anywhere in the image: bright is what looks like that place",
    Show.ATTENTION: "Where the transformer looks: all heads (0), or one of them",
    Show.FOREGROUND: "Objects against the background, found without strokes",
}
NO_ATTENTION = "Only vision transformers have attention maps: choose one under Features"
_SEGMENTED = "QPushButton { padding: 4px 6px; }"


class ViewSection(Section):
    """Results on the left, what needs no strokes on the right; parameters of the chosen view and its opacity below."""

    def __init__(self, controller: Controller) -> None:
        super().__init__("View", expanded=True)
        self._controller = controller
        self.buttons = {show: QPushButton(TITLES.get(show, show.capitalize())) for show in (*RESULTS, *EXPLORATIONS)}
        self.shown_class = QComboBox()
        self.shown_class.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.shown_class.setToolTip("Of which class the probability is shown")
        self.clusters = _number(2, 30, controller.explorer.clusters, "How many groups")
        self.head = _number(0, 24, controller.explorer.head, "Attention head; 0 is the mean of all")
        self.threshold = _slider("Right: less is foreground; left: more")
        self.opacity = _slider("How strongly the view covers the image")
        self.hint = hint()
        self.parameters: dict[Show, QWidget] = {}
        self._lay_out()
        self._connect()
        self.show_classes()
        self.show_view()

    def show_view(self) -> None:
        """Show which view is chosen, what it can be told, and what it waits for."""
        show, explorer = self._controller.view.show, self._controller.explorer
        self.buttons[show].setChecked(True)
        attention = self.buttons[Show.ATTENTION]
        attention.setEnabled(explorer.has_attention)
        attention.setToolTip(TIPS[Show.ATTENTION] if explorer.has_attention else NO_ATTENTION)
        for of, widget in self.parameters.items():
            widget.setVisible(of is show)
        opacity = self._controller.shown.opacity
        self.opacity.setEnabled(opacity is not None)
        if opacity is not None and not self.opacity.isSliderDown():
            _set_silently(self.opacity, round(opacity * 100))
        _set_silently(self.threshold, round(explorer.threshold * 100))
        self.hint.setText(_hint(self._controller))
        self.hint.setVisible(show in EXPLORATIONS)

    def show_classes(self) -> None:
        """Fill the list of classes whose probability can be shown."""
        self.shown_class.clear()
        for entry in self._controller.classes:
            self.shown_class.addItem(entry.name, entry.value)
        self.shown_class.setCurrentIndex(max(0, self.shown_class.findData(self._controller.view.shown_class)))

    def _lay_out(self) -> None:
        exclusive, grid = QButtonGroup(self), QGridLayout()
        grid.setSpacing(1)
        for column, views in enumerate((RESULTS, EXPLORATIONS)):
            grid.setColumnStretch(column, 1)
            for line, show in enumerate(views):
                button = self.buttons[show]
                button.setCheckable(True)
                button.setStyleSheet(_SEGMENTED)
                button.setToolTip(TIPS[show])
                exclusive.addButton(button)
                grid.addWidget(button, line, column)
        self.rows.addLayout(grid)
        self._add(Show.PROBABILITY, "Class", self.shown_class)
        self._add(Show.CLUSTERS, "Groups", self.clusters)
        self._add(Show.ATTENTION, "Head", self.head)
        self._add(Show.FOREGROUND, "Threshold", self.threshold)
        self.rows.addWidget(self.hint)
        self.rows.addLayout(row(_label("Opacity"), self.opacity, stretch=1))

    def _add(self, of: Show, name: str, control: QWidget) -> None:
        """A line that is seen only with one view."""
        line = QWidget()
        line.setLayout(row(_label(name), control, stretch=1))
        self.parameters[of] = line
        self.rows.addWidget(line)

    def _connect(self) -> None:
        controller, explorer = self._controller, self._controller.explorer
        for show, button in self.buttons.items():
            # A lambda, for PySide6 gives no arguments to a partial.
            button.clicked.connect(lambda _, show=show: controller.show(show))
        self.shown_class.activated.connect(lambda _: controller.show(Show.PROBABILITY, self.shown_class.currentData()))
        self.clusters.valueChanged.connect(explorer.set_clusters)
        self.head.valueChanged.connect(explorer.set_head)
        self.threshold.valueChanged.connect(lambda percent: explorer.set_threshold(percent / 100))
        self.opacity.valueChanged.connect(lambda percent: controller.shown.set_opacity(percent / 100))
        for changed in (controller.status_changed, controller.annotations.selected, controller.view.changed):
            changed.connect(self.show_view)
        explorer.changed.connect(self.show_view)
        controller.classes.changed.connect(self.show_classes)


def _hint(controller: Controller) -> str:
    if controller.view.exploring and controller.explorer.waiting:
        return "Waiting for features…" if controller.current is not None else "Open an image first."
    if controller.explorer.busy:
        return "Computing…"
    return f"{TIPS[controller.view.show]}. Paint, or choose a class, to go back."


def _label(name: str) -> QLabel:
    label = QLabel(name)
    label.setFixedWidth(LABEL_WIDTH)
    return label


def _number(low: int, high: int, value: int, tip: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(low, high)
    box.setValue(value)
    box.setToolTip(tip)
    return box


def _slider(tip: str) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(0, 100)
    slider.setToolTip(tip)
    return slider


def _set_silently(slider: QSlider, value: int) -> None:
    slider.blockSignals(True)
    slider.setValue(value)
    slider.blockSignals(False)
