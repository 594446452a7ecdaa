"""The real window: a panel in a dock, painting with the mouse, jobs in threads."""

import threading

import numpy as np
import pytest
from napari.layers import Labels
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest

from patchfield.backbones import RECOMMENDED
from patchfield.napari._qt.cards import Section
from patchfield.napari.layers import Role, roles
from patchfield.napari.plugin import PLUGIN
from patchfield.napari.session.status import State
from patchfield.napari.session.view import Show

pytestmark = pytest.mark.gui

PATIENCE = 300_000


@pytest.fixture
def open_panel(make_napari_viewer, qtbot):
    """Opens windows with a panel; closes the panels before napari's fixture closes the windows."""
    panels = []

    def open_one(image=None, **arguments):
        viewer = make_napari_viewer(**arguments)
        if image is not None:
            viewer.add_image(image, name="steel")
        _, panel = viewer.window.add_plugin_dock_widget(PLUGIN)
        panels.append(panel)
        return viewer, panel

    yield open_one
    for panel in panels:
        panel.controller.close()
    qtbot.waitUntil(lambda: not workers(), timeout=PATIENCE)


@pytest.fixture
def settle(qtbot):
    """Waits until a panel is in a state, and nothing goes on."""

    def wait(panel, state=State.LIVE):
        def settled():
            status = panel.controller.status
            return status.state is state and status.progress is None and not panel.controller.live.updating

        qtbot.waitUntil(settled, timeout=PATIENCE)

    return wait


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "patchfield"]


def segmentation(panel) -> np.ndarray:
    return panel.controller.current.result(Role.SEGMENTATION).data


def follows_strokes(panel) -> bool:
    labels = panel.controller.current.labels.data
    return all((segmentation(panel)[labels == value] == value).mean() > 0.9 for value in (1, 2))


def test_from_a_dropped_image_to_a_segmentation_that_follows_undo(open_panel, settle, two_phases, paint_both):
    viewer, panel = open_panel()
    assert panel.controller.status.state is State.NO_IMAGE
    viewer.add_image(two_phases(), name="steel")
    settle(panel, State.NEED_CLASSES)
    assert isinstance(viewer.layers.selection.active, Labels), "the brush is in hand"
    paint_both(panel.controller)
    settle(panel)
    assert follows_strokes(panel)
    panel.controller.current.labels.undo()
    settle(panel, State.NEED_CLASSES)
    assert not segmentation(panel).any()
    panel.controller.current.labels.redo()
    settle(panel)
    assert follows_strokes(panel)


def on_canvas(viewer, places) -> list[QPoint]:
    """Where places of the image, (row, column), are on the canvas."""
    height, width = viewer.canvas.size
    (middle_row, middle_column), zoom = viewer.scene.camera.center[-2:], viewer.scene.camera.zoom
    return [
        QPoint(round(width / 2 + (column - middle_column) * zoom), round(height / 2 + (row - middle_row) * zoom))
        for row, column in places
    ]


def drag(viewer, start, end):
    """Press, move and release the left button between two points of the image (row, column)."""
    native = viewer.window._qt_viewer.canvas.native
    path = on_canvas(viewer, np.linspace(start, end, 8))
    QTest.mouseMove(native, path[0])
    QTest.mousePress(native, Qt.MouseButton.LeftButton, pos=path[0])
    for point in path[1:]:
        QTest.mouseMove(native, point, delay=5)
    QTest.mouseRelease(native, Qt.MouseButton.LeftButton, pos=path[-1])


def encircle(viewer, center, radius):
    """Press the right button and move once around: napari 0.9 fills what was encircled."""
    native = viewer.window._qt_viewer.canvas.native
    angles = np.linspace(0, 2 * np.pi, 40)
    around = np.stack([center[0] + radius * np.sin(angles), center[1] + radius * np.cos(angles)], axis=1)
    path = on_canvas(viewer, around)
    QTest.mouseClick(native, Qt.MouseButton.RightButton, pos=path[0])
    for point in path[1:]:
        QTest.mouseMove(native, point, delay=5)


