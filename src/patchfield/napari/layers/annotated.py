"""An image with its labels layer, and what was last seen painted on it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels, Layer
from numpy.typing import NDArray
from psygnal import Signal

from patchfield.errors import LabelError
from patchfield.images import PlaneIndex
from patchfield.napari.layers import roles
from patchfield.napari.layers.roles import METADATA_KEY, Role
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.session.classes import MAX_VALUE
from patchfield.napari.session.planes import Plane

BRUSH_SIZE = 5
COMPARED_PIXELS = 2**24
"""Labels of at most so many pixels are compared as a whole after every event; larger ones where strokes can be."""

_TRANSFORMS = ("scale", "translate", "rotate", "shear", "affine", "units")


class AnnotatedImage:
    """One image of the viewer, its labels, and a snapshot of every plane that was painted.

    napari says little about what changed: `paint` fires once per finished stroke of the mouse, but *before* the
    pixels change when the brush, the fill or a script paints at once (then `labels_update` follows); undo and redo
    fire only `set_data`; and the payload is private. So labels are compared with their last snapshot.

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
        self._painted_once: set[PlaneIndex] = set()
        self._pixels_follow = False
        self.labels = self._find_or_create_labels()
        for emitter, callback in self._connections():
            emitter.connect(callback)
        self._compare(self.source.indices())

    def plane(self, index: PlaneIndex) -> Plane:
        return Plane(self.source.id, index)

    def painted_planes(self) -> Iterator[tuple[Plane, NDArray[Any]]]:
        """The planes with strokes, and their labels as last seen: arrays that nobody writes to any more."""
        for index, labels in self.snapshots.items():
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
        if data.min(initial=0) < 0 or data.max(initial=0) > MAX_VALUE:
            wrong = int(data.max()) if data.max() > MAX_VALUE else int(data.min())
            raise LabelError(
                f"The labels hold the value {wrong}, but classes in the window are 1 to {MAX_VALUE}: number the "
                "classes anew, and use no masks that number single objects."
            )
        self.labels.data = data.astype(np.uint8)
        roles.forget_history(self.labels)
        if self._compare(self.source.indices()):
            self.strokes_changed.emit()

    def erase(self, value: int) -> None:
        """Remove the strokes of a class, as one step that can be undone."""
        where = np.nonzero(np.asarray(self.labels.data) == value)
        if len(where[0]):
            self.labels.data_setitem(where, 0)

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
                return found
            # The image changed its shape: these labels are of another one. Strokes stay, as an ordinary layer.
            del found.metadata[METADATA_KEY]
            if not np.asarray(found.data).any():
                self.viewer.layers.remove(found)
        blank = np.zeros(self.source.labels_shape, np.uint8)
        labels = roles.create(self.viewer, self.source, Role.LABELS, blank)
        assert isinstance(labels, Labels)
        labels.brush_size = BRUSH_SIZE
        return labels

    def _connections(self) -> Iterator[tuple[Any, Callable[..., None]]]:
        labels, image = self.labels.events, self.source.layer.events
        yield labels.paint, self._on_paint
        yield labels.labels_update, self._on_pixels
        yield labels.set_data, self._on_data
        yield labels.data, self._on_data
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

    def _on_data(self, event: object = None) -> None:
        self._take_in()

    def _on_selected_label(self, event: object = None) -> None:
        self.class_selected.emit(int(self.labels.selected_label))

    def _on_image_data(self, event: object = None) -> None:
        self.image_changed.emit()

    def _follow(self, event: object = None) -> None:
        for role in Role:
            layer = self.result(role)
            if layer is not None:
                roles.follow(layer, self.source)

    def _take_in(self) -> bool:
        """Take in what was painted since the last time; whether there was anything."""
        changed = self._compare(self._possibly_painted())
        if changed:
            self.strokes_changed.emit()
        return changed

    def _compare(self, indices: Iterable[PlaneIndex]) -> bool:
        """Take snapshots of the planes that differ from their last one; whether there are any."""
        changed = [index for index in indices if self._compare_plane(index)]
        return bool(changed)

    def _compare_plane(self, index: PlaneIndex) -> bool:
        now = np.asarray(self.labels.data[index])
        before = self.snapshots.get(index)
        if before is None:
            if not now.any():
                return False
        elif np.array_equal(now, before):
            return False
        if now.any():
            self.snapshots[index] = now.copy()
            self._painted_once.add(index)
        else:
            del self.snapshots[index]
        return True

    def _possibly_painted(self) -> Iterable[PlaneIndex]:
        """The planes that may have changed: the shown one and those that undo and redo reach.

        Where the canvas shows other axes than rows and columns (a rolled view, three dimensions), a stroke crosses
        any number of planes; so it does with a brush of three dimensions.
        """
        shows_planes = tuple(self.viewer.dims.displayed) == tuple(range(self.viewer.dims.ndim))[-2:]
        flat_brush = self.labels.n_edit_dimensions <= 2
        if not (shows_planes and flat_brush) or self.labels.data.size <= COMPARED_PIXELS:
            return self.source.indices()
        return {self.source.index_at(self.viewer.dims.point), *self._painted_once}
