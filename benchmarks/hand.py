"""A hand and an eye for the real window: strokes with the mouse, when a frame shows their answer, gaps of the GUI."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari import Viewer
from napari.layers import Layer
from numpy.typing import NDArray
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from scipy.ndimage import distance_transform_edt, find_objects, label

PATIENCE = 600
SAMPLES = 200
"""Pixels along each side of the view by which two states of a result are told apart."""

SHOWN = 0.75
"""An answer is on the screen when so much of what it changes is there: at low zoom it comes at the canvas' resolution
first, where a pixel of the canvas stands for many of the image."""

_TEST: Any = QTest
"""Qt's stubs take its static methods for methods of an instance."""

Point = tuple[float, float]


class Ticks:
    """A 20 ms timer on the GUI thread that notes when it really fired."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._timer = QTimer()
        self._timer.setInterval(20)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(lambda: self._times.append(time.perf_counter()))
        self._timer.start()

    def take(self) -> NDArray[np.float64]:
        """Gaps in milliseconds since the last call."""
        gaps = np.diff(self._times) * 1e3
        self._times.clear()
        return gaps if len(gaps) else np.zeros(1)


def run_until(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Let the window work until `condition` holds, or for some seconds; whether it holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        QApplication.processEvents()
        time.sleep(0.001)
    return condition()


class Mouse:
    """The left button on a viewer's canvas, led in coordinates (row, column) of the world."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        # napari 0.9 has no public way to its canvas.
        self.canvas = viewer.window._qt_viewer.canvas.native

    def drag(self, path: Iterable[Point], seconds: float = 0.25) -> float:
        """Press, move and release along a path; when the button was let go (`time.perf_counter`)."""
        points = [self._on_canvas(point) for point in path]
        _TEST.mouseMove(self.canvas, points[0])
        _TEST.mousePress(self.canvas, Qt.MouseButton.LeftButton, pos=points[0])
        for point in points[1:]:
            _TEST.mouseMove(self.canvas, point)
            _TEST.qWait(round(1000 * seconds / len(points)))
        released = time.perf_counter()
        _TEST.mouseRelease(self.canvas, Qt.MouseButton.LeftButton, pos=points[-1])
        return released

    def _on_canvas(self, point: Point) -> QPoint:
        height, width = self._viewer.canvas.size
        camera = self._viewer.scene.camera
        row, column = ((place - middle) * camera.zoom for place, middle in zip(point, camera.center[-2:], strict=True))
        return QPoint(round(width / 2 + column), round(height / 2 + row))


@dataclass(frozen=True)
class Shown:
    """The part of a result that is in view, in a frame that reached the screen."""

    when: float
    values: NDArray[Any]


