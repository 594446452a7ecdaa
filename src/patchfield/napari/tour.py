"""A tour of the places the probe is least sure of, one key press at a time."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from patchfield.field import FeatureField
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import Job, Slot
from patchfield.napari.sources import Plane
from patchfield.napari.unsure import unsure_places
from patchfield.probe import LinearProbe

VIEW = 256
"""Image pixels that the canvas shows across at the least, when a place is visited."""


class UnsureTour:
    """Moves the view to the most uncertain places, the worst first; a new probe makes a new tour."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._slot = Slot(controller.runner)
        self._made_for: tuple[LinearProbe, Plane] | None = None
        self._places: list[tuple[int, int]] = []

    def next(self) -> None:
        """Go to the next place; nothing happens while there is nothing to be unsure of."""
        probe, target = self._controller.live.probe, self._controller.target()
        if probe is None or target is None:
            return
        if self._places and self._made_for == (probe, target.plane):
            self._visit()
            return
        self._made_for = (probe, target.plane)
        painted = self._controller.current.snapshots.get(target.plane.index)
        work = partial(_places, probe, target.field, painted)
        self._slot.submit(Job(work, self._begin, self._controller.on_error), interrupt=True)

    def close(self) -> None:
        self._slot.cancel()

    def _begin(self, places: list[tuple[int, int]]) -> None:
        self._places = places
        self._visit()

    def _visit(self) -> None:
        current = self._controller.current
        if not self._places or current is None:
            return
        place = self._places.pop(0)
        layer, viewer = current.labels, self._controller.viewer
        index = self._made_for[1].index
        viewer.scene.camera.center = tuple(layer.data_to_world((*index, *place)))[-3:]
        # In canvas pixels per unit of the world, such that VIEW image pixels fit.
        close_up = min(viewer.canvas.size) / (VIEW * abs(layer.scale[-1]))
        viewer.scene.camera.zoom = max(viewer.scene.camera.zoom, close_up)
        viewer.status = f"In the middle: an unsure place, {len(self._places)} more"


def _places(probe: LinearProbe, field: FeatureField, painted: np.ndarray | None) -> Iterator[list[tuple[int, int]]]:
    yield unsure_places(probe.uncertainty(field), painted)
