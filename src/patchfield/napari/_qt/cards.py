"""What the panel is made of: headings, cards, hints, icons, and the card that says where things stand."""

from collections.abc import Callable

from napari.resources import get_colorized_svg, get_icon_path
from qtpy.QtCore import QByteArray, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap, QResizeEvent
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from patchfield.backbones.published import EMBEDDED
from patchfield.field import FeatureRecipe
from patchfield.napari.controller import Controller
from patchfield.napari.session.status import Progress, State, Status

GAP = 6
LABEL_WIDTH = 72
GREY = "#7d848e"
"""Of icons: 3:1 and more on napari's dark and light backgrounds, which no grey could be for small text."""
QWIDGETSIZE_MAX = 16777215
ICON = QSize(16, 16)
_HINT = "font-size: 9pt;"
_CARD = "QFrame#patchfieldCard { background: rgba(128, 140, 160, 38); border-radius: 6px; }"
_BAR = """
QProgressBar { border: none; border-radius: 2px; background: rgba(128, 140, 160, 70); }
QProgressBar::chunk { border-radius: 2px; background: #f2b134; }
"""
_HEADING = "text-align: left; border: none; background: transparent; font-weight: 600; padding: 2px 0;"


class Section(QCollapsible):
    """A part of the panel under a heading that folds it away.

    Attributes
    ----------
    title : str
        What the heading begins with, whatever else it says.
    """

    def __init__(self, title: str, *, expanded: bool) -> None:
        super().__init__(title, expandedIcon=icon("down_arrow"), collapsedIcon=icon("right_arrow"))
        self.toggleButton().setStyleSheet(_HEADING)
        self.toggleButton().setToolTip(f"Fold or unfold {title}")
        self.toggleButton().setAccessibleName(title)
        self.toggleButton().setIconSize(QSize(9, 9))
        self.toggleButton().setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.title = self._heading = title
        layout = self.layout()
        assert layout is not None
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.setDuration(0)
        self.rows = QVBoxLayout()
        self.rows.setContentsMargins(18, 2, 2, 8)
        self.rows.setSpacing(GAP)
        body = QWidget()
        body.setLayout(self.rows)
        self.setContent(body)
        self.toggled.connect(self._unfold)
        if expanded:
            self.expand(animate=False)
        else:
            self.collapse(animate=False)

    def say(self, heading: str) -> None:
        """Write another heading; what does not fit is left out at the right and in the tool tip."""
        self._heading = heading
        self.toggleButton().setToolTip(heading)
        self._elide()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        button = self.toggleButton()
        if not self.isVisible():
            self.setText(self._heading)
            return
        room = self.width() - 2 * button.iconSize().width() - 2 * GAP
        self.setText(button.fontMetrics().elidedText(self._heading, Qt.TextElideMode.ElideRight, room))

    def _unfold(self, expanded: bool) -> None:
        """Let the content have the height it needs: superqt fixes the one it had when it was unfolded."""
        self.content().setVisible(expanded)
        self.content().setMaximumHeight(QWIDGETSIZE_MAX if expanded else 0)


class Card(QFrame):
    """A rounded frame that says where things stand: a coloured dot, a sentence, a button, a thin progress bar."""

    def __init__(self, pressed: Callable[[], None]) -> None:
        super().__init__()
        self.setObjectName("patchfieldCard")
        self.setStyleSheet(_CARD)
        self.dot = QLabel()
        self.dot.setFixedSize(10, 10)
        self.sentence = wrapping("")
        self.button = QPushButton()
        self.button.clicked.connect(pressed)
        self.button.setToolTip("Stop what goes on, or go on with it")
        self.button.setAccessibleName("Stop or go on")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(4)
        self.bar.setStyleSheet(_BAR)
        self.rows = QVBoxLayout(self)
        self.rows.setContentsMargins(10, 8, 10, 8)
        self.rows.setSpacing(GAP)
        self.line = row(self.dot, self.sentence, self.button, stretch=1)
        self.rows.addLayout(self.line)
        self.rows.addWidget(self.bar)

    def show_dot(self, color: str) -> None:
        self.dot.setStyleSheet(f"background: {color}; border-radius: 5px;")

    def show_progress(self, progress: Progress | None) -> None:
        self.bar.setVisible(progress is not None)
        if progress is not None:
            # A total of 0 makes Qt show that something goes on without saying how far it is.
            self.bar.setRange(0, progress.total)
            self.bar.setValue(progress.done)


def wrapping(text: str) -> QLabel:
    """Text that wraps."""
    label = QLabel(text)
    label.setWordWrap(True)
    # A wrapping label otherwise asks for the width of its longest line, and the dock grows.
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


def hint(text: str = "") -> QLabel:
    """Small text that wraps, in the colour of the theme: greys are hard to read on one theme or the other."""
    label = wrapping(text)
    label.setStyleSheet(_HINT)
    return label


def row(*widgets: QWidget, stretch: int | None = None) -> QHBoxLayout:
    """Widgets side by side, the one at index `stretch` in all the room that is left.

    A label in front names the control behind it.
    """
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(GAP)
    if len(widgets) > 1 and isinstance(widgets[0], QLabel) and widgets[0].text():
        widgets[0].setBuddy(widgets[1])
        widgets[1].setAccessibleName(widgets[0].text())
    for index, widget in enumerate(widgets):
        layout.addWidget(widget, 1 if index == stretch else 0)
    return layout


