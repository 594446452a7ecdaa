"""An image with its labels layer, and what we last saw painted on it."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels
from psygnal import Signal

from patchfield.napari.layers import Role, roles
from patchfield.napari.layers.roles import METADATA_KEY
from patchfield.napari.layers.stack import ImageSource, Plane, PlaneIndex

BRUSH_SIZE = 5
_TRANSFORMS = ("scale", "translate", "rotate", "shear", "affine", "units")


class AnnotatedImage:
    """One image of the viewer, its labels, and a snapshot of every plane that was painted.

    napari says little about what changed: `paint` fires once per finished stroke of the mouse, but *before* the
    pixels change when the brush, the fill or a script paints at once (then `labels_update` follows); undo and redo
    fire only `set_data`; and the payload is private. So we compare with what we saw last.

    Parameters
    ----------
    viewer : ViewerModel
    source : ImageSource
    """

    strokes_changed = Signal()
    """Strokes were added, erased, undone or redone."""
    image_changed = Signal()
    """The image has other pixels."""
    class_selected = Signal(int)
    """Another label value is painted with."""

    def __init__(self, viewer: ViewerModel, source: ImageSource) -> None:
        self.viewer, self.source = viewer, source
        self.snapshots: dict[PlaneIndex, np.ndarray] = {}
        self._pixels_follow = False
        self.labels = self._find_or_create_labels()
        for emitter, callback in self._connections():
            emitter.connect(callback)
        self.look_everywhere()

    def plane(self, index: PlaneIndex) -> Plane:
        return Plane(self.source.id, index)

    def painted_planes(self) -> Iterator[tuple[Plane, np.ndarray]]:
        """The planes with strokes, and their labels as last seen: arrays that nobody writes to any more."""
        for index, labels in self.snapshots.items():
            yield self.plane(index), labels

    def look(self) -> bool:
        """Take in what was painted since the last look; whether there was anything."""
        shown = self.source.index_at(self.viewer.dims.point)
        changed = False
        for index in {shown, *self.snapshots, *self._within_brush(shown)}:
            changed |= self._look_at(index)
        return changed

    def look_everywhere(self) -> bool:
        """As `look`, at every plane: after labels came from elsewhere."""
        changed = False
        for index in self.source.indices():
            changed |= self._look_at(index)
        return changed

    def replace_labels(self, data: np.ndarray) -> None:
        """Put other labels in the layer; undo starts anew, for its history is of the old ones."""
        self.labels.data = data.astype(np.uint8)
        roles.forget_history(self.labels)
        self.look_everywhere()

    def erase(self, value: int) -> None:
        """Remove the strokes of a class, as one step that can be undone."""
        place = np.nonzero(np.asarray(self.labels.data) == value)
        if len(place[0]):
            self.labels.data_setitem(place, 0)

    def result(self, role: Role) -> roles.Layer | None:
        return roles.find(self.viewer, self.source, role)

    def start_painting(self, value: int) -> None:
        """Make the labels the active layer, with the brush in hand."""
        self.viewer.layers.selection.active = self.labels
        self.labels.selected_label = value
        self.labels.mode = "paint"

    def release(self) -> None:
        """Stop listening; the layers stay."""
        for emitter, callback in self._connections():
            emitter.disconnect(callback)

    def _find_or_create_labels(self) -> Labels:
        found = roles.find(self.viewer, self.source, Role.LABELS)
        if isinstance(found, Labels):
            if found.data.shape == self.source.labels_shape:
                return found
            # The image changed its shape: these labels are of another one. They stay, as an ordinary layer.
            del found.metadata[METADATA_KEY]
        blank = np.zeros(self.source.labels_shape, np.uint8)
        labels = roles.create(self.viewer, self.source, Role.LABELS, blank)
        labels.brush_size = BRUSH_SIZE
        return labels

    def _connections(self) -> Iterator[tuple[Any, Callable[..., None]]]:
        labels, image = self.labels.events, self.source.layer.events
        yield labels.paint, self._on_paint
        yield labels.labels_update, self._on_pixels
        yield labels.set_data, self._take_in
        yield labels.data, self._take_in
        yield labels.selected_label, self._on_selected_label
        yield image.data, self._on_image_data
        for name in _TRANSFORMS:
            yield getattr(image, name), self._follow

    def _on_paint(self, event: object = None) -> None:
        self._pixels_follow = not self._take_in()

    def _on_pixels(self, event: object = None) -> None:
        if self._pixels_follow:
            self._pixels_follow = False
            self._take_in()

    def _take_in(self, event: object = None) -> bool:
        changed = self.look()
        if changed:
            self.strokes_changed.emit()
        return changed

    def _on_selected_label(self, event: object = None) -> None:
        self.class_selected.emit(int(self.labels.selected_label))

    def _on_image_data(self, event: object = None) -> None:
        self.image_changed.emit()

    def _follow(self, event: object = None) -> None:
        for role in Role:
            layer = self.result(role)
            if layer is not None:
                roles.follow(layer, self.source)

    def _look_at(self, index: PlaneIndex) -> bool:
        now, before = np.asarray(self.labels.data[index]), self.snapshots.get(index)
        if before is None:
            if not now.any():
                return False
        elif np.array_equal(now, before):
            return False
        if now.any():
            self.snapshots[index] = now.copy()
        else:
            del self.snapshots[index]
        return True

    def _within_brush(self, shown: PlaneIndex) -> Iterator[PlaneIndex]:
        """Planes beside the shown one that a brush of more than two dimensions reaches."""
        if self.labels.n_edit_dimensions <= 2:
            return
        reach = int(self.labels.brush_size)
        ranges = [
            range(max(0, i - reach), min(n, i + reach + 1)) for i, n in zip(shown, self.source.planes, strict=True)
        ]
        for offset in np.ndindex(*(len(r) for r in ranges)):
            yield tuple(r[k] for r, k in zip(ranges, offset, strict=True))
