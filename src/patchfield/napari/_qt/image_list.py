"""The images as a list: thumbnail, name, and what is known of each."""

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import QAbstractListModel, QModelIndex, QRect, QSize, Qt
from qtpy.QtGui import QContextMenuEvent, QImage, QPainter, QPalette, QPixmap
from qtpy.QtWidgets import QListView, QMenu, QSizePolicy, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from patchfield.napari._qt.notices import notify_refusals
from patchfield.napari.project.entries import ImageEntry
from patchfield.napari.project.images import Images

ROW = 40
"""Height of a row in pixels."""

MAX_ROWS = 4
"""So many images are seen at once; a longer list scrolls."""

_MARGIN = 4
_PICTURE = ROW - 2 * _MARGIN
_STYLE = "QListView { border: none; border-radius: 4px; background: rgba(128, 140, 160, 22); }"
ENTRY = Qt.ItemDataRole.UserRole


class _Model(QAbstractListModel):
    """The entries, as Qt asks for them."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: tuple[ImageEntry, ...] = ()

    def show(self, entries: tuple[ImageEntry, ...]) -> None:
        """Show entries as they are now; rows stay where only what they say changed."""
        if [entry.key for entry in entries] != [entry.key for entry in self.entries]:
            self.beginResetModel()
            self.entries = entries
            self.endResetModel()
        elif entries:
            self.entries = entries
            self.dataChanged.emit(self.index(0), self.index(len(entries) - 1))

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 Qt's own signature
        return 0 if parent.isValid() else len(self.entries)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry = self.entries[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{entry.name}, {entry.marks}" if entry.marks else entry.name
        if role == Qt.ItemDataRole.ToolTipRole:
            return tool_tip(entry)
        return entry if role == ENTRY else None


class _Delegate(QStyledItemDelegate):
    """Paints a row: the thumbnail, the name, and the marks below it."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return QSize(0, ROW)

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        if painter is None:
            return
        entry: ImageEntry = index.data(ENTRY)
        painter.save()
        if entry.is_current:
            painter.fillRect(option.rect, _shade(option, 85))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(option.rect, _shade(option, 40))
        area = option.rect.adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        _paint_picture(painter, QRect(area.topLeft(), QSize(_PICTURE, _PICTURE)), entry)
        text = area.adjusted(_PICTURE + 2 * _MARGIN, 0, 0, 0)
        painter.setPen(option.palette.color(QPalette.ColorRole.Text))
        upper = QRect(text.left(), text.top(), text.width(), text.height() // 2 if entry.marks else text.height())
        _paint_line(painter, upper, entry.name)
        if entry.marks:
            small = painter.font()
            small.setPointSizeF(0.85 * small.pointSizeF())
            painter.setFont(small)
            _paint_line(painter, QRect(text.left(), upper.bottom(), text.width(), text.height() // 2), entry.marks)
        painter.restore()


class ImageList(QListView):
    """The images of a viewer; a click sees and paints on one, and a right click closes or removes it."""

    def __init__(self, images: Images, close: Callable[[str], None], remove: Callable[[str], None]) -> None:
        super().__init__()
        self._images, self._close, self._remove = images, close, remove
        self._model = _Model()
        self.setModel(self._model)
        self.setItemDelegate(_Delegate(self))
        self.setStyleSheet(_STYLE)
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QListView.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setToolTip("The images: a click sees and paints on one (PageDown, PageUp)")
        self.setAccessibleName("Images")
        self.clicked.connect(self._choose)
        self.activated.connect(self._choose)
        images.changed.connect(self.show_images)
        bar = self.verticalScrollBar()
        if bar is not None:
            bar.valueChanged.connect(self._request_thumbnails)
        self.show_images()

    def show_images(self) -> None:
        """Show the images as they are now, the current one in view."""
        before = self._current_row()
        self._model.show(self._images.entries)
        self.setFixedHeight(ROW * min(MAX_ROWS, max(1, len(self._images))) + 2 * self.frameWidth())
        row = self._current_row()
        if row >= 0 and row != before:
            self.scrollTo(self._model.index(row))
        self._request_thumbnails()

    def names(self) -> list[str]:
        """The names, from top to bottom."""
        return [entry.name for entry in self._model.entries]

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:
        if event is None or not self.indexAt(event.pos()).isValid():
            return
        entry: ImageEntry = self.indexAt(event.pos()).data(ENTRY)
        menu = QMenu(self)
        closing = menu.addAction("Close, and keep its strokes", partial(self._close, entry.key))
        if closing is not None:
            closing.setEnabled(entry.is_open)
        menu.addAction(
            "Remove from the list…" if entry.painted else "Remove from the list", partial(self._remove, entry.key)
        )
        menu.exec(event.globalPos())

    def _current_row(self) -> int:
        return next((row for row, entry in enumerate(self._model.entries) if entry.is_current), -1)

    def _choose(self, index: QModelIndex) -> None:
        notify_refusals(self._images.choose)(index.data(ENTRY).key)

    def _request_thumbnails(self, *_: object) -> None:
        """Ask for the thumbnails of the rows in view, and of some below."""
        bar = self.verticalScrollBar()
        first = 0 if bar is None else max(0, self.indexAt(self.rect().topLeft()).row())
        keys = [entry.key for entry in self._model.entries[first : first + 2 * MAX_ROWS] if entry.thumbnail is None]
        if keys:
            self._images.request_thumbnails(keys)


def tool_tip(entry: ImageEntry) -> str:
    """The whole name, where it is, and what the marks mean."""
    lines = [entry.name, *([str(entry.path)] if entry.path is not None else [])]
    if entry.problem:
        return "\n".join([*lines, entry.problem])
    if not entry.is_open:
        lines.append("Opened when it is chosen")
    if entry.painted:
        lines.append("Painted: strokes on it are learned from")
    if entry.outdated:
        lines.append("Outdated: its segmentation is of an earlier probe")
    if entry.only_here:
        lines.append("It has no file: once it is painted on, its pixels are kept in the project")
    return "\n".join(lines)


def _shade(option: QStyleOptionViewItem, strength: int) -> Any:
    color = option.palette.color(QPalette.ColorRole.Text)
    color.setAlpha(strength)
    return color


def _paint_picture(painter: QPainter, area: QRect, entry: ImageEntry) -> None:
    if entry.thumbnail is None:
        return
    height, width = entry.thumbnail.shape[:2]
    picture = QImage(entry.thumbnail.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    pixmap = QPixmap.fromImage(picture).scaled(area.size(), keep, smooth)
    place = QRect(pixmap.rect())
    place.moveCenter(area.center())
    painter.drawPixmap(place.topLeft(), pixmap)


def _paint_line(painter: QPainter, area: QRect, text: str) -> None:
    elided = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), elided)
