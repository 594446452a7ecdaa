"""How much each class covers of what is segmented: counted beside everything else, plane by plane."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
from napari.components import ViewerModel
from numpy.typing import NDArray
from psygnal import Signal

from patchfield.napari.jobs import Job, Runner, Slot
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.session.fractions import Fractions
from patchfield.napari.session.planes import Plane

DELAY = 0.1
"""Seconds without another result before it is counted: it is not to slow down who paints."""

_CHUNK = 2**20
"""Pixels that are counted at once; between two chunks other threads go on."""

Counts = dict[int, int]


class Counting:
    """Counts the pixels of each class in segmentations as they are drawn.

    Parameters
    ----------
    viewer : ViewerModel
    runner : Runner
    is_whole : callable
        Whether all planes of an image are segmented by one probe.
    """

    changed = Signal(LayerStack)
    """The fractions of an image are others, or of another plane."""

    def __init__(self, viewer: ViewerModel, runner: Runner, is_whole: Callable[[LayerStack], bool]) -> None:
        self._viewer = viewer
        self._is_whole = is_whole
        self._slot = Slot(runner)
        self._counts: dict[Plane, Counts] = {}
        self._waiting: dict[Plane, NDArray[Any]] = {}
        self._sources: dict[str, LayerStack] = {}
        viewer.dims.events.current_step.connect(self._on_dims)

    def count(self, source: LayerStack, plane: Plane, values: NDArray[Any]) -> None:
        """Count a plane, (H, W), that was drawn; `values` may go on changing, and is counted again then."""
        self._sources[plane.image] = source
        self._waiting[plane] = values
        work = partial(_counted, dict(self._waiting))
        self._slot.submit(Job(work, self._take, delay=DELAY))

    def fractions(self, source: LayerStack) -> Fractions | None:
        """What each class covers: of all planes where they are segmented by one probe, else of the plane on view.

        None while that is not segmented, or not counted yet.
        """
        indices = source.indices()
        planes = [plane for plane in (Plane(source.id, index) for index in indices) if plane in self._counts]
        whole = len(planes) == len(indices) and (len(indices) == 1 or self._is_whole(source))
        if not whole:
            shown = Plane(source.id, source.index_at(self._viewer.dims.point))
            planes = [shown] if shown in self._counts else []
        if not planes:
            return None
        total = int(np.prod(source.shape)) * len(planes)
        return Fractions.from_counts(self._sum(planes), total, len(planes), whole, source.calibration)

    def forget(self, image: str) -> None:
        """Forget all planes of an image, by its id: nothing is segmented any more, or it is gone."""
        for planes in (self._counts, self._waiting):
            for plane in [plane for plane in planes if plane.image == image]:
                del planes[plane]
        source = self._sources.pop(image, None)
        if source is not None:
            self.changed.emit(source)

    def close(self) -> None:
        """Stop counting, and listening."""
        self._slot.cancel()
        self._viewer.dims.events.current_step.disconnect(self._on_dims)

    def _take(self, counted: tuple[Plane, NDArray[Any], Counts]) -> None:
        plane, values, counts = counted
        if plane not in self._waiting:
            return
        self._counts[plane] = counts
        # Drawn again meanwhile, it is other values, and waits for another count.
        if self._waiting[plane] is values:
            del self._waiting[plane]
        self.changed.emit(self._sources[plane.image])

    def _on_dims(self, event: Any) -> None:
        for source in list(self._sources.values()):
            if source.lengths:
                self.changed.emit(source)

    def _sum(self, planes: Iterable[Plane]) -> Counts:
        total: Counts = {}
        for plane in planes:
            for value, pixels in self._counts[plane].items():
                total[value] = total.get(value, 0) + pixels
        return total


def _counted(planes: dict[Plane, NDArray[Any]]) -> Iterator[tuple[Plane, NDArray[Any], Counts]]:
    for plane, values in planes.items():
        yield plane, values, class_counts(values)


def class_counts(values: NDArray[Any]) -> Counts:
    """Pixels of each class of a segmentation, (H, W); 0 is none.

    Examples
    --------
    >>> class_counts(np.array([[0, 2], [2, 1]], np.uint8))
    {1: 1, 2: 2}
    """
    total = np.zeros(1, np.int64)
    rows = max(1, _CHUNK // max(1, values.shape[1]))
    for first in range(0, values.shape[0], rows):
        found = np.bincount(values[first : first + rows].ravel(), minlength=len(total))
        found[: len(total)] += total
        total = found
    return {int(value): int(total[value]) for value in np.flatnonzero(total) if value}
