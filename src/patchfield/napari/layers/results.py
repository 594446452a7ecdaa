"""The layers that show predictions: made when first needed, updated in place, coloured like the classes."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels, Layer
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray
from psygnal import Signal

from patchfield.images import PlaneIndex
from patchfield.napari.jobs import Runner
from patchfield.napari.layers import roles
from patchfield.napari.layers.annotations import Annotations
from patchfield.napari.layers.blank import blank
from patchfield.napari.layers.counting import Counting
from patchfield.napari.layers.groups import Groups
from patchfield.napari.layers.roles import RESULT_ROLES, Role
from patchfield.napari.layers.shown import ROLE_OF_VIEW
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.segment.drawing import Drawn
from patchfield.napari.session.classes import ClassTable
from patchfield.napari.session.fractions import Fractions
from patchfield.napari.session.planes import Plane
from patchfield.napari.session.results import Made, ResultState, state_of
from patchfield.napari.session.view import Show, ViewState
from patchfield.probe import LinearProbe

BORDER_WIDTH = 2
"""Of a segmentation that is seen as borders only, in pixels."""

MAX_CLEARED = 2**26
"""Bytes of a result that are cleared without asking which planes were drawn."""

PALE = "70"
"""Opacity, in hexadecimal digits, of the colours of a segmentation that is of an earlier probe."""


class Results:
    """Draws predictions into layers.

    A segmentation has the image's planes, each as it was when last seen. Probability and uncertainty are of the
    plane on view only: float maps of a whole stack would not fit in memory.

    Parameters
    ----------
    viewer : ViewerModel
    classes : ClassTable
    view : ViewState
    groups : Groups
        Says whose results are seen now.
    annotations : Annotations
    runner : Runner
        Counts what was drawn.

    Attributes
    ----------
    opacity : float
        That segmentations get when their layer is made.
    """

    changed = Signal(LayerStack)
    """The state of an image's segmentation is another one."""
    measured = Signal(LayerStack)
    """The fractions of an image are others."""

    def __init__(
        self,
        viewer: ViewerModel,
        classes: ClassTable,
        view: ViewState,
        groups: Groups,
        annotations: Annotations,
        runner: Runner,
    ) -> None:
        self._counting = Counting(viewer, runner, self._is_whole)
        self._counting.changed.connect(self.measured)
        self._viewer = viewer
        self._groups = groups
        self._classes = classes
        self._view = view
        self._annotations = annotations
        self._probe: str | None = None
        self._told: dict[str, ResultState] = {}
        self._pale: set[str] = set()
        self.opacity = 0.45

    def made(self, source: LayerStack) -> Mapping[PlaneIndex, Made]:
        """By which probe each plane of the segmentation was made; planes that never were segmented are not there."""
        layer = roles.find(self._viewer, source, Role.SEGMENTATION)
        return {} if layer is None else _made(layer)

    def state(self, source: LayerStack) -> ResultState:
        """How the segmentation of an image stands to the probe as it is now."""
        layer = roles.find(self._viewer, source, Role.SEGMENTATION)
        return ResultState.NONE if layer is None else self._state(layer)

    def compare(self, probe: LinearProbe | None) -> None:
        """Hold all results against the probe that there is now."""
        identity = None if probe is None else probe.identity
        if identity != self._probe:
            self._probe = identity
            self._tell()

    def distrust(self, image: str) -> None:
        """Note that an image, by its id, is gone, or seen in another way than its segmentation was made of."""
        self._counting.forget(image)
        for layer in self._segmentations():
            if _image(layer) == image:
                _note(layer, dict.fromkeys(_made(layer), Made("", whole=False)))
        self._tell()

    def draw(self, source: LayerStack, drawn: Drawn) -> None:
        """Put a piece of a result in its layer; a new layer is visible if it is what is to be shown."""
        layer = self._layer(source, drawn)
        index = drawn.plane.index if layer.data.ndim > 2 else ()
        layer.data[(*index, *drawn.region)] = drawn.values
        _refresh(layer, (*index, *drawn.region), last=drawn.last)
        if drawn.show is Show.SEGMENTATION:
            _note(layer, _made(layer) | {drawn.plane.index: drawn.made})
            if drawn.last:
                self._counting.count(source, drawn.plane, layer.data[index])
            self._tell()

    def fractions(self, source: LayerStack) -> Fractions | None:
        """What each class covers of the plane on view, or of all planes; None while that is not known."""
        return self._counting.fractions(source)

    def close(self) -> None:
        """Stop counting; the layers stay."""
        self._counting.close()

    def draw_plane(self, source: LayerStack, index: PlaneIndex, values: NDArray[Any], probe: LinearProbe) -> None:
        """Put the segmentation of a whole plane, (H, W), in its layer, and note the probe that made it.

        Nothing happens where the image is gone, or is seen in another way by now.
        """
        known = self._annotations[source.id].source if source.id in self._annotations else source
        if source.layer not in self._viewer.layers or known.settings != source.settings:
            return
        rows, columns = values.shape
        piece = (slice(0, rows), slice(0, columns))
        self.draw(source, Drawn(Plane(source.id, index), Show.SEGMENTATION, piece, values, Made(probe.identity)))

    def arrange(self, source: LayerStack) -> None:
        """Show the layer of the result that is to be shown, where it exists, and hide the others."""
        for role in RESULT_ROLES:
            layer = roles.find(self._viewer, source, role)
            if layer is not None:
                self._arrange(layer, role)

    def withdraw_all(self) -> None:
        """Clear all predictions of all images, for there is no probe any more."""
        for layer in self._viewer.layers:
            if roles.role(layer) in RESULT_ROLES:
                _clear(layer)
                self._counting.forget(_image(layer))
        self._tell()

    def withdraw_maps(self, source: LayerStack) -> None:
        """Clear the maps of a plane that is no longer on view."""
        for role in (Role.PROBABILITY, Role.UNCERTAINTY):
            layer = roles.find(self._viewer, source, role)
            if layer is not None:
                _clear(layer)

    def recolor(self) -> None:
        """Colour all strokes and segmentations like the classes, and note the classes in the labels layers."""
        for layer in self._viewer.layers:
            role = roles.role(layer)
            if role is Role.LABELS:
                layer.colormap = roles.colormap(self._classes.colors())
            elif role is Role.SEGMENTATION:
                layer.colormap = self._colormap(_image(layer))
            if role in (Role.LABELS, Role.SEGMENTATION):
                self._name_classes(layer)

    def fade(self, source: LayerStack, index: PlaneIndex) -> None:
        """Let the segmentation of an image look pale where the plane on view is of an earlier probe."""
        layer = roles.find(self._viewer, source, Role.SEGMENTATION)
        if layer is None:
            return
        made = _made(layer).get(index)
        is_pale = made is not None and made.probe != self._probe
        if is_pale != (source.id in self._pale):
            self._pale ^= {source.id}
            layer.colormap = self._colormap(source.id)

    @property
    def states(self) -> Mapping[str, ResultState]:
        """The state of every image that has a segmentation, by its id."""
        return self._told

    def _colormap(self, image: str) -> DirectLabelColormap:
        colors = self._classes.colors(only_visible=True)
        pale = {value: f"{color}{PALE}" for value, color in colors.items()}
        return roles.colormap(pale if image in self._pale else colors)

    def _arrange(self, layer: Layer, role: Role) -> None:
        if isinstance(layer, Labels):
            layer.contour = BORDER_WIDTH if self._view.show is Show.BORDERS else 0
        self._groups.set_visible(layer, ROLE_OF_VIEW.get(self._view.show) is role)

    def _is_whole(self, source: LayerStack) -> bool:
        return self.state(source) is ResultState.CURRENT

    def _segmentations(self) -> list[Layer]:
        return [layer for layer in self._viewer.layers if roles.role(layer) is Role.SEGMENTATION]

    def _state(self, layer: Layer) -> ResultState:
        return state_of(_made(layer), math.prod(layer.data.shape[:-2]), self._probe)

    def _tell(self) -> None:
        """Say of which images the state is another one than was said last."""
        states = {_image(layer): self._state(layer) for layer in self._segmentations()}
        different = {image for image, state in states.items() if state is not self._told.get(image, ResultState.NONE)}
        self._told = states
        for layer in self._annotations.choices if different else ():
            if str(layer.unique_id) in different:
                self.changed.emit(self._annotations.source_of(layer))

    def _name_classes(self, layer: Layer) -> None:
        """Note the classes in a layer: for when the panel is opened again, for writers, for napari's own tables."""
        infos = self._classes.infos
        if infos != layer.metadata[roles.METADATA_KEY].get("classes"):
            layer.metadata[roles.METADATA_KEY]["classes"] = infos
            if roles.role(layer) is Role.LABELS:  # of segmentations they say what each class covers, too
                layer.features = roles.features_of_classes(infos)

    def _style(self, source: LayerStack) -> dict[str, Any]:
        return {"colormap": self._colormap(source.id), "opacity": self.opacity}

    def _layer(self, source: LayerStack, drawn: Drawn) -> Layer:
        role = ROLE_OF_VIEW[drawn.show]
        layer = roles.find(self._viewer, source, role)
        whole = role is Role.SEGMENTATION
        shape = source.labels_shape if whole else source.shape
        if layer is None:
            style = self._style(source) if whole else {}
            empty = blank(shape, drawn.values.dtype)
            layer = roles.create(self._viewer, source, role, empty, visible=False, **style)
            if whole:
                self._name_classes(layer)
            self._arrange(layer, role)
            return layer
        if layer.data.shape != shape:
            _note(layer, {})
            layer.data = blank(shape, drawn.values.dtype)
        elif drawn.values.dtype.itemsize > layer.data.dtype.itemsize:
            layer.data = layer.data.astype(drawn.values.dtype)
        return layer


