"""The classes: what is painted, and how much of it."""

from collections.abc import Callable
from functools import partial

from qtpy.QtCore import QEvent, QMimeData, QObject, QPoint, Qt, Signal
from qtpy.QtGui import QAction, QColor, QDrag, QDragEnterEvent, QDropEvent, QIcon, QKeyEvent, QMouseEvent
from qtpy.QtWidgets import (
    QApplication,
    QColorDialog,
    QFrame,
    QInputDialog,
    QLabel,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLineEdit

from patchfield.napari._qt.cards import GAP, Section, chip, icon, row, tool
from patchfield.napari._qt.notices import notify_refusals
from patchfield.napari.controller import Controller
from patchfield.napari.layers.keys import CLASS_KEYS
from patchfield.napari.session.classes import PaintClass
from patchfield.napari.session.fractions import Fractions

_ROW = """
QFrame#patchfieldClass { border-radius: 4px; background: transparent; }
QFrame#patchfieldClass:hover { background: rgba(128, 140, 160, 30); }
QFrame#patchfieldClass[selected="true"] { background: rgba(128, 140, 160, 85); }
"""
DRAGGED = "application/x-patchfield-class"
"""What a row that is dragged carries: the value of its class."""
_NAME = "QLineEdit { border: none; background: transparent; padding: 2px; }"


class ClassRow(QFrame):
    """One class: colour, name, painted pixels, share of the image; a click selects it, a drag moves it."""

    pressed = Signal(int)
    renamed = Signal()
    """Writing a name ended by key: the keys belong to the image again."""

    def __init__(self, entry: PaintClass, controller: Controller) -> None:
        super().__init__()
        self._controller = controller
        self.value = entry.value
        self._pressed_at = QPoint()
        self.setObjectName("patchfieldClass")
        self.setStyleSheet(_ROW)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(lambda at: self._show_menu(self.mapToGlobal(at)))
        self.color = tool(chip(entry.color), "Change the colour", self._choose_color)
        self.name = QElidingLineEdit()
        self.name.setStyleSheet(_NAME)
        self.name.setAccessibleName("Name of the class")
        self.name.editingFinished.connect(self._rename)
        self.name.installEventFilter(self)
        self._end_editing()
        # As wide as what they may have to say: counts that grow do not widen the panel.
        self.name.setMinimumWidth(self.name.fontMetrics().horizontalAdvance("lamellae"))
        self.pixels, self.fraction, self.key = _small("9,999"), _small("100.0 %"), _small("⇧W")
        self.eye = tool(icon("visibility"), "Show or hide this class in the segmentation", self._toggle)
        self.remove = tool(icon("delete"), "Remove the class and its strokes (undo brings them back)", self._remove)
        self.more = tool(QIcon(), "More: rename, move, merge", self._show_menu_here)
        self.more.setText("⋮")
        layout = row(self.color, self.name, self.pixels, self.fraction, self.key, self.eye, self.remove, self.more)
        layout.setStretch(1, 1)
        layout.setSpacing(3)
        layout.setContentsMargins(4, 1, 4, 1)
        self.setLayout(layout)

    def show_entry(self, entry: PaintClass, index: int) -> None:
        """Show the class as it is now, as the `index`-th of the list."""
        self.color.setIcon(chip(entry.color))
        if self.name.text() != entry.name:
            self.name.setText(entry.name)
        self.setToolTip(f"{entry.name}\nA click paints with this class; a double click or F2 renames it")
        key = CLASS_KEYS[index] if index < len(CLASS_KEYS) else ""
        self.key.setText(f"⇧{key}" if key else "")
        self.key.setToolTip(
            f"Shift+{key} paints with this class" if key else "Comma and full stop walk through the list"
        )
        self.eye.setIcon(icon("visibility" if entry.visible else "visibility_off"))
        self.count(entry)

    def count(self, entry: PaintClass) -> None:
        """Show how many pixels are painted."""
        self.pixels.setText(_short(entry.pixels) if entry.pixels else "–")
        self.pixels.setToolTip(f"{entry.pixels:,} painted pixels, in all images together")

    def measure(self, fractions: Fractions | None) -> None:
        """Show how much of the image the class covers."""
        self.fraction.setText("" if fractions is None else fractions.text(self.value))
        self.fraction.setToolTip(
            "How much of the image it covers, once that is segmented"
            if fractions is None
            else fractions.sentence(self.value)
        )

    def select(self, selected: bool) -> None:
        """Show whether this class is painted with."""
        self.setProperty("selected", selected)
        style = self.style()
        if style is not None:
            style.unpolish(self)
            style.polish(self)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._pressed_at = event.pos()
        self.pressed.emit(self.value)
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        if event is None or not event.buttons() & Qt.MouseButton.LeftButton:
            return
        if (event.pos() - self._pressed_at).manhattanLength() >= QApplication.startDragDistance():
            drag, data = QDrag(self), QMimeData()
            data.setData(DRAGGED, str(self.value).encode())
            drag.setMimeData(data)
            drag.setPixmap(self.grab())
            drag.exec(Qt.DropAction.MoveAction)

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
        if event is not None and event.type() == QEvent.Type.Paint and self.name.isReadOnly():
            # What does not fit is cut at the right, however the text came there.
            self.name.setCursorPosition(0)
        # Escape is a shortcut of napari's, which an override keeps from being taken.
        if not isinstance(event, QKeyEvent) or event.key() != Qt.Key.Key_Escape or self.name.isReadOnly():
            return False
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
        elif event.type() == QEvent.Type.KeyPress:
            self.name.setText(self._controller.classes[self.value].name)
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
        now = QColor(self._controller.classes[self.value].color)
        color = QColorDialog.getColor(now, self, "Colour of the class")
        if color.isValid():
            self._controller.classes.recolor(self.value, color.name())

    def _rename(self) -> None:
        if self.name.isReadOnly() or self.value not in self._controller.classes:
            return
        name = self.name.text().strip()
        had_focus = self.name.hasFocus()
        self._end_editing()
        if name:
            self._controller.classes.rename(self.value, name)
        else:
            self.name.setText(self._controller.classes[self.value].name)
        if had_focus:
            self.renamed.emit()

    def _show_menu_here(self) -> None:
        self._show_menu(self.more.mapToGlobal(self.more.rect().bottomLeft()))

    def _show_menu(self, where: QPoint) -> None:
        self.menu().exec(where)

    def menu(self) -> QMenu:
        """What else can be done to this class."""
        palette, classes = self._controller.palette, self._controller.classes
        menu = QMenu(self)
        place, last = classes.values.index(self.value), len(classes) - 1
        _entry(menu, "Rename (F2)", self.edit)
        _entry(menu, "Change the colour…", self._choose_color)
        _entry(menu, "Move up", lambda: classes.move(self.value, -1), possible=place > 0)
        _entry(menu, "Move down", lambda: classes.move(self.value, 1), possible=place < last)
        merge = QMenu("Merge into", menu)
        merge.setEnabled(last > 0)
        menu.addMenu(merge)
        for other in classes:
            if other.value != self.value:
                into = partial(palette.merge, self.value, other.value)
                _entry(merge, other.name, into).setIcon(chip(other.color))
        menu.addSeparator()
        _entry(menu, "Remove with its strokes", self._remove)
        menu.aboutToHide.connect(menu.deleteLater)
        return menu

    def _toggle(self) -> None:
        visible = self._controller.classes[self.value].visible
        self._controller.classes.set_visible(self.value, not visible)

    def _remove(self) -> None:
        self._controller.remove_class(self.value)


class ClassesSection(Section):
    """A row per class."""

    renamed = Signal()
    """Writing a name ended by key."""

    def __init__(self, controller: Controller) -> None:
        super().__init__("Classes", expanded=True)
        self._controller = controller
        self._rows: dict[int, ClassRow] = {}
        self.setAcceptDrops(True)
        self.list = QVBoxLayout()
        self.list.setSpacing(1)
        self.add = QPushButton("+ Add class")
        self.add.setToolTip("Make another class, and paint with it")
        self.add.clicked.connect(self._add)
        self.presets = QPushButton("Presets")
        self.presets.setToolTip("Take a set of classes, or keep these for another time")
        menu = QMenu(self.presets)
        menu.aboutToShow.connect(partial(self._fill_presets, menu))
        self.presets.setMenu(menu)
        self.rows.setSpacing(GAP)
        self.rows.addLayout(self.list)
        self.rows.addLayout(row(self.add, QWidget(), self.presets, stretch=1))
        controller.classes.changed.connect(self.show_classes)
        controller.classes.counted.connect(self.show_counts)
        controller.class_selected.connect(self.show_selected)
        controller.rename_requested.connect(self.edit_selected)
        controller.annotations.selected.connect(self.show_selected)
        controller.annotations.selected.connect(self.show_fractions)
        controller.results.measured.connect(self.show_fractions)
        self.show_classes()

    @property
    def shown(self) -> list[ClassRow]:
        """The rows, from top to bottom."""
        return [self._rows[value] for value in self._controller.classes.values]

    def show_classes(self) -> None:
        """Show the classes as they are now; a row stays while its class is there."""
        for value in set(self._rows) - set(self._controller.classes.values):
            gone = self._rows.pop(value)
            self.list.removeWidget(gone)
            # Not deleted at once: the signal that brought us here may come from its own button.
            gone.hide()
            gone.deleteLater()
        for index, entry in enumerate(self._controller.classes):
            if entry.value not in self._rows:
                self._rows[entry.value] = ClassRow(entry, self._controller)
                self._rows[entry.value].pressed.connect(self._controller.select_class)
                self._rows[entry.value].renamed.connect(self.renamed)
            class_row = self._rows[entry.value]
            if self.list.indexOf(class_row) != index:
                self.list.removeWidget(class_row)
                self.list.insertWidget(index, class_row)
            class_row.show_entry(entry, index)
        self.show_selected()
        self.show_fractions()

    def show_counts(self) -> None:
        """Show how much is painted of each class."""
        for entry in self._controller.classes:
            self._rows[entry.value].count(entry)

    def show_fractions(self) -> None:
        """Show how much of the current image each class covers."""
        current = self._controller.current
        fractions = None if current is None else self._controller.results.fractions(current.source)
        for class_row in self._rows.values():
            class_row.measure(fractions)

    def show_selected(self) -> None:
        """Show which class is painted with."""
        chosen = self._controller.selected_class
        for class_row in self._rows.values():
            class_row.select(class_row.value == chosen)

    def edit_selected(self) -> None:
        """Write another name for the class that is painted with."""
        self.expand(animate=False)
        self._rows[self._controller.selected_class].edit()

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        data = None if event is None else event.mimeData()
        if event is not None and data is not None and data.hasFormat(DRAGGED):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Put the class that was dragged where it was dropped."""
        data = None if event is None else event.mimeData()
        if event is None or data is None:
            return
        classes = self._controller.classes
        value = int(data.data(DRAGGED).data().decode())
        if value in classes:
            below = [r for r in self.shown if r.mapTo(self, r.rect().center()).y() < event.position().y()]
            before = classes.values.index(value)
            # Rows above the drop, the dragged one itself not counted.
            classes.move(value, sum(r.value != value for r in below) - before)
            event.acceptProposedAction()

    def _add(self) -> None:
        notify_refusals(self._controller.add_class)()

    def _fill_presets(self, menu: QMenu) -> None:
        palette = self._controller.palette
        menu.clear()
        for name, classes in palette.presets.items():
            action = _entry(menu, name, partial(palette.apply, name))
            action.setToolTip(", ".join(info.name for info in classes.values()))
        menu.setToolTipsVisible(True)
        menu.addSeparator()
        _entry(menu, "Keep these classes as…", self._keep)
        kept = [name for name in palette.presets if palette.is_kept(name)]
        forget = QMenu("Forget", menu)
        forget.setEnabled(bool(kept))
        menu.addMenu(forget)
        for name in kept:
            _entry(forget, name, partial(palette.forget, name))

    def _keep(self) -> None:
        name, ok = QInputDialog.getText(self, "Keep these classes", "Name of the set")
        if ok:
            notify_refusals(self._controller.palette.keep)(name)


def _entry(menu: QMenu, title: str, verb: Callable[[], object], *, possible: bool = True) -> QAction:
    action = QAction(title, menu)
    action.setEnabled(possible)
    action.triggered.connect(lambda _: verb())
    menu.addAction(action)
    return action


def _small(longest: str) -> QLabel:
    label = QLabel()
    label.setStyleSheet("font-size: 9pt;")
    label.ensurePolished()
    label.setFixedWidth(label.fontMetrics().horizontalAdvance(longest) + GAP)
    label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return label


def _short(pixels: int) -> str:
    return f"{pixels:,}" if pixels < 10_000 else f"{pixels / 1000:.0f} k" if pixels < 1e6 else f"{pixels / 1e6:.1f} M"
