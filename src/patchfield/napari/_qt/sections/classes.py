"""The classes: what is painted, and how much of it."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent
from qtpy.QtWidgets import QColorDialog, QFrame, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from patchfield.napari._qt.cards import GAP, GREY, Section, chip, icon, row, told, tool
from patchfield.napari.controller import Controller
from patchfield.napari.layers.keys import CLASS_KEYS
from patchfield.napari.session.classes import PaintClass

_ROW = """
QFrame#patchfieldClass { border-radius: 4px; background: transparent; }
QFrame#patchfieldClass:hover { background: rgba(128, 140, 160, 30); }
QFrame#patchfieldClass[selected="true"] { background: rgba(128, 140, 160, 85); }
"""
_NAME = "QLineEdit { border: none; background: transparent; padding: 2px; }"


class ClassRow(QFrame):
    """One class: colour, name, painted pixels, visibility, removal; a click selects it."""

    pressed = Signal(int)

    def __init__(self, entry: PaintClass, place: int, controller: Controller) -> None:
        super().__init__()
        self._controller, self.value = controller, entry.value
        self.setObjectName("patchfieldClass")
        self.setStyleSheet(_ROW)
        self.color = tool(chip(entry.color), "Change the colour", self._choose_color)
        self.name = QLineEdit(entry.name)
        self.name.setStyleSheet(_NAME)
        self.name.setToolTip("Rename the class")
        self.name.editingFinished.connect(self._rename)
        self.pixels = QLabel()
        self.pixels.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.key = QLabel(f"⇧{CLASS_KEYS[place]}" if place < len(CLASS_KEYS) else "")
        self.key.setFixedWidth(30)
        self.key.setStyleSheet(f"color: {GREY};")
        eye = "visibility" if entry.visible else "visibility_off"
        self.eye = tool(icon(eye), "Show or hide this class in the segmentation", self._toggle)
        self.remove = tool(icon("delete"), "Remove the class and its strokes (undo brings them back)", self._remove)
        layout = row(self.color, self.name, self.pixels, self.key, self.eye, self.remove, stretch=1)
        layout.setContentsMargins(4, 1, 4, 1)
        self.setLayout(layout)
        self.count(entry)

    def count(self, entry: PaintClass) -> None:
        self.pixels.setText(f"{entry.pixels:,} px" if entry.pixels else "–")

    def select(self, selected: bool) -> None:
        self.setProperty("selected", selected)
        self.style().unpolish(self)
        self.style().polish(self)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.pressed.emit(self.value)
        super().mousePressEvent(event)

    def _choose_color(self) -> None:
        now = QColor(self._controller.classes[self.value].color)
        color = QColorDialog.getColor(now, self, "Colour of the class")
        if color.isValid():
            self._controller.classes.change(self.value, color=color.name())

    def _rename(self) -> None:
        name = self.name.text().strip()
        if name and self.value in self._controller.classes:
            self._controller.classes.change(self.value, name=name)

    def _toggle(self) -> None:
        visible = self._controller.classes[self.value].visible
        self._controller.classes.change(self.value, visible=not visible)

    def _remove(self) -> None:
        self._controller.remove_class(self.value)


class ClassesSection(Section):
    """A row per class."""

    def __init__(self, controller: Controller) -> None:
        super().__init__("Classes", expanded=True)
        self._controller = controller
        self._rows: dict[int, ClassRow] = {}
        self.list = QVBoxLayout()
        self.list.setSpacing(1)
        self.add = QPushButton("+ Add class")
        self.add.clicked.connect(self._add)
        self.rows.setSpacing(GAP)
        self.rows.addLayout(self.list)
        self.rows.addLayout(row(self.add, QWidget(), stretch=1))
        controller.classes.changed.connect(self.show_classes)
        controller.classes.counted.connect(self.show_counts)
        controller.class_selected.connect(self.show_selected)
        controller.annotations.selected.connect(self.show_selected)
        self.show_classes()

    @property
    def shown(self) -> list[ClassRow]:
        """The rows, from top to bottom."""
        return list(self._rows.values())

    def show_classes(self) -> None:
        """Make the rows anew."""
        for old in self._rows.values():
            self.list.removeWidget(old)
            # Not deleted at once: the signal that brought us here may come from one of its widgets.
            old.hide()
            old.deleteLater()
        self._rows.clear()
        for place, entry in enumerate(self._controller.classes):
            new = ClassRow(entry, place, self._controller)
            new.pressed.connect(self._controller.select_class)
            self._rows[entry.value] = new
            self.list.addWidget(new)
        self.show_selected()

    def show_counts(self) -> None:
        for entry in self._controller.classes:
            self._rows[entry.value].count(entry)

    def show_selected(self, value: int | None = None) -> None:
        chosen = self._controller.selected_class
        for entry in self._rows.values():
            entry.select(entry.value == chosen)

    @told
    def _add(self, _: bool = False) -> None:
        self._controller.add_class()