def tool(icon: QIcon, tip: str, pressed: Callable[[], None]) -> QToolButton:
    """A small flat button with an icon."""
    button = QToolButton()
    button.setIcon(icon)
    button.setIconSize(ICON)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setAutoRaise(True)
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    button.setStyleSheet("QToolButton { border: none; background: transparent; padding: 1px; }")
    button.clicked.connect(pressed)
    return button


def icon(name: str) -> QIcon:
    """One of napari's icons, in a grey that shows on dark and on light themes."""
    svg = get_colorized_svg(get_icon_path(name), color=GREY)
    pixmap = QPixmap()
    pixmap.loadFromData(QByteArray(svg.encode()), "SVG")
    # By position: the two Qts name these arguments differently.
    keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    return QIcon(pixmap.scaled(ICON * 2, keep, smooth))


def chip(color: str) -> QIcon:
    """A rounded square of a colour."""
    pixmap = QPixmap(ICON * 2)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(color))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.drawRoundedRect(pixmap.rect().adjusted(2, 2, -2, -2), 6, 6)
    painter.end()
    return QIcon(pixmap)


GUIDE = """<b>1.</b> Open or drop an image: the brush is in your hand.<br>
<b>2.</b> Paint a few thin strokes of each class (Shift+Q, Shift+W, or click its row).<br>
<b>3.</b> Correct the segmentation where it is wrong: it follows every stroke."""

COLORS = {
    State.NO_IMAGE: "#8a8f98",
    State.LOADING_WEIGHTS: "#f2b134",
    State.COMPUTING: "#f2b134",
    State.STOPPED: "#e5544b",
    State.NEED_CLASSES: "#4aa8ff",
    State.LIVE: "#3ecf8e",
    State.STALE: "#ff8a3d",
    State.FLAT: "#ff8a3d",
}


_GUIDE = "Guide"
"""Under which it is remembered whether the guide is folded."""
EMBEDDED_NAMES = tuple(weight.name for weight in EMBEDDED)
MICRO = EMBEDDED_NAMES[0]
AGREEMENT = "Agreement: the share of strokes that were held out, and are predicted correctly all the same"


class StatusCard(Card):
    """The state, progress and its button; always of one height, but for the guide, which is folded by hand."""

    def __init__(self, controller: Controller) -> None:
        super().__init__(self._press)
        self._controller = controller
        self.guide = wrapping(GUIDE)
        self.guide.setTextFormat(Qt.TextFormat.RichText)
        self.rows.insertWidget(0, self.guide)
        self.help = QToolButton()
        self.help.setText("?")
        self.help.setCheckable(True)
        self.help.setAutoRaise(True)
        self.help.setToolTip("Show or hide how it goes")
        self.help.setAccessibleName("Guide")
        self.help.toggled.connect(self.guide.setVisible)
        self.help.setChecked(not controller.settings.memory.folded.get(_GUIDE, False))
        self.guide.setVisible(self.help.isChecked())
        self.help.clicked.connect(lambda shown: controller.settings.fold(_GUIDE, not shown))
        self.back = QPushButton(f"Back to {MICRO}")
        self.back.setToolTip("Use the features that need no download")
        self.back.clicked.connect(self._go_back)
        for button in (self.button, self.back, self.help):
            button.setFixedHeight(self.fontMetrics().height() + 2 * GAP)
        self.line.removeWidget(self.button)
        buttons = row(self.button, self.back, self.help)
        buttons.insertStretch(2)
        self.rows.insertLayout(self.rows.indexOf(self.bar), buttons)
        self._fix_height()
        controller.status_changed.connect(self.show_status)
        self.show_status(controller.status)

    def _fix_height(self) -> None:
        """Room for three lines and the bar, whether they are there or not: nothing below ever jumps."""
        self.sentence.setFixedHeight(3 * self.sentence.fontMetrics().lineSpacing() + GAP)
        policy = self.bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.bar.setSizePolicy(policy)

    def show_status(self, status: Status) -> None:
        self.sentence.setText(status.sentence)
        self.sentence.setToolTip(AGREEMENT if status.state is State.LIVE else status.sentence)
        self.show_dot(COLORS[status.state])
        self.show_progress(status.progress)
        self._show_button(status)

    def _show_button(self, status: Status) -> None:
        features = self._controller.features
        stoppable = status.progress is not None
        resumable = features.problem is not None and self._controller.current is not None
        self.button.setVisible(stoppable or resumable)
        self.button.setText("Stop" if stoppable else "Compute" if features.stopped else "Retry")
        elsewhere = [recipe.backbone for recipe in features.recipes] != [MICRO]
        self.back.setVisible(resumable and not features.stopped and elsewhere)

    def _go_back(self) -> None:
        self._controller.make_features(FeatureRecipe(MICRO, self._controller.features.recipes[0].sampling))

    def _press(self) -> None:
        features = self._controller.features
        if features.problem is None:
            features.stop()
        else:
            features.resume()
