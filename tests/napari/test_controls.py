"""The controls of the panel in a real window: clicks, wheel, keys, names."""

from collections import Counter

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, QRect, Qt
from qtpy.QtGui import QColor, QImage, QKeyEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QLabel, QLineEdit, QScrollArea

from patchfield.field import FeatureRecipe
from patchfield.napari._qt.cards import Section
from patchfield.napari._qt.choosing import BackboneDialog
from patchfield.napari._qt.controls import controls
from patchfield.napari.plugin import PLUGIN
from patchfield.napari.session.status import Progress, State, Status

pytestmark = pytest.mark.gui


@pytest.fixture
def window(make_napari_viewer, qtbot, two_phases):
    viewer = make_napari_viewer(show=True)
    viewer.add_image(two_phases(), name="steel")
    _, panel = viewer.window.add_plugin_dock_widget(PLUGIN)
    qtbot.waitUntil(lambda: panel.controller.status.state is State.NEED_CLASSES, timeout=300_000)
    yield viewer, panel
    panel.controller.close()
    qtbot.waitUntil(lambda: not panel.controller.live.updating, timeout=300_000)


def scroll(widget) -> None:
    middle = QPointF(widget.rect().center())
    down, none = QPoint(0, -120), Qt.KeyboardModifier.NoModifier
    event = QWheelEvent(
        middle,
        widget.mapToGlobal(middle),
        QPoint(),
        down,
        Qt.MouseButton.NoButton,
        none,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def has_keys(viewer) -> bool:
    # Of the window: under a bare X server no window is ever the active one.
    return viewer.window._qt_window.focusWidget() is viewer.window._qt_viewer.canvas.native


def test_every_control_says_what_it_is_for(window):
    _, panel = window
    found = controls(panel)
    assert len(found) > 30
    silent = [
        control
        for control in found
        if not (control.toolTip() or (isinstance(control, QLineEdit) and control.parent().toolTip()))
    ]
    nameless = [control for control in found if not (control.accessibleName() or getattr(control, "text", str)())]
    assert not silent
    assert not nameless


def test_the_wheel_turns_nothing_that_has_not_the_focus(window):
    _, panel = window
    panel.view.expand(animate=False)
    panel.adapt.expand(animate=False)
    panel.features.expand(animate=False)
    combo, before = panel.images.contrast, panel.images.contrast.currentIndex()
    for control in (
        combo,
        panel.features.backbones,
        panel.features.detail,
        panel.view.opacity,
        panel.view.groups,
    ):
        value = control.currentIndex() if isinstance(control, QComboBox) else control.value()
        scroll(control)
        assert value == (control.currentIndex() if isinstance(control, QComboBox) else control.value())
    combo.setFocus()
    QApplication.processEvents()
    scroll(combo)
    assert combo.currentIndex() == before + 1


def test_a_click_anywhere_in_a_row_paints_with_its_class(window):
    _, panel = window
    first, second = panel.classes.shown
    for spot in (second.name, second.pixels, second.key):
        panel.controller.select_class(1)
        where = second.childAt(spot.geometry().center()) or second
        QTest.mouseClick(where, Qt.MouseButton.LeftButton, pos=where.mapFrom(second, spot.geometry().center()))
        assert panel.controller.selected_class == 2
    assert first.name.isReadOnly()


def test_a_class_is_renamed_by_double_click_or_key_and_escape_reverts(window):
    viewer, panel = window
    row = panel.classes.shown[1]
    QTest.mouseDClick(row, Qt.MouseButton.LeftButton, pos=row.name.geometry().center())
    QTest.keyClicks(row.name, "pore")
    QTest.keyClick(row.name, Qt.Key.Key_Return)
    assert panel.controller.classes[2].name == "pore"
    assert has_keys(viewer)
    panel.controller.select_class(2)
    QTest.keyClick(viewer.window._qt_viewer.canvas.native, Qt.Key.Key_F2)
    QTest.keyClicks(row.name, "wrong")
    QTest.keyClick(row.name, Qt.Key.Key_Escape)
    assert (panel.controller.classes[2].name, row.name.text()) == ("pore", "pore")
    assert has_keys(viewer)


@pytest.mark.parametrize("value", [1, 2])
@pytest.mark.parametrize("painted", [True, False])
def test_the_class_that_is_painted_with_can_be_removed(window, stroke, value, painted, qtbot):
    _, panel = window
    controller = panel.controller
    controller.select_class(value)
    if painted:
        stroke(controller, value, 20, 20)
    controller.classes.rename(value, "pore")
    QTest.mouseClick(panel.classes.shown[value - 1].remove, Qt.MouseButton.LeftButton)
    assert [row.value for row in panel.classes.shown] == [3 - value]
    assert controller.selected_class == 3 - value
    assert not (controller.current.labels.data == value).any()
    if painted:
        controller.current.labels.undo()
        qtbot.waitUntil(lambda: value in controller.classes, timeout=300_000)
        assert controller.classes[value].name == "pore"


def test_keys_belong_to_the_image_after_a_choice(window):
    viewer, panel = window
    QTest.keyClick(viewer.window._qt_viewer.canvas.native, Qt.Key.Key_H)
    panel.features.detail.setFocus()
    index = panel.features.detail.findData("hr-dv2")
    panel.features.detail.setCurrentIndex(index)
    panel.features.detail.activated.emit(index)
    assert has_keys(viewer)
    for pressed in (panel.classes.add, panel.classes.shown[0], panel.status.sentence):
        panel.features.backbones.setFocus()
        QTest.mouseClick(pressed, Qt.MouseButton.LeftButton)
        assert has_keys(viewer)


def test_h_hides_what_covers_the_image_while_it_is_held(window, stroke):
    viewer, panel = window
    canvas, labels = viewer.window._qt_viewer.canvas.native, panel.controller.current.labels
    viewer.window._qt_viewer.canvas.native.setFocus()
    QTest.keyPress(canvas, Qt.Key.Key_H)
    assert not labels.visible
    for _ in range(3):
        for kind in (QEvent.Type.KeyRelease, QEvent.Type.KeyPress):
            repeated = QKeyEvent(kind, Qt.Key.Key_H, Qt.KeyboardModifier.NoModifier, "h", True)
            QApplication.sendEvent(canvas, repeated)
        assert not labels.visible, "a key that is held repeats itself"
    QTest.keyRelease(canvas, Qt.Key.Key_H)
    QTest.qWait(50)
    assert labels.visible


def test_choosing_a_backbone_downloads_nothing(window, monkeypatch):
    _, panel = window
    section, before = panel.features, panel.controller.features.recipes
    monkeypatch.setattr("patchfield.napari.session.choices.is_here", lambda weight: False)
    index = next(i for i in range(section.backbones.count()) if "neco-base" in section.backbones.itemText(i))
    section.backbones.setCurrentIndex(index)
    section.backbones.activated.emit(index)
    assert panel.controller.features.recipes == before
    assert section.download.text().startswith("Download neco-base (")
    assert not section.download.isHidden()


def test_long_texts_do_not_make_the_panel_wider_than_it_is(window):
    _, panel = window
    width = panel.minimumSizeHint().width()
    for section in panel.findChildren(type(panel.view).__mro__[1]):
        section.expand(animate=False)
    QApplication.processEvents()
    assert panel.minimumSizeHint().width() <= width + 20


def test_the_card_keeps_its_height_in_every_state(window):
    _, panel = window
    heights = set()
    for state in State:
        for sentence in ("Live", "Live · updated in 0.32 s · agreement 0.87 · refining features, 3 of 225 tiles"):
            for progress in (None, Progress(1, 2, "tiles")):
                panel.status.show_status(Status(state, sentence, progress))
                QApplication.processEvents()
                QTest.qWait(20)
                heights.add((panel.status.height(), panel.images.mapTo(panel, QPoint()).y()))
    assert len(heights) == 1
    QTest.mouseClick(panel.status.help, Qt.MouseButton.LeftButton)
    assert panel.status.guide.isHidden()


def test_menus_offer_what_can_be_done(window, paint_both, qtbot):
    _, panel = window
    save, apply = panel.files.save.menu().actions(), panel.files.apply.menu().actions()
    assert not any(action.isEnabled() for action in (*save, *apply))
    assert all("first" in action.toolTip() or "one plane" in action.toolTip() for action in (*save, *apply))
    paint_both(panel.controller)
    qtbot.waitUntil(lambda: all(action.isEnabled() for action in save), timeout=300_000)
    qtbot.waitUntil(lambda: apply[-1].isEnabled(), timeout=300_000)
    assert not apply[0].isEnabled(), "one image of one plane"
    assert np.any(panel.controller.current.labels.data)


def test_backbones_are_searched_and_a_button_says_size_licence_and_its_limits(window, monkeypatch):
    _, panel = window
    monkeypatch.setattr("patchfield.napari.session.choices.is_here", lambda weight: False)
    catalogue = panel.controller.catalogue
    monkeypatch.setattr(catalogue, "list_timm", lambda: None)
    dialog = BackboneDialog(catalogue, panel)
    dialog.search.setText("dinov3 rotary")
    assert dialog.list.item(0).text().startswith("dinov3-small")
    assert "no nuclear or military use" in dialog.about.text()
    assert dialog.take.text() == "Download dinov3-small (86 MB)"
    catalogue.timm_names = ("resnet18.a1_in1k", "vit_tiny_patch16_224.augreg_in21k")
    dialog.search.setText("timm:vit tiny")
    assert dialog.list.item(0).text() == "timm:vit_tiny_patch16_224.augreg_in21k"
    assert not dialog.take.isEnabled() or catalogue.weight("timm:vit_tiny_patch16_224.augreg_in21k")
    dialog.search.setText("no such thing")
    assert not dialog.take.isEnabled()
    dialog.reject()
    assert dialog.chosen == ""


def test_backbones_are_joined_by_check_boxes(window, qtbot):
    _, panel = window
    features, section = panel.controller.features, panel.features
    section.expand(animate=False)
    assert section.joined["micro"].isHidden(), "what is used already cannot be joined to itself"
    section.joined["filters"].click()
    assert features.name == "micro | filters"
    qtbot.waitUntil(lambda: panel.controller.target() is not None, timeout=300_000)
    assert "micro | filters, 146 channels" in section.toggleButton().toolTip()
    assert [section.detail.itemData(index) for index in range(section.detail.count())] == ["balanced", "hr-dv2"]
    section.joined["filters"].click()
    assert features.name == "micro"


def test_after_a_failure_there_are_two_ways_on(window, qtbot):
    _, panel = window
    panel.controller.on_error = lambda error: None
    panel.controller.make_features(FeatureRecipe("no-such-backbone"))
    qtbot.waitUntil(lambda: panel.controller.status.state is State.STOPPED, timeout=300_000)
    card = panel.status
    assert (card.button.text(), card.back.text()) == ("Retry", "Back to micro")
    assert not card.back.isHidden()
    QTest.mouseClick(card.back, Qt.MouseButton.LeftButton)
    assert panel.controller.features.name == "micro"
    assert panel.controller.status.state is State.NEED_CLASSES, "its features were kept"
    assert card.back.isHidden()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_texts_can_be_read_in_both_themes(window, theme):
    viewer, panel = window
    viewer.theme = theme
    for section in panel.findChildren(Section):
        section.expand(animate=False)
    QApplication.processEvents()
    faint = {}
    for part, labels in ((panel, panel.status), (panel.findChild(QScrollArea).widget(),) * 2):
        image = part.grab().toImage()
        for label in labels.findChildren(QLabel):
            if label.isVisible() and len(label.text()) > 1:
                ratio = legibility(image.copy(QRect(label.mapTo(part, QPoint()), label.size())))
                if ratio < 4.5:
                    faint[label.text()] = ratio
    assert not faint


def legibility(image: QImage) -> float:
    """Contrast of a text and what it stands on, the most frequent colour."""
    colors = Counter(image.pixel(x, y) for x in range(image.width()) for y in range(image.height()))
    background = QColor(colors.most_common(1)[0][0])
    return max(contrast(QColor(color), background) for color in colors)


def contrast(text: QColor, background: QColor) -> float:
    """As WCAG 2 counts it: 1 to 21."""

    def luminance(color: QColor) -> float:
        parts = [color.redF(), color.greenF(), color.blueF()]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((luminance(text), luminance(background)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