def _image(layer: Layer) -> str:
    return str(layer.metadata[roles.METADATA_KEY]["image"])


def _made(layer: Layer) -> dict[PlaneIndex, Made]:
    """What is noted in a layer, so that it is known again when the panel was closed and opened."""
    noted: dict[PlaneIndex, Made] = layer.metadata[roles.METADATA_KEY].get("made", {})
    return noted


def _note(layer: Layer, made: dict[PlaneIndex, Made]) -> None:
    layer.metadata[roles.METADATA_KEY]["made"] = made


def _refresh(layer: Layer, place: tuple[int | slice, ...], *, last: bool) -> None:
    """Hand what is new of a layer to the graphics card: of labels only that, and a thumbnail when all is there."""
    if not isinstance(layer, Labels) or not _shows_planes(layer):
        # Neither the extent nor the highlight of the layer can have changed, and they cost more than the pixels.
        layer.refresh(extent=False, highlight=False, thumbnail=last)
        return
    shown = layer._get_pt_not_disp()
    if layer.visible and all(shown[axis] == index for axis, index in enumerate(place[:-2])):
        # What napari does after each move of the brush; 0.9 has no public way to refresh a part.
        layer._updated_slice = tuple(slice(one, one + 1) if isinstance(one, int) else one for one in place)
        layer._partial_labels_refresh()
        if last:
            layer._update_thumbnail()


def _shows_planes(layer: Labels) -> bool:
    """Whether the canvas shows the layer's own rows and columns, of the array itself."""
    flat = list(layer._slice_input.displayed) == [layer.ndim - 2, layer.ndim - 1]
    return flat and np.may_share_memory(layer.data, layer._slice.image.raw)


def _clear(layer: Layer) -> None:
    # Of a large stack only what was written: else all of it would be in memory from now on.
    for index in _made(layer) if layer.data.nbytes > MAX_CLEARED else [...]:
        layer.data[index] = 0
    _note(layer, {})
    layer.refresh(extent=False, highlight=False)
