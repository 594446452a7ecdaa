"""Every control of the panel, found in the tree of widgets and pressed in the real window: a new one is covered too."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from napari.utils.notifications import NotificationSeverity, notification_manager
from qtpy.QtCore import QPoint, QPointF, Qt, QTimer
from qtpy.QtGui import QDesktopServices, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QLineEdit,
    QPushButton,
    QToolButton,
    QWidget,
)

from patchfield.field import FeatureRecipe
from patchfield.napari._qt.cards import Section
from patchfield.napari._qt.controls import controls
from patchfield.napari.adapt.adapting import Adapting
from patchfield.napari.plugin import PLUGIN
from patchfield.napari.session.status import State
from patchfield.pipeline import Extractor

pytestmark = pytest.mark.gui

PATIENCE = 300


def load_what_is_here(recipes: Any, *arguments: Any, **options: Any) -> Extractor:
    """Stands for the hub: every network that is asked for is at once there, and computes what `filters` does."""
    recipes = (recipes,) if isinstance(recipes, FeatureRecipe) else tuple(recipes)
    found = EXTRACTOR_LOAD([replace(recipe, backbone="filters", options={}, fingerprint="") for recipe in recipes])
    return replace(found, recipes=tuple(replace(r, fingerprint=f"of {r.backbone}") for r in recipes))


EXTRACTOR_LOAD = Extractor.load


class Window:
    """The real window with an image of two phases, painted and segmented; brings itself back to that state."""

    def __init__(self, viewer: Any, image: Any, paint: Callable[[Any], None]) -> None:
        self.viewer, self._image, self._paint = viewer, image, paint
        viewer.add_image(image, name="steel")
        viewer.add_image(image[::-1], name="steel 2")
        _, self.panel = viewer.window.add_plugin_dock_widget(PLUGIN)
        self.canvas = viewer.window._qt_viewer.canvas.native
        self.dismissed: list[str] = []
        self._dismissing = QTimer()
        self._dismissing.timeout.connect(self._dismiss)
        self._dismissing.start(10)

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, *_: object) -> None:
        self._dismissing.stop()
        self.panel.controller.close()
        run_until(lambda: not self.panel.controller.live.updating)

    def get_ready(self) -> bool:
        """Painted, segmented, nothing going on, the keys with the image: as a person has it who is at work."""
        controller = self.panel.controller
        if controller.current is None:
            if not controller.annotations.choices:
                self.viewer.add_image(self._image, name="steel")
            run_until(lambda: bool(controller.annotations.choices))
            controller.select(controller.annotations.choices[0])
        if not controller.live.following:
            controller.follow(True)
        if controller.classes.painted < 2:
            while len(controller.classes.values) < 2:
                controller.add_class()
            self._paint(controller)
        settled = run_until(self._is_settled)
        self.canvas.setFocus()
        return settled

    def unfold(self) -> None:
        for section in self.panel.findChildren(Section):
            section.expand(animate=False)
        QApplication.processEvents()

    @property
    def panel_has_keys(self) -> bool:
        # Of the window: under a bare X server no window is ever the active one.
        focused = self.viewer.window._qt_window.focusWidget()
        return focused is not None and self.panel.isAncestorOf(focused)

    def _is_settled(self) -> bool:
        controller = self.panel.controller
        if controller.features.problem is not None:
            controller.features.resume()
        status = controller.status
        return status.state is State.LIVE and status.progress is None and not controller.live.updating

    def _dismiss(self) -> None:
        """Menus and dialogs that a control opens are left as a person leaves them who changed his mind."""
        for window in (QApplication.activePopupWidget(), QApplication.activeModalWidget()):
            if window is not None:
                self.dismissed.append(type(window).__name__)
                if isinstance(window, QDialog):
                    window.reject()
                else:
                    window.close()


def run_until(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Let the window work until `condition` holds, or for some seconds; whether it holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        QTest.qWait(5)
    return True


def value(control: QWidget) -> Any:
    match control:
        case QComboBox():
            return control.currentIndex()
        case QAbstractSlider() | QAbstractSpinBox():
            return control.value()
        case QAbstractButton():
            return control.isChecked()
        case QLineEdit():
            return control.text()


def turn_wheel(control: QWidget) -> None:
    middle, none = QPointF(control.rect().center()), Qt.KeyboardModifier.NoModifier
    place = control.mapToGlobal(middle)
    begin, button = Qt.ScrollPhase.NoScrollPhase, Qt.MouseButton.NoButton
    QApplication.sendEvent(control, QWheelEvent(middle, place, QPoint(), QPoint(0, -120), button, none, begin, False))


def press(control: QWidget) -> None:
    """Use a control as a person does."""
    left = Qt.MouseButton.LeftButton
    match control:
        case QComboBox():
            control.setFocus()
            QTest.keyClick(control, Qt.Key.Key_Up if control.currentIndex() else Qt.Key.Key_Down)
        case QAbstractSpinBox():
            control.setFocus()
            QTest.keyClick(control, Qt.Key.Key_Up)
            QTest.keyClick(control, Qt.Key.Key_Return)
        case QLineEdit():
            control.setFocus()
            QTest.keyClicks(control, "a")
            QTest.keyClick(control, Qt.Key.Key_Return)
        case QAbstractItemView():
            QTest.mouseClick(control.viewport(), left, pos=QPoint(20, 10))
        case _:
            QTest.mouseClick(control, left)
            menu = control.menu() if isinstance(control, QPushButton | QToolButton) else None
            for action in () if menu is None else menu.actions():
                if action.isEnabled():
                    action.trigger()


def said(control: QWidget) -> tuple[str, str, str]:
    """What kind of control it is, how it is called, and what it is for."""
    name = control.accessibleName() or (control.text() if isinstance(control, QAbstractButton) else "")
    return type(control).__name__, name, control.toolTip()


def everything(panel: QWidget) -> list[QWidget]:
    """The controls that can be used now, lists among them; what ends or takes away something comes last."""
    lists = [view for view in panel.findChildren(QAbstractItemView) if not isinstance(view.window(), QDialog)]
    inside = [view for view in lists if not isinstance(view.parent(), QComboBox) and view.window() is panel.window()]
    found = [control for control in (*controls(panel), *inside) if control.isVisible() and control.isEnabled()]
    return sorted(
        found, key=lambda control: "remove" in control.toolTip().lower() or "off" in control.toolTip().lower()
    )


@pytest.fixture
def window(make_napari_viewer, two_phases, paint_both, qtbot, monkeypatch, tmp_path) -> Iterator[Window]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(Extractor, "load", staticmethod(load_what_is_here))
    monkeypatch.setattr(Adapting, "start", lambda self, order: None)
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: True)
    with Window(make_napari_viewer(show=True), two_phases(48, 64), paint_both) as opened:
        assert opened.get_ready()
        yield opened


def test_every_control_says_what_it_is_for_and_can_be_pressed(window):
    window.unfold()
    found = everything(window.panel)
    silent = [control for control in found if not (control.toolTip() or control.parentWidget().toolTip())]
    nameless = [control for control in found if not said(control)[1]]
    assert [said(control) for control in silent] == []
    assert [said(control) for control in nameless] == []
    before, pressed = len(notification_manager.records), set()
    turned, kept_keys = [], []
    # By what they say: a row that is made anew is the same to a person.
    while waiting := [control for control in everything(window.panel) if said(control) not in pressed]:
        control = waiting[0]
        name = said(control)
        pressed.add(name)
        unturned = value(control)
        turn_wheel(control)
        turned += [name] if value(control) != unturned else []
        press(control)
        QApplication.processEvents()
        kept_keys += [name] if window.panel_has_keys else []
        assert window.get_ready(), f"{name}: {window.panel.controller.status}"
        window.unfold()
    assert len(pressed) > 40
    problems = [r for r in notification_manager.records[before:] if r.severity >= NotificationSeverity.WARNING]
    assert [record.message for record in problems] == []
    assert turned == [], "the wheel turns nothing that has not the focus"
    assert kept_keys == [], "the keys belong to the image again"
