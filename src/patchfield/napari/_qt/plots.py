"""Figures of matplotlib in the colours of napari's theme."""

from typing import TYPE_CHECKING

from napari.utils.theme import Theme
from qtpy.QtWidgets import QVBoxLayout, QWidget

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Plot(QWidget):
    """Shows one figure at a time.

    Attributes
    ----------
    figure : matplotlib.figure.Figure or None
        What is shown.
    """

    def __init__(self) -> None:
        super().__init__()
        self.figure: Figure | None = None
        self._canvas: QWidget | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)

    def draw(self, figure: "Figure", theme: Theme) -> None:
        """Show a figure, in the colours of a theme."""
        # Imported when it is needed: it takes a second.
        from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg

        self.clear()
        recolor(figure, theme.text.as_hex(), theme.background.as_hex())
        canvas: QWidget = FigureCanvasQTAgg(figure)
        self._canvas, self.figure = canvas, figure
        layout = self.layout()
        assert layout is not None
        layout.addWidget(canvas)

    def clear(self) -> None:
        """Show nothing."""
        if self._canvas is not None:
            self._canvas.setParent(None)
            self._canvas.deleteLater()
            self._canvas = self.figure = None


def recolor(figure: "Figure", text: str, background: str) -> None:
    """Give the text, frames and lines of a figure one colour, and its ground another; the data keep theirs."""
    figure.set_facecolor(background)
    for axes in figure.axes:
        axes.set_facecolor(background)
        axes.tick_params(colors=text, which="both")
        for spine in axes.spines.values():
            spine.set_edgecolor(text)
        legend = axes.get_legend()
        texts = [*axes.texts, axes.title, axes.xaxis.label, axes.yaxis.label]
        for one in [*texts, *([] if legend is None else legend.get_texts())]:
            one.set_color(text)
        for line in axes.lines:
            line.set_color(text)
        for handle in [] if legend is None else legend.get_lines():
            handle.set_color(text)
