"""Objects of a class: found, counted, measured, shown as a table and a plot."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, FloatSpinBox, SpinBox
from magicgui.widgets.bases import ValueWidget
from napari.utils.notifications import show_info
from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QDockWidget, QFileDialog, QMainWindow, QProgressBar, QPushButton, QWidget

from patchfield.napari._qt.cards import Section, hint, row
from patchfield.napari._qt.forms import form
from patchfield.napari._qt.measurements import HEIGHT, Measurements
from patchfield.napari._qt.notices import notify_refusals
from patchfield.napari.controller import Controller

PLANE, PLANES, VOLUME = "on view", "all planes", "as one volume"
OUTDATED = "Out of date: the segmentation changed since. Find them again."
DOCK = "Patchfield objects"


class ObjectsSection(Section):
    """What counts as an object, the button that finds them, and what was found."""

    def __init__(self, controller: Controller) -> None:
        super().__init__("Objects", expanded=False)
        self._controller = controller
        self.of_class = ComboBox(label="Class", choices=self._classes, tooltip="Whose objects are found")
        self.planes = ComboBox(
            label="Planes",
            choices=[PLANE, PLANES, VOLUME],
            tooltip="The plane on view, every plane for itself, or all slices as one body",
        )
        self.min_size = SpinBox(
            label="Smallest size",
            max=10**6,
            tooltip="Pieces of fewer pixels, of any class, go to the class around them; 0 keeps them",
        )
        self.fill_holes = CheckBox(label="Fill holes", tooltip="The class takes over what it encloses on all sides")
        self.split = CheckBox(
            label="Split touching", tooltip="Part objects that touch, at their necks (distance transform and watershed)"
        )
        self.neck = FloatSpinBox(
            label="Neck",
            min=0.05,
            max=0.95,
            step=0.05,
            tooltip="How narrow a neck must be, as part of the width of the narrower object; larger values part more",
        )
        self.exclude_border = CheckBox(
            label="Leave out border", tooltip="Objects at the edge of the image are larger than what is seen of them"
        )
        self.intensity = CheckBox(label="Intensities", tooltip="Also measure the mean intensity of every object")
        pieces: list[ValueWidget[Any]] = [self.min_size, self.fill_holes, self.split, self.neck]
        self.form = form([self.of_class, self.planes, *pieces, self.exclude_border, self.intensity])
        self.begin = _button("Find objects", "Find, count and measure the objects of the class")
        self.stop = _button("Stop", "Stop after the plane that is worked on; what was found before stays")
        self.progress = QProgressBar()
        self.progress.setFixedHeight(14)
        self.summary = hint()
        self.table = _button("Table and plot", "Show what was measured: a click on a row goes to the object")
        self.csv = _button("CSV…", "Write the table; rows of other images in the same file stay")
        self.command = QPushButton("Copy command")
        self._measurements: Measurements | None = None
        self._lay_out()
        self._connect()
        self._fill_form()
        self.show_objects()

    def show_objects(self) -> None:
        """Show progress, what was found, and whether it still holds."""
        objects = self._controller.objects
        progress, measured = objects.progress, objects.measured
        self.stop.setVisible(progress is not None)
        self.progress.setVisible(progress is not None)
        if progress is not None:
            self.progress.setRange(0, progress.total)
            self.progress.setValue(progress.done)
            self.progress.setFormat(f"Measuring: {progress}")
        self.summary.setVisible(measured is not None)
        if measured is not None:
            text = measured.sentence()
            self.summary.setText(f"<b>{OUTDATED}</b><br>{text}" if objects.outdated else text)
        for button in (self.table, self.csv):
            button.setEnabled(measured is not None)
        self.command.setToolTip(f"Copy the command that does the same with a saved segmentation:\n{objects.command}")

    def show_choices(self, *_: object) -> None:
        """Offer the classes there are, and planes where the image has several."""
        chosen = self.of_class.value
        self.of_class.reset_choices()
        if chosen in self._controller.classes.values:
            self.of_class.value = chosen
        current = self._controller.current
        self.planes.visible = current is not None and bool(current.source.lengths)
        self.begin.setEnabled(current is not None)

    def _lay_out(self) -> None:
        self.rows.addWidget(self.form.native)
        self.rows.addLayout(row(self.begin, self.stop, stretch=0))
        self.rows.addWidget(self.progress)
        self.rows.addWidget(self.summary)
        self.rows.addLayout(row(self.table, self.csv, stretch=0))
        self.rows.addLayout(row(self.command, QWidget(), stretch=1))

    def _connect(self) -> None:
        controller = self._controller
        self.form.changed.connect(self._take_form)
        self.begin.clicked.connect(self._find)
        self.stop.clicked.connect(controller.objects.cancel)
        self.table.clicked.connect(self.show_table)
        self.csv.clicked.connect(self._write)
        self.command.clicked.connect(self._copy)
        controller.objects.changed.connect(self.show_objects)
        controller.objects.written.connect(_say_written)
        controller.classes.changed.connect(self.show_choices)
        controller.annotations.selected.connect(self.show_choices)

    def _classes(self, _: Any = None) -> Sequence[tuple[str, int]]:
        return [(entry.name, entry.value) for entry in self._controller.classes]

    def _fill_form(self) -> None:
        """Show the options as they are."""
        options = self._controller.objects.options
        self.show_choices()
        with self.form.changed.blocked():
            if options.value in self._controller.classes:
                self.of_class.value = options.value
            self.planes.value = VOLUME if options.volume else PLANES if options.all_planes else PLANE
            self.min_size.value = options.min_size
            self.fill_holes.value = options.fill_holes
            self.split.value = options.split
            self.neck.value = options.neck
            self.exclude_border.value = options.exclude_border
            self.intensity.value = options.intensity
        self.neck.visible = options.split

    def _take_form(self) -> None:
        objects = self._controller.objects
        self.neck.visible = bool(self.split.value)
        objects.options = replace(
            objects.options,
            value=objects.options.value if self.of_class.value is None else int(self.of_class.value),
            min_size=int(self.min_size.value),
            fill_holes=bool(self.fill_holes.value),
            split=bool(self.split.value),
            neck=float(self.neck.value),
            exclude_border=bool(self.exclude_border.value),
            volume=self.planes.visible and self.planes.value == VOLUME,
            all_planes=self.planes.visible and self.planes.value == PLANES,
            intensity=bool(self.intensity.value),
        )
        self.show_objects()

    def find_and_show(self) -> None:
        """Unfold, find, and show the table once it is there.

        Raises
        ------
        LabelError
            When there is nothing to find objects in.
        """
        self.expand(animate=False)
        self._take_form()
        self._controller.objects.find()
        self.show_table()

    def show_table(self) -> None:
        """Open the table below the image, or bring it back."""
        viewer = self._controller.viewer
        if not isinstance(viewer, Viewer):
            return
        if self._measurements is None:
            self._measurements = Measurements(self._controller)
        # napari takes a widget out of its dock when that is closed.
        if self._measurements.parentWidget() is None:
            dock = viewer.window.add_dock_widget(self._measurements, name=DOCK, area="bottom")
            _lower(dock)
        dock = self._measurements.parentWidget()
        if dock is not None:
            dock.show()
            dock.raise_()

    def remove_table(self) -> None:
        """Take the table away: the panel goes."""
        viewer, table = self._controller.viewer, self._measurements
        self._measurements = None
        if table is not None and table.parentWidget() is not None and isinstance(viewer, Viewer):
            viewer.window.remove_dock_widget(table)

    def _find(self) -> None:
        self._take_form()
        notify_refusals(self._controller.objects.find)()

    def _write(self) -> None:
        measured = self._controller.objects.measured
        if measured is None:
            return
        folder = "" if measured.source.file is None else str(measured.source.file.parent)
        start = str(Path(folder) / "objects.csv")
        options = QFileDialog.Option.DontConfirmOverwrite
        path, _ = QFileDialog.getSaveFileName(self, "Write the table", start, "Tables (*.csv)", options=options)
        if path:
            notify_refusals(self._controller.objects.write)(path if path.endswith(".csv") else f"{path}.csv")

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self._controller.objects.command)
            show_info("Copied: save the segmentation, then run the command in its folder.")


def _lower(dock: QDockWidget) -> None:
    """Leave the panel as much height as can be."""
    window = dock.parentWidget()
    if isinstance(window, QMainWindow):
        window.resizeDocks([dock], [HEIGHT], Qt.Orientation.Vertical)


def _say_written(path: Path) -> None:
    show_info(f"Written: {path}")


def _button(text: str, tooltip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    return button
