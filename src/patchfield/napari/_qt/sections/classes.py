"""The classes: what is painted, and how much of it."""

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtGui import QColor, QKeyEvent, QMouseEvent
from qtpy.QtWidgets import QColorDialog, QFrame, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from patchfield.napari._qt.cards import GAP, Section, chip, icon, row, tool
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
    renamed = Signal()
    """Writing a name ended by key: the keys belong to the image again."""

    def __init__(self, entry: PaintClass, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.value = entry.value
        self.setObjectName("patchfieldClass")
        self.setStyleSheet(_ROW)
        self.color = tool(chip(entry.color), "Change the colour", self._choose_color)
        self.name = QLineEdit()
        self.name.setStyleSheet(_NAME)
        self.name.setAccessibleName("Name of the class")
        self.name.editingFinished.connect(self._rename)
        self.name.installEventFilter(self)
        self._end_editing()
        self.pixels = QLabel()
        self.pixels.setStyleSheet("font-size: 9pt;")
        self.pixels.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.key = QLabel()
        self.key.setFixedWidth(30)
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
            # What does not fit is cut at the right.
            self.name.setCursorPosition(0)
        self.setToolTip(f"{entry.name}\nA click paints with this class; a double click or F2 renames it")
        self.key.setText(f"⇧{CLASS_KEYS[index]}" if index < len(CLASS_KEYS) else "")
        self.eye.setIcon(icon("visibility" if entry.visible else "visibility_off"))
        self.count(entry)

    def count(self, entry: PaintClass) -> None:
        """Show how many pixels are painted."""
        self.pixels.setText(f"{_short(entry.pixels)} px" if entry.pixels else "–")
        self.pixels.setToolTip(f"{entry.pixels:,} painted pixels, in all images together")

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

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        self.edit()

    def edit(self) -> None:
        """Write another name; Return takes it, Escape goes back to the old one."""
        self.name.setReadOnly(False)
        self.name.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, False)
        self.name.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.name.setFocus()
        self.name.selectAll()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        # Escape is a shortcut of napari's, which an override keeps from being taken.
        if not isinstance(event, QKeyEvent) or event.key() != Qt.Key.Key_Escape or self.name.isReadOnly():
            return False
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
        elif event.type() == QEvent.Type.KeyPress:
            self.name.setText(self._workspace.classes[self.value].name)
            self.renamed.emit()
            self._end_editing()
        return True

    def _end_editing(self) -> None:
        """A name is a label again: clicks go through it to the row."""
        self.name.setReadOnly(True)
        self.name.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.name.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.name.deselect()
        self.name.clearFocus()
        self.name.setCursorPosition(0)

    def _choose_color(self) -> None:
        now = QColor(self._workspace.classes[self.value].color)
        color = QColorDialog.getColor(now, self, "Colour of the class")
        if color.isValid():
            self._workspace.classes.recolor(self.value, color.name())

    def _rename(self) -> None:
        if self.name.isReadOnly() or self.value not in self._workspace.classes:
            return
        name = self.name.text().strip()
        had_focus = self.name.hasFocus()
        self._end_editing()
        if name:
            self._workspace.classes.rename(self.value, name)
        else:
            self.name.setText(self._workspace.classes[self.value].name)
        if had_focus:
            self.renamed.emit()

    def _toggle(self) -> None:
        visible = self._workspace.classes[self.value].visible
        self._workspace.classes.set_visible(self.value, not visible)

    def _remove(self) -> None:
        self._workspace.remove_class(self.value)


class ClassesSection(Section):
    """A row per class."""

    renamed = Signal()
    """Writing a name ended by key."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("Classes", expanded=True)
        self._workspace = workspace
        self._rows: dict[int, ClassRow] = {}
        self.list = QVBoxLayout()
        self.list.setSpacing(1)
        self.add = QPushButton("+ Add class")
        self.add.setToolTip("Make another class, and paint with it")
        self.add.clicked.connect(self._add)
        self.rows.setSpacing(GAP)
        self.rows.addLayout(self.list)
        self.rows.addLayout(row(self.add, QWidget(), stretch=1))
        workspace.classes.changed.connect(self.show_classes)
        workspace.classes.counted.connect(self.show_counts)
        workspace.class_selected.connect(self.show_selected)
        workspace.rename_requested.connect(self.edit_selected)
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
                self._rows[entry.value].renamed.connect(self.renamed)
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

    def edit_selected(self) -> None:
        """Write another name for the class that is painted with."""
        self.expand(animate=False)
        self._rows[self._workspace.selected_class].edit()

    def _add(self) -> None:
        notify_refusals(self._workspace.add_class)()


def _short(pixels: int) -> str:
    return f"{pixels:,}" if pixels < 100_000 else f"{pixels // 1000:,} k"
