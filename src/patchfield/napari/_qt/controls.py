"""How the controls of the panel behave beside a canvas: the wheel scrolls, and keys belong to the image."""

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit, QScrollBar, QWidget

CONTROLS = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit)
_TURNED_BY_WHEEL = (QAbstractSlider, QAbstractSpinBox, QComboBox)
_PRESSED = (QAbstractButton, QAbstractSlider, QComboBox)


def controls(panel: QWidget) -> list[QWidget]:
    """Everything in a panel that can be pressed, turned or written in; not the inner parts of Qt's own widgets."""
    found = [widget for widget in panel.findChildren(QWidget) if isinstance(widget, CONTROLS)]
    inner = (QAbstractSpinBox, QComboBox)
    return [w for w in found if not isinstance(w, QScrollBar) and not isinstance(w.parent(), inner)]


class Manners(QObject):
    """Teaches all controls of a panel to leave the wheel and the keys to others.

    The wheel turns nothing that has not the focus, and a click gives the focus to nothing but what is written in. After
    a choice or Return the focus goes back to the image, so that the keys of painting are not typed into a list.

    Parameters
    ----------
    panel : QWidget
    to_image : callable
        Gives the focus to the image.
    """

    def __init__(self, panel: QWidget, to_image: Callable[[], None]) -> None:
        super().__init__(panel)
        for control in controls(panel):
            if isinstance(control, _PRESSED):
                control.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            else:
                control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            if isinstance(control, _TURNED_BY_WHEEL):
                control.installEventFilter(self)
            if isinstance(control, QComboBox):
                control.activated.connect(lambda _: to_image())
            line = control.lineEdit() if isinstance(control, QAbstractSpinBox) else control
            if isinstance(line, QLineEdit):
                line.returnPressed.connect(to_image)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is None or event.type() != QEvent.Type.Wheel:
            return False
        if isinstance(watched, QWidget) and (window := watched.window()) and window.focusWidget() is watched:
            return False
        # Ignored, it goes on to the column, which scrolls.
        event.ignore()
        return True
