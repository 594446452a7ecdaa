"""What was measured, below the image: a table whose rows lead to their objects, and a plot."""

from typing import Any

import numpy as np
from napari.utils.theme import get_theme
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, QSortFilterProxyModel, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from patchfield.napari._qt.cards import GAP, row
from patchfield.napari._qt.plots import Plot
from patchfield.napari.controller import Controller
from patchfield.napari.objects.objects import Measured
from patchfield.objects import ObjectTable, fraction_figure, size_distribution, size_figure

SIZES, FRACTIONS = "Sizes", "Classes"
HEIGHT, ROW = 230, 20


class TableModel(QAbstractTableModel):
    """An ObjectTable as Qt shows it; what is sorted by are the numbers themselves."""

    SORT_ROLE = Qt.ItemDataRole.UserRole

    def __init__(self, table: ObjectTable, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._names = [name for name in table if name != "plane" or len(set(table[name])) > 1]
        self._columns: list[NDArray[Any]] = [table[name] for name in self._names]
        self._rows = table.rows

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return self._rows

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return len(self._names)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role != Qt.ItemDataRole.DisplayRole or orientation != Qt.Orientation.Horizontal:
            return None
        return self._names[section]

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        value = self._columns[index.column()][index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return _text(value)
        if role == self.SORT_ROLE:
            return value.item() if isinstance(value, np.generic) else value
        if role == Qt.ItemDataRole.TextAlignmentRole and not isinstance(value, str):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None


class Measurements(QWidget):
    """Table and plot of the objects that were found last."""

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self._controller = controller
        self._shown: Measured | None = None
        self.heading = QLabel()
        self.view = QTableView()
        self.view.setSortingEnabled(True)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.view.setAccessibleName("Objects")
        self.view.setToolTip("A click on a row goes to the object; a click on a heading sorts")
        rows = self.view.verticalHeader()
        assert rows is not None
        rows.setVisible(False)
        rows.setDefaultSectionSize(ROW)
        self.view.clicked.connect(self._go_to)
        self.what = QComboBox()
        self.what.addItems([SIZES, FRACTIONS])
        self.what.setAccessibleName("Plot")
        self.what.setToolTip("How large the objects are, or how much each class covers")
        self.what.currentIndexChanged.connect(self._draw)
        self.plot = Plot()
        self._lay_out()
        controller.objects.changed.connect(self.show_objects)
        controller.viewer.events.theme.connect(self._draw)
        self.show_objects()

    def show_objects(self) -> None:
        """Show what was found last; nothing once its image is gone."""
        objects = self._controller.objects
        measured = objects.measured
        outdated = " · out of date: the segmentation changed since" if objects.outdated else ""
        self.heading.setText("No objects were found yet" if measured is None else f"{measured.sentence()}{outdated}")
        if measured is self._shown:
            return
        self._shown = measured
        proxy = QSortFilterProxyModel(self)
        proxy.setSortRole(TableModel.SORT_ROLE)
        proxy.setSourceModel(TableModel(ObjectTable({}) if measured is None else measured.table, proxy))
        self.view.setModel(proxy)
        self.view.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.view.resizeColumnsToContents()
        self._draw()

    def _lay_out(self) -> None:
        left, right = QWidget(), QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.heading)
        column.addWidget(self.view, 1)
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row(self.what, QWidget(), stretch=1))
        column.addWidget(self.plot, 1)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(left)
        splitter.addWidget(right)
        splitter.setSizes([600, 400])
        layout = QHBoxLayout(self)
        layout.setContentsMargins(GAP, GAP, GAP, GAP)
        layout.addWidget(splitter)
        self.setMinimumHeight(HEIGHT // 2)

    def _go_to(self, index: QModelIndex) -> None:
        proxy = self.view.model()
        assert isinstance(proxy, QSortFilterProxyModel)
        self._controller.objects.go_to(proxy.mapToSource(index).row())

    def _draw(self, *_: object) -> None:
        theme = get_theme(self._controller.viewer.theme)
        measured = self._shown
        if measured is None:
            self.plot.clear()
        elif self.what.currentText() == SIZES:
            distribution = size_distribution(measured.table, exclude_border=False)
            self.plot.draw(size_figure(distribution, measured.class_name), theme)
        else:
            classes = {value: info for value, info in measured.classes.items() if value in measured.fractions}
            self.plot.draw(fraction_figure(measured.fractions, classes), theme)


def _text(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else ""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.4g}"
    return str(value)
