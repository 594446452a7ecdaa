"""The images of a viewer that are painted on: which one is current, which come and go."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image
from psygnal import Signal

from patchfield.errors import ImageError
from patchfield.images import Contrast, ImageSettings, PlaneIndex
from patchfield.images.readers.orientation import UPRIGHT
from patchfield.napari.layers import roles
from patchfield.napari.layers.annotated import AnnotatedImage
from patchfield.napari.layers.content import turn_upright
from patchfield.napari.layers.stack import LayerStack, joinable, move_first_axis_last, move_last_axis_first
from patchfield.napari.session.planes import Plane, SeenStack
from patchfield.probe import PaintedPixels


@dataclass(frozen=True, eq=False)
class PaintedElsewhere:
    """What is painted on an image that has no labels layer now.

    Attributes
    ----------
    id : str
        What its planes are known by.
    source : SeenStack
    planes : dict of plane index to PaintedPixels
    """

    id: str
    source: SeenStack
    planes: Mapping[PlaneIndex, PaintedPixels]


class Annotations:
    """Keeps an AnnotatedImage for every image that was chosen, and follows the viewer's list of layers.

    Parameters
    ----------
    viewer : ViewerModel

    Attributes
    ----------
    current : AnnotatedImage or None
        The image that is painted on.
    default : ImageSettings
        How images are seen that nothing else was chosen for.
    chosen : dict of str to ImageSettings
        How layers, by their ids, are to be seen that were seen before, in a project.
    together : callable
        Gives the layers that came together with an image, to be seen as one picture.
    elsewhere : dict of str to PaintedElsewhere
        What is painted on images that have no labels layer now, by any key; it is learned from as well.
    """

    images_changed = Signal()
    """The images to choose from, or how they are called, changed."""
    begun = Signal(AnnotatedImage)
    """An image is annotated from now on; it may bring labels along."""
    selected = Signal()
    """Another image, or another view of it, is the current one."""
    ended = Signal(AnnotatedImage)
    """An image is annotated no more, because its layer or its labels are gone, or because it is seen differently."""
    outdated = Signal(str)
    """An image (by id) is gone, or is seen differently: what was computed of it is worthless."""
    strokes_changed = Signal()
    """Strokes were added or taken away, on whichever image."""
    relabelled = Signal(int, int)
    """All strokes of a class, by its value, were given to another one on all images, or erased (0)."""
    class_selected = Signal(int)
    """Another label value is painted with."""

    def __init__(self, viewer: ViewerModel) -> None:
        self.current: AnnotatedImage | None = None
        self.default = ImageSettings()
        self.chosen: dict[str, ImageSettings] = {}
        self.together: Callable[[Image], list[Image]] = lambda layer: []
        self._names: dict[str, str] = {}
        self.elsewhere: dict[str, PaintedElsewhere] = {}
        self._viewer = viewer
        self._annotated: dict[str, AnnotatedImage] = {}
        self._beginning: str | None = None
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        for layer in self.choices:
            layer.events.name.connect(self._on_name)
            self._names[str(layer.unique_id)] = str(layer.name)

    def __iter__(self) -> Iterator[AnnotatedImage]:
        return iter(tuple(self._annotated.values()))

    def __getitem__(self, image: str) -> AnnotatedImage:
        return self._annotated[image]

    def __contains__(self, image: str) -> bool:
        return image in self._annotated

    def painted_planes(self) -> Iterator[tuple[Plane, SeenStack, PaintedPixels]]:
        """All painted planes of all images, open or not, and their labels as last seen."""
        for annotated in self:
            for plane, labels in annotated.painted_planes():
                yield plane, annotated.source, labels
        for painted in self.elsewhere.values():
            for index, labels in painted.planes.items():
                yield Plane(painted.id, index), painted.source, labels

    def relabel(self, value: int, into: int) -> bool:
        """Give the strokes of a class to another one on all images, or erase them (0).

        Returns
        -------
        bool
            Whether undo can bring them back: it does on images that are open.
        """
        changed = [annotated.relabel(value, into) for annotated in self]
        for key, painted in self.elsewhere.items():
            planes = {index: labels.relabelled(value, into) for index, labels in painted.planes.items()}
            left = {index: labels for index, labels in planes.items() if len(labels)}
            self.elsewhere[key] = replace(painted, planes=left)
        self.relabelled.emit(value, into)
        return any(changed)

    @property
    def choices(self) -> list[Image]:
        """The images that can be painted on."""
        return roles.images(self._viewer)

    @property
    def first_choice(self) -> Image | None:
        """The active image, or the topmost one."""
        active = self._viewer.layers.selection.active
        return active if active in self.choices else next(iter(self.choices), None)

    def select(self, layer: Image | None) -> None:
        """Make `layer` the current image; its labels layer is found or made."""
        if layer is None:
            self.current = None
        elif str(layer.unique_id) == self._beginning:
            return  # its labels layer became active while it was being made
        else:
            known = self._annotated.get(str(layer.unique_id))
            self.current = known or self._begin(self._seen_by_default(layer))
        self.selected.emit()

    def set_contrast(self, contrast: Contrast) -> None:
        """See the current image in another contrast."""
        if self.current is not None:
            self._see(self.current.source.with_contrast(contrast))

    def set_zoom(self, zoom: float) -> None:
        """See the current image enlarged (above 1) or reduced: its pixels are not of the size that a probe knows."""
        if self.current is not None and zoom != self.current.source.settings.zoom:
            source = self.current.source
            self._see(replace(source, settings=replace(source.settings, zoom=zoom)))

    def set_channels(self, channels: tuple[int, ...] | None) -> None:
        """See the current image through some of its channels: one as grey, three as colours, None for all."""
        if self.current is not None:
            self._see(self.current.source.with_channels(channels))

    def join(self, layers: list[Image]) -> None:
        """See the current image together with other grey layers, as red, green and blue.

        Raises
        ------
        ImageError
            When these are not grey, or of other shapes.
        """
        if self.current is not None:
            self._see(self.current.source.with_joined([LayerStack.from_layer(layer) for layer in layers]))

    def set_axes(self, axes: str | None) -> None:
        """Say what the axes of the current image mean where neither its layer nor its file does; None for planes.

        napari draws the last two axes. So a layer with its channels last is turned until they come first.
        """
        if self.current is not None and axes != self.current.source.settings.axes:
            with self.current.image_changed.blocked():
                source = _with_axes(self.current.source, axes)
            self._see(source)

    def see_again(self) -> None:
        """Take the current image's pixels anew, because they are others."""
        if self.current is not None:
            before = self.current.source
            self._see(LayerStack.from_layer(before.layer, ImageSettings() if before.joined else before.settings))

    def adopt(self, settings: ImageSettings) -> None:
        """See the current image, and all that nothing else was chosen for, as a probe does that was loaded.

        Raises
        ------
        ImageError
            When the current image lacks the channels.
        """
        if self.current is not None:
            if settings.axes in self.current.source.axes_choices:
                self.set_axes(settings.axes)
            source = self.current.source
            channels = settings.channels
            if channels is not None and max(channels) >= source.content.stack.channels:
                raise ImageError(
                    f"The probe was trained on channel {max(channels)}, counted from 0, and {source.name} has "
                    f"{source.content.stack.channels}: choose the image that it is for, then load it again."
                )
            wanted = LayerStack.from_layer(source.layer, replace(settings, axes=source.settings.axes))
            if wanted.settings != source.settings or source.joined:
                self._see(wanted)
        self.default = settings

    def source_of(self, layer: Image) -> LayerStack:
        """How an image is seen: as chosen, where it was painted on."""
        known = self._annotated.get(str(layer.unique_id))
        return self._seen_by_default(layer) if known is None else known.source

    @property
    def joinable(self) -> list[Image]:
        """The layers that can be the colours of the current image."""
        if self.current is None:
            return []
        # Images of one size are the rule where many are open: only what is shown as colours of one picture is offered.
        layer = self.current.source.layer
        together = self.together(layer)
        parts = [other for other in self.choices if other is layer or other in together or other.blending == "additive"]
        return joinable(layer, parts)

    def close(self) -> None:
        """Stop listening; the layers stay."""
        for annotated in self:
            annotated.release()
        self._annotated.clear()
        self.current = None
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        for layer in self.choices:
            layer.events.name.disconnect(self._on_name)

    def _seen_by_default(self, layer: Image) -> LayerStack:
        if (chosen := self.chosen.get(str(layer.unique_id))) is not None:
            source = LayerStack.from_layer(layer, replace(chosen, axes=None))
            if chosen.axes in source.axes_choices:
                return _with_axes(source, chosen.axes, chosen.channels)
            return source
        source = LayerStack.from_layer(layer, replace(self.default, axes=None))
        if source.content.orientation != UPRIGHT:
            turn_upright(layer, source.content.orientation)
            source = LayerStack.from_layer(layer, source.settings)
        axes = self.default.axes
        return _with_axes(source, axes, self.default.channels) if axes in source.axes_choices else source

    def _see(self, source: LayerStack) -> None:
        """Go on with the current image in another form."""
        if source.id in self._annotated:
            self._end(self._annotated[source.id])
        self.outdated.emit(source.id)
        self.current = self._begin(source)
        self.selected.emit()

    def _begin(self, source: LayerStack) -> AnnotatedImage:
        self._beginning = source.id
        try:
            annotated = AnnotatedImage(self._viewer, source)
        finally:
            self._beginning = None
        # To the signals themselves: psygnal 0.16 calls `emit` once while it is being connected to.
        annotated.strokes_changed.connect(self.strokes_changed)
        annotated.class_selected.connect(self.class_selected)
        annotated.image_changed.connect(partial(self._on_image_changed, annotated))
        self._annotated[source.id] = annotated
        self.begun.emit(annotated)
        return annotated

    def take_up(self) -> None:
        """Go on with what is painted on images whose labels are there already: a panel was closed and opened again."""
        for layer in self.choices:
            painted = roles.find_of(self._viewer, str(layer.unique_id), roles.Role.LABELS) is not None
            if painted and str(layer.unique_id) not in self._annotated:
                self._begin(self._seen_by_default(layer))

    def _end(self, annotated: AnnotatedImage) -> None:
        annotated.release()
        del self._annotated[annotated.source.id]
        self.ended.emit(annotated)

    def _on_inserted(self, event: Any) -> None:
        layer = event.value
        if not isinstance(layer, Image) or roles.is_ours(layer):
            return
        layer.events.name.connect(self._on_name)
        self._names[str(layer.unique_id)] = str(layer.name)
        if self.current is None:
            self.select(layer)
        self.images_changed.emit()

    def _on_removed(self, event: Any) -> None:
        """An image that goes takes its strokes out of the training; so do labels that go."""
        if isinstance(event.value, Image):
            self.outdated.emit(str(event.value.unique_id))
        for annotated in self:
            if event.value is annotated.source.layer:
                self._drop(annotated, self.first_choice)
            elif event.value is annotated.labels:
                self._drop(annotated, None)
        self.images_changed.emit()

    def _on_name(self, event: Any) -> None:
        """What was made of an image is called after it, unless somebody gave it a name of its own."""
        for image in self.choices:
            before, now = self._names.get(str(image.unique_id)), str(image.name)
            for layer in self._viewer.layers if before not in (None, now) else ():
                if roles.is_over(layer, image) and layer.name == f"{before} {roles.role(layer)}":
                    layer.name = f"{now} {roles.role(layer)}"
            self._names[str(image.unique_id)] = now
        self.images_changed.emit()

    def _on_image_changed(self, annotated: AnnotatedImage) -> None:
        """Other pixels: other features, and other labels where the shape is another."""
        if annotated is self.current:
            self.see_again()
        else:
            self.outdated.emit(annotated.source.id)
            self._drop(annotated, None)

    def _drop(self, annotated: AnnotatedImage, successor: Image | None) -> None:
        """Annotate an image no more; if it was the current one, go on with another."""
        self._end(annotated)
        if annotated is self.current:
            self.select(successor)
        if annotated.snapshots:
            self.strokes_changed.emit()


def _with_axes(source: LayerStack, axes: str | None, channels: tuple[int, ...] | None = None) -> LayerStack:
    """An image whose axes mean something else; its layer is turned so that rows and columns come last."""
    if (source.settings.axes or "").endswith("C"):
        move_first_axis_last(source.layer)
    if (axes or "").endswith("C"):
        move_last_axis_first(source.layer)
    return LayerStack.from_layer(source.layer, replace(source.settings, axes=axes, channels=channels))
