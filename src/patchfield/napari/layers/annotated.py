"""An image with its labels layer, and what was last seen painted on it."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels, Layer
from numpy.typing import NDArray
from psygnal import Signal

from patchfield.errors import LabelError
from patchfield.field import Region
from patchfield.images import PlaneIndex
from patchfield.napari.layers import roles
from patchfield.napari.layers.blank import blank
from patchfield.napari.layers.roles import METADATA_KEY, Role
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.session.classes import MAX_VALUE
from patchfield.napari.session.planes import Plane
from patchfield.probe import PaintedPixels

BRUSH_SIZE = 5
COMPARED_PIXELS = 2**24
"""Labels of at most so many pixels are compared plane by plane after every event; larger ones where strokes can be."""

WHOLE_PIXELS = 2**20
"""Planes of at most so many pixels are compared as a whole; of larger ones only the part that a stroke reached."""

Steps = Sequence[list[Any]]
"""What can be undone, as napari keeps it."""

_TRANSFORMS = ("scale", "translate", "rotate", "shear", "affine", "units")


class AnnotatedImage:
    """One image of the viewer, its labels, and a snapshot of every plane that was painted.

    napari says little about what changed: `paint` fires once per finished stroke of the mouse, but *before* the
    pixels change when the brush, the fill or a script paints at once (then `labels_update` follows); undo and redo
    fire only `set_data`, as does another plane that comes into view. So labels are compared with their last snapshot:
    all of them where that costs nothing, else the planes that `paint` names, or those that undo can reach.

    Parameters
    ----------
    viewer : ViewerModel
    source : LayerStack
    """

    strokes_changed = Signal()
    """Strokes were added, erased, undone or redone."""
    image_changed = Signal()
    """The image has other pixels."""
    class_selected = Signal(int)
    """Another label value is painted with."""

    def __init__(self, viewer: ViewerModel, source: LayerStack) -> None:
        self.viewer = viewer
        self.source = source
        self.snapshots: dict[PlaneIndex, NDArray[Any]] = {}
        self._painted: dict[PlaneIndex, PaintedPixels] = {}
        self._painted_once: set[PlaneIndex] = set()
        self._awaited: Mapping[PlaneIndex, Region | None] = {}
        self._seen_at: tuple[float, ...] = ()
        self._is_new = False
        self.labels = self._find_or_create_labels()
        for emitter, callback in self._connections():
            emitter.connect(callback)
        if not self._is_new:
            self._compare(self.source.indices())

    def plane(self, index: PlaneIndex) -> Plane:
        return Plane(self.source.id, index)

    def painted_planes(self) -> Iterator[tuple[Plane, PaintedPixels]]:
        """The planes with strokes, and their labels as last seen."""
        for index, labels in self._painted.items():
            yield self.plane(index), labels

    def replace_labels(self, data: NDArray[np.integer]) -> None:
        """Put other labels in the layer; undo starts anew, for its history is of the old ones.

        Parameters
        ----------
        data : ndarray, as :attr:`LayerStack.labels_shape`
            Whole numbers, 0 = unlabelled.

        Raises
        ------
        LabelError
            When a value does not fit into the layer, which holds classes 1 to 255.
        """
        _check_values(data)
        self.labels.data = data.astype(np.uint8)
        roles.forget_history(self.labels)
        if self._compare(self.source.indices()):
            self.strokes_changed.emit()

    def replace_planes(self, planes: Mapping[PlaneIndex, NDArray[np.integer]], *, others: bool) -> None:
        """Put other labels in some planes, as one step that can be undone.

        Parameters
        ----------
        planes : mapping of plane index to (H, W) ndarray
            Whole numbers, 0 = unlabelled.
        others : bool
            Whether the strokes of all other planes stay.

        Raises
        ------
        LabelError
            When a value does not fit into the layer, which holds classes 1 to 255; then nothing is replaced.
        """
        for values in planes.values():
            _check_values(values)
        cleared = () if others else [index for index in self.snapshots if index not in planes]
        wanted = {index: np.zeros(self.source.shape, np.uint8) for index in cleared} | dict(planes)
        places, painted = [], []
        for index, values in wanted.items():
            rows, columns = np.nonzero(np.asarray(self.labels.data[index]) != values)
            places.append(np.stack([*(np.full(len(rows), position) for position in index), rows, columns]))
            painted.append(np.asarray(values)[rows, columns].astype(np.uint8))
        changed = np.concatenate(painted) if painted else np.zeros(0, np.uint8)
        if len(changed):
            self.labels.data_setitem(tuple(np.concatenate(places, axis=1)), changed)
        if self._compare(list(wanted)):
            self.strokes_changed.emit()

    def restore(self, planes: Mapping[PlaneIndex, NDArray[Any]], done: Steps = (), undone: Steps = ()) -> None:
        """Put back strokes that were painted earlier in a blank layer, with what can be undone and made again.

        Parameters
        ----------
        planes : dict of plane index to (H, W) array
        done, undone : sequences of steps
            Each step is a list of (indices along all axes, values before, values after). The next one to undo comes
            last, the next one to make again comes first.
        """
        for index, labels in planes.items():
            self.labels.data[index] = labels
        roles.forget_history(self.labels)
        # napari 0.9 has no public way to its history.
        self.labels._undo_history.extend(done)
        self.labels._redo_history.extend(tuple(undone)[::-1])
        for step in (*done, *undone):
            for where, *_ in step:
                self._painted_once.add(tuple(int(positions[0]) for positions in where[:-2]))
        self._compare(list(planes))
        self.labels.refresh()

    def erase(self, value: int) -> bool:
        """Remove the strokes of a class, as one step that can be undone; whether there were any."""
        return self.relabel(value, 0)

    def relabel(self, value: int, into: int) -> bool:
        """Give the strokes of a class to another one, as one step that can be undone; whether there were any."""
        found = [
            (index, np.divmod(painted.pixels[painted.values == value], painted.shape[1]))
            for index, painted in self._painted.items()
        ]
        places = [
            np.stack([*(np.full(len(rows), position) for position in index), rows, columns])
            for index, (rows, columns) in found
            if len(rows)
        ]
        if places:
            self.labels.data_setitem(tuple(np.concatenate(places, axis=1)), into)
        return bool(places)

    def result(self, role: Role) -> Layer | None:
        """Our layer of that role for this image."""
        return roles.find(self.viewer, self.source, role)

    def start_painting(self, value: int, *, brush: bool = True) -> None:
        """Make the labels the active layer, with the brush in hand unless something is looked at."""
        self.viewer.layers.selection.active = self.labels
        self.labels.selected_label = value
        self.labels.mode = "paint" if brush else "pan_zoom"

    def release(self) -> None:
        """Stop listening; the layers stay."""
        for emitter, callback in self._connections():
            emitter.disconnect(callback)

    def _find_or_create_labels(self) -> Labels:
        found = roles.find(self.viewer, self.source, Role.LABELS)
        if isinstance(found, Labels):
            if found.data.shape == self.source.labels_shape:
                roles.describe(found, self.source)
                return found
            # The image changed its shape: these labels are of another one. Strokes stay, as an ordinary layer.
            del found.metadata[METADATA_KEY]
            if not any(np.any(plane) for plane in found.data):
                self.viewer.layers.remove(found)
        labels = roles.create(self.viewer, self.source, Role.LABELS, blank(self.source.labels_shape))
        self._is_new = True
        assert isinstance(labels, Labels)
        labels.brush_size = BRUSH_SIZE
        return labels

    def _connections(self) -> Iterator[tuple[Any, Callable[..., None]]]:
        labels, image = self.labels.events, self.source.layer.events
        yield labels.paint, self._on_paint
        yield labels.labels_update, self._on_pixels
        yield labels.set_data, self._on_set_data
        yield labels.data, self._on_data
        yield labels.selected_label, self._on_selected_label
        yield image.data, self._on_image_data
        for name in _TRANSFORMS:
            yield getattr(image, name), self._follow

    def _on_paint(self, event: Any = None) -> None:
        self._awaited = self._painted_by(getattr(event, "value", None))
        if self._take_in(self._awaited):
            self._awaited = {}

    def _on_pixels(self, event: object = None) -> None:
        awaited, self._awaited = self._awaited, {}
        if awaited:
            self._take_in(awaited)

    def _on_set_data(self, event: object = None) -> None:
        seen_at = tuple(self.viewer.dims.point)
        moved, self._seen_at = seen_at != self._seen_at, seen_at
        self._take_in(dict.fromkeys(self._reached_by_undo(moved=moved)))

    def _on_data(self, event: object = None) -> None:
        self._take_in(dict.fromkeys(self.source.indices()))

    def _on_selected_label(self, event: object = None) -> None:
        self.class_selected.emit(int(self.labels.selected_label))

    def _on_image_data(self, event: object = None) -> None:
        self.image_changed.emit()

    def _follow(self, event: object = None) -> None:
        for role in Role:
            layer = self.result(role)
            if layer is not None:
                roles.follow(layer, self.source)

    def _take_in(self, places: Mapping[PlaneIndex, Region | None]) -> bool:
        """Take in what was painted since the last time in parts of some planes; whether there was anything."""
        changed = self._compare(places)
        if changed:
            self.strokes_changed.emit()
        return changed

    def _compare(self, places: Mapping[PlaneIndex, Region | None] | Iterable[PlaneIndex]) -> bool:
        """Take snapshots of the planes that differ from their last one; whether there are any."""
        parts = places if isinstance(places, Mapping) else dict.fromkeys(places)
        changed = [index for index, region in parts.items() if self._compare_plane(index, region)]
        return bool(changed)

    def _compare_plane(self, index: PlaneIndex, region: Region | None) -> bool:
        """Compare a plane, or the only part of it that can be another one: then it costs what the strokes do."""
        plane = np.asarray(self.labels.data[index])
        before = self._painted.get(index)
        if region is None:
            now = PaintedPixels.from_array(plane)
        else:
            blank_plane = PaintedPixels.from_array(plane[:0]) if before is None else before
            now = replace(blank_plane, shape=self.source.shape).repainted(region, plane[region])
        if not len(now) if before is None else now.is_same_as(before):
            return False
        if len(now):
            self._painted[index], self.snapshots[index] = now, np.asarray(now)
            self._painted_once.add(index)
        else:
            del self._painted[index], self.snapshots[index]
        return True

    def _painted_by(self, steps: Any) -> dict[PlaneIndex, Region | None]:
        """The planes that a step of undo, as `paint` names it, can have changed, and the part of them; all where it is
        not understood.
        """
        places = _places(steps, self.labels.data.ndim)
        if places is None:
            return dict.fromkeys(self.source.indices())
        lengths = self.labels.data.shape[:-2]
        region = _around(places) if math.prod(self.source.shape) > WHOLE_PIXELS else None
        if self.labels.data.size <= COMPARED_PIXELS:
            return dict.fromkeys(self.source.indices(), region)
        planes: dict[PlaneIndex, Region | None] = {}
        for place in places:
            leading = (_positions(*one) for one in zip(place, lengths, strict=False))
            planes.update(dict.fromkeys(product(*leading), region))
        return planes

    def _reached_by_undo(self, *, moved: bool) -> Collection[PlaneIndex]:
        """The planes that may have changed where nothing is said: the shown one, and unless it just came into view
        those that undo and redo reach.
        """
        if self.labels.data.size <= COMPARED_PIXELS:
            return self.source.indices()
        shown = self.source.index_at(self.viewer.dims.point)
        return {shown} if moved else {shown, *self._painted_once}


def _places(steps: Any, axes: int) -> list[tuple[Any, ...]] | None:
    """Where in the array each part of a step of undo was: slices, or an array of places, per axis."""
    if not isinstance(steps, list) or not steps:
        return None
    # Whatever kind a part is, it begins with where it was.
    places = [part[0] if isinstance(part, tuple) and part else None for part in steps]
    known = [place for place in places if isinstance(place, tuple) and len(place) == axes]
    return known if len(known) == len(places) else None


def _around(places: list[tuple[Any, ...]]) -> Region:
    """The rows and columns that hold all places."""
    rows, columns = ([_range(place[axis]) for place in places] for axis in (-2, -1))
    return _hull(rows), _hull(columns)


def _range(where: Any) -> tuple[int, int]:
    if isinstance(where, slice):
        return int(where.start), int(where.stop)
    return int(np.min(where)), int(np.max(where)) + 1


def _hull(ranges: list[tuple[int, int]]) -> slice:
    return slice(min(first for first, _ in ranges), max(last for _, last in ranges))


def _positions(where: Any, length: int) -> Iterable[int]:
    """Positions along an axis that an index of it can mean."""
    if isinstance(where, slice):
        return range(*where.indices(length))
    return [int(position) for position in np.unique(where)]


def _check_values(labels: NDArray[np.integer]) -> None:
    lowest, highest = labels.min(initial=0), labels.max(initial=0)
    if lowest < 0 or highest > MAX_VALUE:
        raise LabelError(
            f"The labels hold the value {int(highest if highest > MAX_VALUE else lowest)}, but classes in the window "
            f"are 1 to {MAX_VALUE}: number the classes anew, and use no masks that number single objects."
        )
