"""The sections that check and measure: what is chosen in them happens, and what is shown is so."""

import csv

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from patchfield.field import FeatureRecipe
from patchfield.napari._qt.finishing import FinishingForm
from patchfield.napari._qt.measurements import FRACTIONS, Measurements, TableModel
from patchfield.napari._qt.sections.check import CheckSection
from patchfield.napari._qt.sections.objects import OUTDATED, ObjectsSection
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.layers import Role
from patchfield.objects import Cleaning, ObjectTable

pytestmark = pytest.mark.gui


@pytest.fixture
def small(viewer, two_phases, stroke, qapp) -> Controller:
    """Three strokes of each class, and one that disagrees."""
    controller = Controller(viewer, InlineRunner(), FeatureRecipe("filters", "fast"))
    viewer.add_image(two_phases(), name="steel", scale=(0.5, 0.5), units=("um", "um"))
    for row in (20, 40, 60):
        stroke(controller, 1, row, 10)
        stroke(controller, 2, row, 60)
    stroke(controller, 2, 80, 20)
    return controller


def press(widget) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def test_the_form_finishes_and_shows_what_a_probe_brings(small):
    form = FinishingForm(small.live, small.classes)
    raw = small.current.result(Role.SEGMENTATION).data.copy()
    form.min_size.value = 30
    form.holes.value = (2,)
    assert small.live.finishing == Cleaning(0, (2,), 30)
    assert "pieces ≥ 30 px" in form.summary.text()
    form.smoothing.value = 3
    assert (small.current.result(Role.SEGMENTATION).data != raw).any()
    small.live.finish(Cleaning(fill_holes=(1, 2)))
    assert form.smoothing.value == 0
    assert form.holes.value == (1, 2)
    assert small.live.finishing == Cleaning(fill_holes=(1, 2)), "showing it changes nothing"
    small.classes.rename(2, "pore")
    form.holes.value = ()
    assert form.summary.text() == "off"


def test_objects_are_found_listed_and_written(small, monkeypatch, tmp_path):
    section = ObjectsSection(small)
    assert not section.table.isEnabled()
    section.of_class.value = 2
    section.min_size.value = 5
    section.split.value = True
    section.neck.value = 0.5
    press(section.begin)
    measured = small.objects.measured
    assert (measured.options.value, measured.options.min_size, measured.options.neck) == (2, 5, 0.5)
    assert section.summary.text() == measured.sentence()
    assert "--split --neck 0.5" in section.command.toolTip()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(tmp_path / "mine"), ""))
    press(section.csv)
    with (tmp_path / "mine.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == measured.table.rows
    small.current.labels.data_setitem((np.array([3, 4]), np.array([3, 3])), 2)
    assert OUTDATED in section.summary.text()
    press(section.begin)
    assert OUTDATED not in section.summary.text()


def test_the_table_sorts_by_numbers_and_its_rows_lead_to_objects(small, viewer):
    small.objects.find()
    table = Measurements(small)
    objects = ObjectTable({"object": np.array([1, 2, 3]), "area (px)": np.array([9.0, 100.0, np.nan])})
    model = TableModel(objects)
    texts = [model.data(model.index(row, 1)) for row in range(3)]
    assert texts == ["9", "100", ""]
    area = [table.view.model().headerData(i, Qt.Orientation.Horizontal) for i in range(4)].index("area (µm²)")
    table.view.sortByColumn(area, Qt.SortOrder.DescendingOrder)
    largest = int(np.argmax(small.objects.measured.table["area (px)"]))
    table.view.clicked.emit(table.view.model().index(0, 0))
    layer = small.current.result(Role.OBJECTS)
    assert layer.selected_label == small.objects.measured.table["object"][largest]
    assert small.current.result(Role.MARK) is not None


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_plots_have_the_colours_of_the_theme(small, viewer, theme):
    small.objects.find()
    table = Measurements(small)
    viewer.theme = theme
    colors = []
    for what in (0, 1):
        table.what.setCurrentIndex(what)
        (axes,) = table.plot.figure.axes
        assert np.mean(axes.get_facecolor()[:3]) < 0.5 if theme == "dark" else np.mean(axes.get_facecolor()[:3]) > 0.5
        colors.append(axes.xaxis.label.get_color())
    assert table.what.currentText() == FRACTIONS
    assert len(set(colors)) == 1


def test_the_table_is_empty_once_the_image_is_gone(small, viewer):
    small.objects.find()
    section, table = ObjectsSection(small), Measurements(small)
    viewer.layers.remove(small.current.source.layer)
    assert table.view.model().rowCount() == 0
    assert not section.csv.isEnabled()


def test_check_shows_confusions_and_leads_to_strokes_and_back(small, viewer):
    section = CheckSection(small)
    agreement = small.check.agreement
    assert f"Agreement {100 * agreement.mean:.0f} %" in section.agreement.text()
    shares = agreement.confusion / agreement.confusion.sum(1, keepdims=True)
    assert section.confusion.item(1, 0).text() == f"{100 * shares[1, 0]:.0f} %"
    assert section.strokes.count() == 1
    section.strokes.itemClicked.emit(section.strokes.item(0))
    assert small.current.result(Role.MARK) is not None
    assert section.back.isEnabled()
    press(section.back)
    assert small.current.result(Role.MARK) is None
    assert not section.back.isEnabled()
    press(section.next)
    assert section.back.isEnabled()
    press(section.weigh)
    assert section.groups.count() > 2
    small.classes.rename(2, "pore")
    assert section.confusion.verticalHeaderItem(1).text() == "pore"


def test_check_says_what_is_missing(viewer, two_phases, paint_both, qapp):
    controller = Controller(viewer, InlineRunner(), FeatureRecipe("filters", "fast"))
    viewer.add_image(two_phases())
    section = CheckSection(controller)
    assert not section.next.isEnabled()
    paint_both(controller)
    assert "three strokes" in section.agreement.text()
    assert section.next.isEnabled()
    assert not section.weigh.isEnabled()
