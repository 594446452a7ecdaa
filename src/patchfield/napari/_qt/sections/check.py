"""How far the probe can be trusted: agreement, what is mistaken for what, strokes to look at, what it goes by."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QGridLayout,
    QHeaderView,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from patchfield.napari._qt.cards import ICON, Section, chip, hint, row
from patchfield.napari._qt.notices import notify_refusals
from patchfield.napari.check.check import EXPLANATION, MIN_STROKES, NO_GROUPS, Doubt
from patchfield.napari.controller import Controller
from patchfield.napari.session.status import Status
from patchfield.probe import Agreement

MAX_CLASSES = 6
"""A larger table does not fit into the panel; then only what is mistaken most is listed."""

MAX_ROWS = 4
MAX_GROUPS = 8


class CheckSection(Section):
    """Agreement, a small table of confusions, strokes that disagree, groups of features, and unsure places."""

    def __init__(self, controller: Controller) -> None:
        super().__init__("Check", expanded=False)
        self._controller = controller
        self._doubts: tuple[Doubt, ...] = ()
        self.next = QPushButton("Next unsure place   N")
        self.next.setToolTip("Go to where a stroke would help most; a ring marks it")
        self.back = QPushButton("Back   ⇧N")
        self.back.setToolTip("Go back to what was seen before")
        self.agreement = hint()
        self.agreement.setToolTip(EXPLANATION)
        self.confusion = QTableWidget()
        self.confusion.setAccessibleName("What is mistaken for what")
        self.confusion.setToolTip("Rows: painted as; columns: predicted as, while the stroke was held out")
        corner = self.confusion.findChild(QAbstractButton)
        assert corner is not None
        corner.setEnabled(False)
        corner.setToolTip("Rows: painted as; columns: predicted as")
        corner.setAccessibleName("Corner of the table")
        self.confusion.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.confusion.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.confusion.setIconSize(ICON)
        self.confusion.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.mistakes = hint()
        self.heading = QLabel("Strokes that disagree")
        self.strokes = QListWidget()
        self.strokes.setAccessibleName("Strokes that disagree")
        self.strokes.setToolTip("Held out, they are mostly taken for another class: a click goes there")
        self.strokes.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.strokes.setIconSize(ICON)
        self.strokes.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.strokes.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.weigh = QPushButton("What it goes by")
        self.weigh.setToolTip(
            "Learn again without each group of features: how much of the agreement is lost (computed when pressed)"
        )
        self.groups = QGridLayout()
        self.groups.setColumnStretch(0, 1)
        self.weighed = hint()
        self._lay_out()
        self._connect()
        self.show_check()
        self.show_status(controller.status)

    def show_status(self, status: Status) -> None:
        """Enable what can be done now."""
        controller = self._controller
        known = controller.live.probe is not None and controller.current is not None
        self.next.setEnabled(known)
        self.back.setEnabled(controller.places.has_way_back)
        self._show_weighing()

    def show_check(self) -> None:
        """Show agreement, confusions, strokes and groups as they are now."""
        agreement = self._controller.check.agreement
        self.agreement.setText(MIN_STROKES if agreement is None else self._sentence(agreement))
        self._show_confusion(agreement)
        self._show_strokes()
        self._show_weighing()

    def _lay_out(self) -> None:
        self.rows.addLayout(row(self.next, self.back, stretch=0))
        for widget in (self.agreement, self.confusion, self.mistakes, self.heading, self.strokes):
            self.rows.addWidget(widget)
        self.rows.addLayout(row(self.weigh, QWidget(), stretch=1))
        self.rows.addLayout(self.groups)
        self.rows.addWidget(self.weighed)

    def _connect(self) -> None:
        controller = self._controller
        self.next.clicked.connect(controller.tour.next)
        self.back.clicked.connect(controller.tour.back)
        self.strokes.itemClicked.connect(self._go_to)
        self.weigh.clicked.connect(self._weigh)
        controller.check.changed.connect(self.show_check)
        controller.classes.changed.connect(self.show_check)
        controller.status_changed.connect(self.show_status)
        controller.places.changed.connect(self._show_way_back)

    def _sentence(self, agreement: Agreement) -> str:
        return (
            f"<b>Agreement {100 * agreement.mean:.0f} %</b>: so much of strokes that were held out is predicted right "
            f"from the others ({agreement.strokes} strokes, mean of the classes)."
        )

    def _name(self, value: int) -> str:
        classes = self._controller.classes
        return classes[value].name if value in classes else f"class {value}"

    def _show_confusion(self, agreement: Agreement | None) -> None:
        values = [] if agreement is None else list(agreement.per_class)
        fits = 0 < len(values) <= MAX_CLASSES
        self.confusion.setVisible(fits)
        self.mistakes.setVisible(len(values) > MAX_CLASSES)
        if agreement is None:
            return
        if not fits:
            worst = agreement.confusions()[:MAX_ROWS]
            lines = [f"{self._name(a)} taken for {self._name(b)}: {100 * share:.0f} %" for a, b, share in worst]
            self.mistakes.setText("<br>".join(lines) or "No class is mistaken for another.")
            return
        self._fill_confusion(agreement, values)

    def _fill_confusion(self, agreement: Agreement, values: list[int]) -> None:
        table = self.confusion
        table.setRowCount(len(values))
        table.setColumnCount(len(values))
        colors = self._controller.classes.colors()
        for position, value in enumerate(values):
            down, across = QTableWidgetItem(self._name(value)), QTableWidgetItem()
            for item in (down, across):
                item.setIcon(chip(colors.get(value, "#808080")))
                item.setToolTip(self._name(value))
            table.setVerticalHeaderItem(position, down)
            table.setHorizontalHeaderItem(position, across)
        shares = agreement.confusion / agreement.confusion.sum(1, keepdims=True).clip(1)
        for painted, predicted in ((i, j) for i in range(len(values)) for j in range(len(values))):
            share = float(shares[painted, predicted])
            item = QTableWidgetItem(f"{100 * share:.0f} %" if share else "–")
            item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
            font = item.font()
            font.setBold(painted == predicted)
            item.setFont(font)
            item.setToolTip(
                f"{100 * share:.1f} % of what is painted as {self._name(values[painted])} is predicted as "
                f"{self._name(values[predicted])}"
            )
            table.setItem(painted, predicted, item)
        self._fit_confusion()

    def _fit_confusion(self) -> None:
        """As high as its rows: it never scrolls."""
        table = self.confusion
        across, down = table.horizontalHeader(), table.verticalHeader()
        assert across is not None
        assert down is not None
        across.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        down.setMaximumWidth(130)
        down.setDefaultSectionSize(24)
        down.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.setFixedHeight(across.sizeHint().height() + 24 * table.rowCount() + 2 * table.frameWidth() + 2)

    def _show_strokes(self) -> None:
        self._doubts = self._controller.check.doubts
        agreement = self._controller.check.agreement
        self.heading.setVisible(agreement is not None)
        self.strokes.setVisible(bool(self._doubts))
        if agreement is not None:
            count = f"{len(self._doubts)} of {agreement.strokes}" if self._doubts else "none"
            self.heading.setText(f"Strokes that disagree: {count}")
        self.strokes.clear()
        for doubt in self._doubts:
            result = doubt.result
            painted, predicted = self._name(result.value), self._name(result.predicted)
            item = QListWidgetItem(f"{painted}, taken for {predicted} · {doubt.name}")
            item.setIcon(chip(self._controller.classes.colors().get(result.value, "#808080")))
            rows, columns = result.centre
            item.setToolTip(
                f"{doubt.name}, row {rows}, column {columns}: painted as {painted}, {100 * result.right:.0f} % of it "
                f"predicted so; most of it taken for {predicted}"
                + ("" if doubt.plane is not None else ". Its image is not open.")
            )
            self.strokes.addItem(item)
        lines = min(MAX_ROWS, max(1, len(self._doubts)))
        height = max(20, self.strokes.sizeHintForRow(0))
        self.strokes.setFixedHeight(lines * height + 2 * self.strokes.frameWidth() + 2)

    def _show_weighing(self) -> None:
        check = self._controller.check
        groups = bool(check.groups())
        self.weigh.setEnabled(check.progress is not None or (groups and check.agreement is not None))
        self.weigh.setText("What it goes by" if check.progress is None else f"Stop ({check.progress})")
        while (item := self.groups.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for line, entry in enumerate(check.importance[:MAX_GROUPS]):
            self.groups.addWidget(QLabel(entry.group), line, 0)
            value = QLabel(f"{-100 * entry.loss:+.1f} %")
            value.setAlignment(Qt.AlignmentFlag.AlignRight)
            value.setToolTip(f"The agreement changes by so much when the probe is learned without '{entry.group}'")
            self.groups.addWidget(value, line, 1)
        self.weighed.setVisible(bool(check.importance) or not groups)
        found = "Change of the agreement without a group; about 0 means that others know it as well."
        self.weighed.setText(found if check.importance else NO_GROUPS)

    def _show_way_back(self) -> None:
        self.back.setEnabled(self._controller.places.has_way_back)

    def _go_to(self, item: QListWidgetItem) -> None:
        self._controller.check.go_to(self._doubts[self.strokes.row(item)])

    def _weigh(self) -> None:
        check = self._controller.check
        if check.progress is not None:
            check.cancel()
        else:
            notify_refusals(check.weigh)()
