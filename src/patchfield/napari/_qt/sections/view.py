"""What is seen over the image: one list, and what belongs to the view that is chosen."""

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QGridLayout,
    QLabel,
    QListWidget,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QWidget,
)

from patchfield.napari._qt.cards import LABEL_WIDTH, Section, hint, row
from patchfield.napari._qt.notices import notify_refusals
from patchfield.napari.controller import Controller
from patchfield.napari.explore.adopting import ADOPTED
from patchfield.napari.explore.explorer import BY_ATTENTION, POOLED
from patchfield.napari.session.view import EXPLORATIONS, RESULTS, Show

TITLES = {
    Show.IMAGE: "Image only",
    Show.BORDERS: "Borders only",
    Show.PCA: "PCA colours",
    Show.SIMILARITY: "Similar places",
}
TIPS = {
    Show.SEGMENTATION: "Which class each pixel is (S shows and hides it)",
    Show.BORDERS: "The segmentation as outlines: the image stays in view",
    Show.PROBABILITY: "How probable one class is, pixel by pixel",
    Show.UNCERTAINTY: "Where the probe cannot tell: bright places are worth a stroke (U)",
    Show.IMAGE: "No result over the image, only the strokes (hold H to hide these, too)",
    Show.PCA: "The three main components of the features as red, green and blue: what has one colour looks alike, on "
    "all open images",
    Show.CLUSTERS: "What looks alike on all open images, grouped without strokes",
    Show.SIMILARITY: "Click anywhere: bright is what looks like that place, and the best places of all open images are "
    "listed",
    Show.ATTENTION: "Where the transformer looks: all heads (0), or one of them",
    Show.FOREGROUND: "Objects against the background, found without strokes",
}
BY_ATTENTION_TIP = (
    "What the transformer attends to is foreground, and how far it is from the rest says how many groups there are"
)
NO_ATTENTION = "Only vision transformers have attention maps: choose one under Features"
_SEGMENTED = "QPushButton { padding: 4px 6px; }"
_LISTED = 6
"""Places seen at a time."""