class Eye:
    """Sees which state of a result every frame on the screen shows.

    A layer says when it handed new pixels to the graphics card (`set_data`, `labels_update`); the canvas says when a
    frame with them was swapped to the screen.

    Parameters
    ----------
    viewer : Viewer
    result : callable
        The layer that is looked at, once it is there.
    """

    def __init__(self, viewer: Viewer, result: Callable[[], Layer | None]) -> None:
        self._viewer, self._result = viewer, result
        self._known: Layer | None = None
        self._handed_over: NDArray[Any] | None = None
        self.frames: list[Shown] = []
        self.canvas = viewer.window._qt_viewer.canvas.native
        self.canvas.frameSwapped.connect(self._on_frame)
        viewer.layers.events.inserted.connect(self._find)

    def close(self) -> None:
        self.canvas.frameSwapped.disconnect(self._on_frame)
        self._viewer.layers.events.inserted.disconnect(self._find)

    @property
    def is_up_to_date(self) -> bool:
        """Whether all that was handed over reached the screen."""
        return self._handed_over is None

    def now(self) -> NDArray[Any] | None:
        """What is in view of the result now: (n,) values on a grid."""
        layer = self._find()
        if layer is None or not layer.visible:
            return None
        (top, left), (bottom, right) = layer.corner_pixels[:, -2:]
        height, width = layer.data.shape[-2:]
        rows = np.unique(np.linspace(max(top, 0), min(bottom, height - 1), SAMPLES).astype(int))
        columns = np.unique(np.linspace(max(left, 0), min(right, width - 1), SAMPLES).astype(int))
        index = tuple(int(step) for step in self._viewer.dims.current_step[: layer.ndim - 2])
        values: NDArray[Any] = np.asarray(layer.data[index])[np.ix_(rows, columns)].ravel()
        return values

    def first_frame_of(self, final: NDArray[Any], before: NDArray[Any] | None, since: float) -> float | None:
        """Seconds from `since` to the first frame with (nearly) what `final` changes of `before`."""
        for frame in self.frames:
            if frame.when < since or frame.values.shape != final.shape:
                continue
            changed = np.ones(final.shape, bool) if before is None else before != final
            if not changed.any() or (frame.values == final)[changed].mean() >= SHOWN:
                return frame.when - since
        return None

    def _find(self, event: object = None) -> Layer | None:
        layer = self._result()
        if layer is not self._known:
            self._known = layer
            if layer is not None:
                layer.events.set_data.connect(self._on_pixels)
                layer.events.visible.connect(self._on_pixels)
                if hasattr(layer.events, "labels_update"):
                    layer.events.labels_update.connect(self._on_pixels)
        return layer

    def _on_pixels(self, event: object = None) -> None:
        self._handed_over = self.now()

    def _on_frame(self) -> None:
        if self._handed_over is not None:
            self.frames.append(Shown(time.perf_counter(), self._handed_over))
            self._handed_over = None


def next_stroke(
    truth: NDArray[np.integer[Any]], segmentation: NDArray[np.integer[Any]] | None, length: float, turn: int
) -> tuple[int, list[Point]] | None:
    """What a person corrects next: class and path of a stroke through the middle of the largest mistake.

    Without a segmentation, class after class is begun in the middle of its largest piece. A path stays inside its
    class. None when nothing is wrong.

    Parameters
    ----------
    truth : (H, W) integer array
        Classes from 1; 0 is unknown.
    segmentation : (H, W) integer array or None
    length : float
        Of a stroke, in pixels; shorter where its class ends.
    turn : int
        Counts the strokes that begin a class.
    """
    if segmentation is None:
        values = np.unique(truth[truth > 0])
        wrong = truth == values[turn % len(values)]
    else:
        wrong = (truth > 0) & (segmentation != truth)
    pieces, count = label(wrong)
    if not count:
        return None
    largest = int(np.bincount(pieces[pieces > 0]).argmax())
    box = find_objects(pieces)[largest - 1]
    depth = distance_transform_edt(np.pad(pieces[box] == largest, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    middle = int(row) + box[0].start, int(column) + box[1].start
    value = int(truth[middle])
    paths = [_straight(truth, middle, angle, length) for angle in np.linspace(0, np.pi, 8, endpoint=False)]
    return value, max(paths, key=lambda path: float(np.hypot(*np.subtract(path[-1], path[0]))))


def _straight(truth: NDArray[np.integer[Any]], middle: tuple[int, int], angle: float, length: float) -> list[Point]:
    """A straight path through `middle`, as long as it stays in one class, in 12 steps."""
    direction, ends = np.array([np.sin(angle), np.cos(angle)]), []
    for sign in (-1, 1):
        reach = 0.0
        while reach < length / 2:
            place = np.round(middle + sign * (reach + 1) * direction).astype(int)
            if (place < 0).any() or (place >= truth.shape).any() or truth[tuple(place)] != truth[middle]:
                break
            reach += 1
        ends.append(middle + sign * 0.8 * reach * direction)
    return [(float(row), float(column)) for row, column in np.linspace(ends[0], ends[1], 12)]
