"""The classes: what is painted, and how much of it."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent
from qtpy.QtWidgets import QColorDialog, QFrame, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from patchfield.napari._qt.cards import GAP, GREY, Section, chip, icon, row, tool
from patchfield.napari._qt.notices import notify_refusals
from patchfield.napari.layers.keys import CLASS_KEYS
from patchfield.napari.session.classes import PaintClass
from patchfield.napari.workspace import Workspace

_ROW = """
QFrame#patchfieldClass { border-radius: 4px; background: transparent; }
QFrame#patchfieldClass:hover { background: rgba(128, 140, 160, 30); }
QFrame#patchfieldClass[selected="true"] { background: rgba(128, 140, 160, 85); }
"""
_NAME = "QLineEdit { border: none; background: transparent; padding: 2px; }"


class ClassRow(QFrame):
    """One class: colour, name, painted pixels, visibility, removal; a click selects it."""

    pressed = Signal(int)

    def __init__(self, entry: PaintClass, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.value = entry.value
        self.setObjectName("patchfieldClass")
        self.setStyleSheet(_ROW)
        self.color = tool(chip(entry.color), "Change the colour", self._choose_color)
        self.name = QLineEdit()
        self.name.setStyleSheet(_NAME)
        self.name.setToolTip("Rename the class")
        self.name.editingFinished.connect(self._rename)
        self.pixels = QLabel()
        self.pixels.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.key = QLabel()
        self.key.setFixedWidth(30)
        self.key.setStyleSheet(f"color: {GREY};")
        self.eye = tool(icon("visibility"), "Show or hide this class in the segmentation", self._toggle)
        self.remove = tool(icon("delete"), "Remove the class and its strokes (undo brings them back)", self._remove)
        layout = row(self.color, self.name, self.pixels, self.key, self.eye, self.remove, stretch=1)
        layout.setContentsMargins(4, 1, 4, 1)
        self.setLayout(layout)

    def show_entry(self, entry: PaintClass, index: int) -> None:
        """Show the class as it is now, as the `index`-th of the list."""
        self.color.setIcon(chip(entry.color))
        if self.name.text() != entry.name:
            self.name.setText(entry.name)
        self.key.setText(f"⇧{CLASS_KEYS[index]}" if index < len(CLASS_KEYS) else "")
        self.eye.setIcon(icon("visibility" if entry.visible else "visibility_off"))
        self.count(entry)

    def count(self, entry: PaintClass) -> None:
        """Show how many pixels are painted."""
        self.pixels.setText(f"{entry.pixels:,} px" if entry.pixels else "–")

    def select(self, selected: bool) -> None:
        """Show whether this class is painted with."""
        self.setProperty("selected", selected)
        style = self.style()
        if style is not None:
            style.unpolish(self)
            style.polish(self)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        self.pressed.emit(self.value)
        super().mousePressEvent(event)

    def _choose_color(self) -> None:
        now = QColor(self._workspace.classes[self.value].color)
        color = QColorDialog.getColor(now, self, "Colour of the class")
        if color.isValid():
            self._workspace.classes.recolor(self.value, color.name())

    def _rename(self) -> None:
        name = self.name.text().strip()
        if name and self.value in self._workspace.classes:
            self._workspace.classes.rename(self.value, name)

    def _toggle(self) -> None:
        visible = self._workspace.classes[self.value].visible
        self._workspace.classes.set_visible(self.value, not visible)

    def _remove(self) -> None:
        self._workspace.remove_class(self.value)


class ClassesSection(Section):
    """A row per class."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("Classes", expanded=True)
        self._workspace = workspace
        self._rows: dict[int, ClassRow] = {}
        self.list = QVBoxLayout()
        self.list.setSpacing(1)
        self.add = QPushButton("+ Add class")
        self.add.clicked.connect(self._add)
        self.rows.setSpacing(GAP)
        self.rows.addLayout(self.list)
        self.rows.addLayout(row(self.add, QWidget(), stretch=1))
        workspace.classes.changed.connect(self.show_classes)
        workspace.classes.counted.connect(self.show_counts)
        workspace.class_selected.connect(self.show_selected)
        workspace.annotations.selected.connect(self.show_selected)
        self.show_classes()

    @property
    def shown(self) -> list[ClassRow]:
        """The rows, from top to bottom."""
        return [self._rows[value] for value in sorted(self._rows)]

    def show_classes(self) -> None:
        """Show the classes as they are now; a row stays while its class is there."""
        for value in set(self._rows) - set(self._workspace.classes.values):
            gone = self._rows.pop(value)
            self.list.removeWidget(gone)
            # Not deleted at once: the signal that brought us here may come from its own button.
            gone.hide()
            gone.deleteLater()
        for index, entry in enumerate(self._workspace.classes):
            if entry.value not in self._rows:
                self._rows[entry.value] = ClassRow(entry, self._workspace)
                self._rows[entry.value].pressed.connect(self._workspace.select_class)
                self.list.insertWidget(index, self._rows[entry.value])
            self._rows[entry.value].show_entry(entry, index)
        self.show_selected()

    def show_counts(self) -> None:
        """Show how much is painted of each class."""
        for entry in self._workspace.classes:
            self._rows[entry.value].count(entry)

    def show_selected(self) -> None:
        """Show which class is painted with."""
        chosen = self._workspace.selected_class
        for class_row in self._rows.values():
            class_row.select(class_row.value == chosen)

    def _add(self) -> None:
        notify_refusals(self._workspace.add_class)()