class ViewSection(Section):
    """Results on the left, what needs no strokes on the right; parameters of the chosen view and its opacity below."""

    def __init__(self, controller: Controller) -> None:
        super().__init__("View", expanded=True)
        self._controller = controller
        explorer = controller.explorer
        self.buttons = {show: QPushButton(TITLES.get(show, show.capitalize())) for show in (*RESULTS, *EXPLORATIONS)}
        self.shown_class = QComboBox()
        self.shown_class.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.shown_class.setToolTip("Of which class the probability is shown")
        self.groups = _slider("Into how many groups what looks alike is merged", 2, 80)
        self.number = _number(2, 80, "Number of groups")
        # The slider beside it steps; it needs the room.
        self.number.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        # napari's style sheet makes spin boxes wide.
        self.number.setStyleSheet("QSpinBox { min-width: 30px; max-width: 30px; }")
        self.automatic = QPushButton("Auto")
        self.automatic.setCheckable(True)
        self.automatic.setToolTip("As many groups as are far apart from one another: a rule that needs no strokes")
        self.side = _slider("Right: whole textures look alike; left: single pixels do", 0, 64)
        self.head = _number(0, 24, "Attention head; 0 is the mean of all")
        self.threshold = _slider("Right: less is foreground; left: more", 0, 100)
        self.by_attention = QPushButton("By attention")
        self.by_attention.setCheckable(True)
        self.places = QListWidget()
        self.places.setToolTip("The places of all open images that look most like that one: click to go there")
        self.places.setAccessibleName("Similar places")
        self.adopt = QPushButton("Adopt as strokes")
        self.adopt.setToolTip(
            "Paint a few strokes where this is surest, and go on painting from them; Ctrl+Z takes them away"
        )
        self.opacity = _slider("How strongly the view covers the image", 0, 100)
        self.hint = hint()
        self._parameters: list[tuple[tuple[Show, ...], QWidget]] = []
        self._listed: list[str] = []
        self._laid_out = QTimer(self)
        self._laid_out.setSingleShot(True)
        self._laid_out.timeout.connect(self._reveal)
        self._lay_out()
        self._connect()
        self.side.setValue(round(explorer.side))
        self.show_classes()
        self.show_view()

    def show_view(self) -> None:
        """Show which view is chosen, what it can be told, and what it waits for."""
        show, explorer = self._controller.view.show, self._controller.explorer
        self.buttons[show].setChecked(True)
        attention = self.buttons[Show.ATTENTION]
        attention.setEnabled(explorer.has_attention)
        attention.setToolTip(TIPS[Show.ATTENTION] if explorer.has_attention else NO_ATTENTION)
        self.by_attention.setEnabled(explorer.has_attention)
        self.by_attention.setChecked(explorer.by_attention)
        self.by_attention.setToolTip(BY_ATTENTION_TIP if explorer.has_attention else NO_ATTENTION)
        for shows, widget in self._parameters:
            widget.setVisible(show in shows)
        opacity = self._controller.shown.opacity
        self.opacity.setEnabled(opacity is not None)
        if opacity is not None and not self.opacity.isSliderDown():
            _set_silently(self.opacity, round(opacity * 100))
        _set_silently(self.threshold, round(explorer.threshold * 100))
        for control in (self.groups, self.number):
            _set_silently(control, explorer.groups, explorer.max_groups)
        self.automatic.setChecked(explorer.automatic)
        self.adopt.setEnabled(self._controller.adopting.possible)
        self.hint.setText(_hint(self._controller))
        self.hint.setVisible(show in EXPLORATIONS)
        self._show_places()

    def show_classes(self) -> None:
        """Fill the list of classes whose probability can be shown."""
        self.shown_class.clear()
        for entry in self._controller.classes:
            self.shown_class.addItem(entry.name, entry.value)
        self.shown_class.setCurrentIndex(max(0, self.shown_class.findData(self._controller.view.shown_class)))

    def _show_places(self) -> None:
        names = {str(layer.unique_id): layer.name for layer in self._controller.annotations.choices}
        lines = [
            f"{similarity:.2f}   {names.get(plane.image, '')}   row {row}, column {column}"
            for plane, row, column, similarity in self._controller.explorer.places
        ]
        if lines != self._listed:
            self._listed = lines
            self.places.clear()
            self.places.addItems(lines)

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
        self.places.setFixedHeight(_LISTED * (self.places.fontMetrics().height() + 4))
        self.places.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._add((Show.PROBABILITY,), _label("Class"), self.shown_class)
        self._add((Show.CLUSTERS,), _label("Groups"), self.groups, self.number, self.automatic)
        self._add(POOLED, _label("Scale"), self.side)
        self._add((Show.ATTENTION,), _label("Head"), self.head)
        self._add((Show.FOREGROUND,), _label("Threshold"), self.threshold)
        self._add(BY_ATTENTION, self.by_attention, stretch=0)
        self.rows.addWidget(self.hint)
        self._add((Show.SIMILARITY,), self.places, stretch=0)
        self._add(ADOPTED, self.adopt, stretch=0)
        self.rows.addLayout(row(_label("Opacity"), self.opacity, stretch=1))

    def _add(self, shows: tuple[Show, ...], *controls: QWidget, stretch: int = 1) -> None:
        """A line that is seen only with some of the views."""
        line = QWidget()
        line.setLayout(row(*controls, stretch=stretch))
        self._parameters.append((shows, line))
        self.rows.addWidget(line)

    def _connect(self) -> None:
        controller, explorer = self._controller, self._controller.explorer
        for show, button in self.buttons.items():
            # A lambda, for PySide6 gives no arguments to a partial.
            button.clicked.connect(lambda _, show=show: self._choose(show))
        self.shown_class.activated.connect(lambda _: controller.show(Show.PROBABILITY, self.shown_class.currentData()))
        self.groups.valueChanged.connect(explorer.set_groups)
        self.number.valueChanged.connect(explorer.set_groups)
        self.automatic.clicked.connect(self._press_automatic)
        self.side.sliderReleased.connect(lambda: explorer.set_side(self.side.value()))
        self.side.valueChanged.connect(self._turn_side)
        self.by_attention.clicked.connect(explorer.set_by_attention)
        self.head.valueChanged.connect(explorer.set_head)
        self.threshold.valueChanged.connect(lambda percent: explorer.set_threshold(percent / 100))
        self.places.itemClicked.connect(lambda item: explorer.visit(self.places.row(item)))
        self.adopt.clicked.connect(lambda _: notify_refusals(controller.adopting.adopt)())
        self.opacity.valueChanged.connect(lambda percent: controller.shown.set_opacity(percent / 100))
        for changed in (controller.status_changed, controller.annotations.selected, controller.view.changed):
            changed.connect(self.show_view)
        explorer.changed.connect(self.show_view)
        controller.classes.changed.connect(self.show_classes)

    def _choose(self, show: Show) -> None:
        """Show a view, and its parameters, where they lie below what is seen of the panel."""
        self._controller.show(show)
        # Lines that have just come have their place once the layout was made anew.
        self._laid_out.start()

    def _reveal(self) -> None:
        column = self.parent()
        while column is not None and not isinstance(column, QScrollArea):
            column = column.parent()
        if column is not None:
            column.ensureWidgetVisible(self.opacity)

    def _press_automatic(self, automatic: bool) -> None:
        explorer = self._controller.explorer
        explorer.set_groups(None if automatic else explorer.groups)

    def _turn_side(self, side: int) -> None:
        """By keys at once; a slider that is dragged waits until it is let go, for it takes a second."""
        if not self.side.isSliderDown() and side != self._controller.explorer.side:
            self._controller.explorer.set_side(side)


def _hint(controller: Controller) -> str:
    explorer = controller.explorer
    if controller.view.exploring and explorer.waiting:
        return "Waiting for features…" if controller.current is not None else "Open an image first."
    if explorer.busy:
        return "Computing…"
    made_of, wanted = explorer.images
    behind = f" So far of {made_of} of {wanted} images." if 0 < made_of < wanted else ""
    return f"{TIPS[controller.view.show]}.{behind} Paint, or choose a class, to go back."


def _label(name: str) -> QLabel:
    label = QLabel(name)
    label.setFixedWidth(LABEL_WIDTH)
    return label


def _number(low: int, high: int, tip: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(low, high)
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    return box


def _slider(tip: str, low: int, high: int) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(low, high)
    slider.setToolTip(tip)
    return slider


def _set_silently(control: QSlider | QSpinBox, value: int, highest: int | None = None) -> None:
    control.blockSignals(True)
    if highest is not None:
        control.setMaximum(max(2, highest))
    control.setValue(value)
    control.blockSignals(False)
