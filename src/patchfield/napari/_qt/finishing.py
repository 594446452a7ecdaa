"""What is done to every segmentation: smoothing, holes, small pieces. Off until it is asked for."""

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import ComboBox, FloatSpinBox, SpinBox
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from patchfield.napari._qt.cards import GAP, LABEL_WIDTH, row
from patchfield.napari._qt.forms import form
from patchfield.napari.segment.live import Live
from patchfield.napari.session.classes import ClassTable
from patchfield.objects import Cleaning
from patchfield.objects.cleaning import MAX_RADIUS

TIP = (
    "What is done to every segmentation, here, when it is saved or applied, and by the command line: the settings are "
    "saved with the probe"
)
_NOTHING: tuple[int, ...] = ()


class FinishingForm(QWidget):
    """One line that says what is done, and the form behind it."""

    def __init__(self, live: Live, classes: ClassTable) -> None:
        super().__init__()
        self._live = live
        self._classes = classes
        self.summary = QToolButton()
        self.summary.setCheckable(True)
        self.summary.setToolTip(TIP)
        self.summary.setAccessibleName("Finish segmentations")
        self.summary.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.summary.setArrowType(Qt.ArrowType.RightArrow)
        self.summary.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.smoothing = FloatSpinBox(
            label="Smooth within",
            max=MAX_RADIUS,
            step=0.5,
            tooltip="Pixels: every pixel gets the class that is most frequent so near; 0 is off",
        )
        self.min_size = SpinBox(
            label="Smallest piece",
            max=10**6,
            tooltip="Pieces of fewer pixels go to the class around them; 0 is off",
        )
        self.holes = ComboBox(
            label="Fill holes of", choices=self._choices, tooltip="This class takes over what it encloses on all sides"
        )
        self.form = form([self.smoothing, self.min_size, self.holes])
        label = QLabel("Finish")
        label.setFixedWidth(LABEL_WIDTH)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        layout.addLayout(row(label, self.summary, stretch=1))
        layout.addWidget(self.form.native)
        self.form.native.hide()
        self.summary.toggled.connect(self._unfold)
        self.form.changed.connect(self._choose)
        live.changed.connect(self.show_finishing)
        classes.changed.connect(self.show_finishing)
        self.show_finishing()

    def show_finishing(self) -> None:
        """Show what is done now."""
        finishing = self._live.finishing
        self.summary.setText(self._sentence(finishing))
        with self.form.changed.blocked():
            self.holes.reset_choices()
            self.smoothing.value = finishing.smoothing
            self.min_size.value = finishing.min_size
            self.holes.value = finishing.fill_holes

    def _choices(self, _: Any = None) -> Sequence[tuple[str, tuple[int, ...]]]:
        """No class, each class, and several where a probe says so."""
        choices = [("no class", _NOTHING), *((entry.name, (entry.value,)) for entry in self._classes)]
        chosen = self._live.finishing.fill_holes
        if chosen not in [value for _, value in choices]:
            choices.append((self._names(chosen), chosen))
        return choices

    def _names(self, values: Sequence[int]) -> str:
        return ", ".join(self._classes[value].name if value in self._classes else str(value) for value in values)

    def _sentence(self, finishing: Cleaning) -> str:
        steps = (
            (finishing.smoothing, f"smooth {finishing.smoothing:g} px"),
            (finishing.min_size, f"pieces ≥ {finishing.min_size} px"),
            (finishing.fill_holes, "holes filled"),
        )
        return ", ".join(text for wanted, text in steps if wanted) or "off"

    def _unfold(self, unfolded: bool) -> None:
        self.form.native.setVisible(unfolded)
        self.summary.setArrowType(Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow)

    def _choose(self) -> None:
        holes = self.holes.value or _NOTHING
        self._live.finish(Cleaning(float(self.smoothing.value), tuple(holes), int(self.min_size.value)))
