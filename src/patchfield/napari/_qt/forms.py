"""Forms of a few labelled controls, built by magicgui and dressed like the rest of the panel."""

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import Container
from magicgui.widgets.bases import ValueWidget
from qtpy.QtWidgets import QSizePolicy, QWidget

LABEL = 118


def form(widgets: Sequence[ValueWidget[Any]]) -> Container[ValueWidget[Any]]:
    """Controls below one another, each with its label in front."""
    container: Container[ValueWidget[Any]] = Container(widgets=list(widgets), layout="vertical", labels=True)
    container.margins = (0, 0, 0, 0)
    native: QWidget = container.native
    layout = native.layout()
    if layout is not None:
        layout.setSpacing(2)
    native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    for widget in widgets:
        widget.native.setAccessibleName(widget.label or widget.name)
        widget.native.setToolTip(widget.tooltip or "")
    return container
