"""The brush while something is explored: laid down, so that clicks ask and do not paint."""

from collections.abc import Callable, Generator
from typing import Any

from napari.layers import Labels

from patchfield.napari.workspace import Workspace

_AT_REST = ("pan_zoom", "transform")


class Brush:
    """Lays the brush down, says when the user takes it up again, and what is clicked at meanwhile.

    Parameters
    ----------
    workspace : Workspace
    taken_up : callable
        Called when the user begins to paint: by a tool of the labels layer, or by choosing a class.
    clicked : callable
        Called with the (row, column) of a click on the image; a drag moves the view and is no click.
    """

    def __init__(self, workspace: Workspace, taken_up: Callable[[], None], clicked: Callable[[int, int], None]) -> None:
        self._workspace = workspace
        self._taken_up = taken_up
        self._clicked = clicked
        self._labels: Labels | None = None
        self._mode = "paint"

    def lay_down(self) -> None:
        """Lay down the brush of the current image, and listen for clicks."""
        current = self._workspace.current
        if current is None or current.labels is self._labels:
            return
        if self._labels is None:
            self._mode = str(current.labels.mode)
            self._workspace.viewer.mouse_drag_callbacks.append(self._click)
        else:
            self._labels.events.mode.disconnect(self._on_mode)
        self._labels = current.labels
        self._labels.mode = "pan_zoom"
        self._labels.events.mode.connect(self._on_mode)

    def give_back(self) -> None:
        """Hand the tool back that was in use before, unless another one was taken up."""
        if self._labels is None:
            return
        labels, self._labels = self._labels, None
        labels.events.mode.disconnect(self._on_mode)
        self._workspace.viewer.mouse_drag_callbacks.remove(self._click)
        if labels.mode in _AT_REST:
            labels.mode = self._mode

    def _on_mode(self, event: Any) -> None:
        if self._labels is not None and self._labels.mode not in _AT_REST:
            self._taken_up()

    def _click(self, viewer: Any, event: Any) -> Generator[None, None, None]:
        position = event.position
        yield
        current = self._workspace.current
        if event.type == "mouse_move" or current is None:
            return
        row, column = (round(x) for x in current.labels.world_to_data(position)[-2:])
        height, width = current.source.shape
        if 0 <= row < height and 0 <= column < width:
            self._clicked(row, column)