def test_painting_with_the_mouse(open_panel, settle, two_phases, qtbot):
    viewer, panel = open_panel(two_phases(), show=True)
    settle(panel, State.NEED_CLASSES)
    viewer.reset_view()
    qtbot.wait(200)
    drag(viewer, (20, 10), (70, 30))
    QTest.keyClick(viewer.window._qt_viewer.canvas.native, Qt.Key.Key_W, Qt.KeyboardModifier.ShiftModifier)
    assert panel.controller.selected_class == 2
    drag(viewer, (20, 66), (70, 86))
    settle(panel)
    labels = panel.controller.current.labels.data
    assert set(np.unique(labels[:, :40])) == {0, 1}
    assert set(np.unique(labels[:, 56:])) == {0, 2}
    assert follows_strokes(panel)


def test_what_is_encircled_and_filled_with_the_right_button_is_one_stroke(open_panel, settle, two_phases, qtbot):
    viewer, panel = open_panel(two_phases(), show=True)
    settle(panel, State.NEED_CLASSES)
    viewer.reset_view()
    qtbot.wait(200)
    current, strokes = panel.controller.current, []
    current.strokes_changed.connect(lambda: strokes.append(current.labels.data.copy()))
    encircle(viewer, (48, 24), 14)
    assert len(strokes) == 1
    assert current.labels.data[48, 24] == 1, "filled"
    current.labels.undo()
    assert not current.labels.data.any(), "as one step"


def test_the_panel_says_what_is(open_panel, settle, two_phases, paint_both):
    _, panel = open_panel(two_phases())
    settle(panel, State.NEED_CLASSES)
    assert panel.images.list.names() == ["steel"]
    assert panel.images.description.text() == "grey · uint8 · 96 × 96"
    assert panel.features.backbones.currentText() == "micro  (embedded)"
    assert panel.features.detail.currentText() == "balanced"
    paint_both(panel.controller)
    settle(panel)
    assert not panel.status.guide.isHidden(), "nothing jumps at the moment of success"
    assert panel.status.sentence.text().startswith("Live · updated in")
    rows = panel.classes.shown
    assert [(row.name.text(), row.pixels.text()) for row in rows] == [("class 1", "64"), ("class 2", "64")]


def test_classes_are_added_renamed_chosen_and_removed_in_the_panel(open_panel, settle, two_phases, paint_both, qtbot):
    _, panel = open_panel(two_phases())
    paint_both(panel.controller)
    settle(panel)
    qtbot.mouseClick(panel.classes.add, Qt.MouseButton.LeftButton)
    assert panel.controller.selected_class == 3
    name = panel.classes.shown[2].name
    panel.classes.shown[2].edit()
    name.setText("pore")
    name.editingFinished.emit()
    assert panel.controller.classes[3].name == "pore"
    qtbot.mouseClick(panel.classes.shown[0], Qt.MouseButton.LeftButton)
    assert panel.controller.selected_class == 1
    qtbot.mouseClick(panel.classes.shown[2].remove, Qt.MouseButton.LeftButton)
    assert [row.name.text() for row in panel.classes.shown] == ["class 1", "class 2"]


def test_results_are_chosen_and_faded_in_the_panel(open_panel, settle, two_phases, paint_both, qtbot):
    _, panel = open_panel(two_phases())
    paint_both(panel.controller)
    settle(panel)
    panel.view.opacity.setValue(80)
    assert panel.controller.current.result(Role.SEGMENTATION).opacity == pytest.approx(0.8)
    qtbot.mouseClick(panel.view.buttons[Show.UNCERTAINTY], Qt.MouseButton.LeftButton)
    settle(panel)
    assert panel.controller.current.result(Role.UNCERTAINTY).visible
    assert not panel.controller.current.result(Role.SEGMENTATION).visible


def test_another_detail_is_computed_and_its_cost_shown(open_panel, settle, two_phases):
    _, panel = open_panel(two_phases())
    settle(panel, State.NEED_CLASSES)
    mirrored = panel.features.detail.findData("hr-dv2")
    panel.features.detail.setCurrentIndex(mirrored)
    panel.features.detail.activated.emit(mirrored)
    settle(panel, State.NEED_CLASSES)
    assert panel.controller.features.recipes[0].sampling == "hr-dv2"
    assert "17 views · 64 channels · CPU" in panel.features.cost.text()


def test_closing_the_panel_in_the_middle_of_a_job_keeps_the_labels(open_panel, two_phases, paint_both, qtbot):
    viewer, panel = open_panel(two_phases(700, 700))
    paint_both(panel.controller)
    labels = panel.controller.current.labels
    qtbot.waitUntil(lambda: bool(workers()), timeout=PATIENCE)
    viewer.window.remove_dock_widget(panel.parent())
    qtbot.waitUntil(lambda: not workers(), timeout=PATIENCE)
    assert panel.controller.current is None
    assert labels in viewer.layers
    assert labels.data.any()
    assert not viewer.keymap
    assert [roles.role(layer) for layer in viewer.layers] == [None, Role.LABELS]


def test_closing_a_window_at_work_is_silent_while_another_goes_on(open_panel, two_phases, paint_both, qtbot):
    open_panel()
    viewer, panel = open_panel(two_phases(700, 700), show=True)
    controller = panel.controller
    qtbot.waitUntil(lambda: controller.features.extracting is not None, timeout=PATIENCE)
    paint_both(controller)
    assert workers()
    before = len(notification_manager.records)
    # From inside the event loop, as a click does: only then Qt destroys the widgets while the program goes on.
    QTimer.singleShot(0, viewer.close)
    qtbot.waitUntil(lambda: len(controller.classes.counted) == 0, timeout=PATIENCE)
    qtbot.waitUntil(lambda: not workers(), timeout=PATIENCE)
    qtbot.wait(200)
    assert len(notification_manager.records) == before


def test_two_windows_at_once(open_panel, settle, two_phases, paint_both):
    _, first = open_panel(two_phases())
    _, second = open_panel(two_phases(seed=1))
    paint_both(first.controller)
    settle(first)
    settle(second, State.NEED_CLASSES)
    assert not second.controller.current.labels.data.any()
    first.controller.classes.rename(1, "ferrite")
    assert second.classes.shown[0].name.text() == "class 1"


def test_refused_input_becomes_a_notification(open_panel, two_phases, tmp_path, qtbot):
    _, panel = open_panel(two_phases())
    (tmp_path / "broken.probe").write_bytes(b"no probe")
    before = len(notification_manager.records)
    panel.controller.files.load_probe(tmp_path / "broken.probe")
    qtbot.waitUntil(lambda: len(notification_manager.records) > before, timeout=PATIENCE)
    (notification,) = notification_manager.records[before:]
    assert "broken.probe" in notification.message


def test_a_probe_that_is_dropped_on_napari_is_loaded(open_panel, settle, two_phases, paint_both, tmp_path):
    viewer, panel = open_panel(two_phases())
    paint_both(panel.controller)
    settle(panel)
    panel.controller.classes.rename(2, "pore")
    panel.controller.files.save_probe(tmp_path / "steel.probe")
    panel.controller.current.labels.undo()
    panel.controller.classes.rename(2, "else")
    settle(panel, State.NEED_CLASSES)
    count = len(viewer.layers)
    viewer.open(tmp_path / "steel.probe", plugin=PLUGIN)
    settle(panel)
    assert panel.controller.classes[2].name == "pore"
    assert len(viewer.layers) == count


def test_the_download_is_offered_beside_what_is_embedded_until_it_is_here(open_panel, monkeypatch):
    _, panel = open_panel()
    section = panel.features
    assert section.download.text().startswith(f"Download {RECOMMENDED} (")
    assert not section.download.isHidden()
    monkeypatch.setattr("patchfield.napari.session.choices.is_here", lambda weight: True)
    section.show_recipes()
    assert section.download.isHidden()
    assert section.gain.isHidden()


def test_sections_are_folded_as_they_were_left(open_panel):
    _, panel = open_panel()
    keys, classes = section_of(panel, "Keys"), section_of(panel, "Classes")
    keys.toggleButton().click()
    classes.toggleButton().click()
    _, another = open_panel()
    assert section_of(another, "Keys").isExpanded()
    assert not section_of(another, "Classes").isExpanded()


def section_of(panel, title) -> Section:
    (section,) = (section for section in panel.findChildren(Section) if section.title == title)
    return section
