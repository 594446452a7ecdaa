"""The images of a viewer that are painted on: which one is current, which come and go."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image
from psygnal import Signal

from patchfield.images import Contrast
from patchfield.napari.jobs import Call
from patchfield.napari.layers import roles
from patchfield.napari.layers.annotated import AnnotatedImage
from patchfield.napari.layers.stack import Channel, ImageSource, channel_choices


class Annotations:
    """Keeps an AnnotatedImage for every image that was chosen, and follows the viewer's list of layers.

    Parameters
    ----------
    viewer : ViewerModel
    later : callable
        Runs a call when the event that is being handled is over; see :class:`patchfield.napari.jobs.Runner`.

    Attributes
    ----------
    current : AnnotatedImage or None
        The image that is painted on.
    contrast : Contrast
        How images are looked at that nothing else was chosen for.
    """

    images_changed = Signal()
    """The images to choose from, or how they are called, changed."""
    begun = Signal(object)
    """An image (AnnotatedImage) is annotated from now on; it may bring labels along."""
    selected = Signal()
    """Another image, or another view of it, is the current one."""
    outdated = Signal(str)
    """An image (by id) is gone, or looks different: what was computed of it is worthless."""
    strokes_changed = Signal()
    """Strokes were added or taken away, on whichever image."""
    class_selected = Signal(int)
    """Another label value is painted with."""

    def __init__(self, viewer: ViewerModel, later: Callable[[Call], None]) -> None:
        self.current: AnnotatedImage | None = None
        self.contrast: Contrast = "auto"
        self._viewer, self._later = viewer, later
        self._annotated: dict[str, AnnotatedImage] = {}
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        for layer in self.choices:
            layer.events.name.connect(self._on_name)

    def __iter__(self) -> Iterator[AnnotatedImage]:
        return iter(tuple(self._annotated.values()))

    def __getitem__(self, image: str) -> AnnotatedImage:
        return self._annotated[image]

    def __contains__(self, image: str) -> bool:
        return image in self._annotated

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
        source = None if layer is None else ImageSource(layer, contrast=self.contrast)
        self.current = None if source is None else self._annotated.get(source.id) or self._begin(source)
        self.selected.emit()

    def view(self, *, channels: tuple[Channel, ...] | None = None, contrast: Contrast | None = None) -> None:
        """Look at the current image through other channels or another contrast, or again when its pixels changed."""
        if self.current is None:
            return
        source = self.current.source
        source = replace(
            source,
            channels=source.channels if channels is None else channels,
            contrast=source.contrast if contrast is None else contrast,
        )
        self._annotated.pop(source.id).release()
        self.outdated.emit(source.id)
        self.current = self._begin(source)
        self.selected.emit()

    def source_of(self, layer: Image) -> ImageSource:
        """How an image is looked at: as chosen, where it was painted on."""
        source = ImageSource(layer, contrast=self.contrast)
        return self._annotated[source.id].source if source.id in self._annotated else source

    def channel_choices(self) -> list[Channel]:
        return [] if self.current is None else channel_choices(self.current.source.layer, self.choices)

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

    def _begin(self, source: ImageSource) -> AnnotatedImage:
        annotated = AnnotatedImage(self._viewer, source)
        annotated.strokes_changed.connect(self.strokes_changed.emit)
        annotated.class_selected.connect(self.class_selected.emit)
        annotated.image_changed.connect(partial(self._on_image_changed, annotated))
        self._annotated[source.id] = annotated
        self.begun.emit(annotated)
        return annotated

    def _on_inserted(self, event: Any) -> None:
        layer = event.value
        if not isinstance(layer, Image) or roles.is_ours(layer):
            return
        layer.events.name.connect(self._on_name)
        self.images_changed.emit()
        if self.current is None:
            self.select(layer)
        if self._viewer.layers.selection.active is self.current.labels:
            self._later(partial(self._give_brush_back, layer))

    def _give_brush_back(self, newcomer: Image) -> None:
        """napari makes every new layer the active one; who was painting goes on painting."""
        selection = self._viewer.layers.selection
        if selection.active is newcomer and self.current is not None:
            selection.active = self.current.labels

    def _on_removed(self, event: Any) -> None:
        """An image that goes takes its strokes out of the training; so do labels that go."""
        if isinstance(event.value, Image):
            self.outdated.emit(ImageSource(event.value).id)
        for annotated in self:
            if event.value is annotated.source.layer:
                self._drop(annotated, self.first_choice)
            elif event.value is annotated.labels:
                self._drop(annotated, None)
        self.images_changed.emit()

    def _on_name(self, event: Any) -> None:
        self.images_changed.emit()

    def _on_image_changed(self, annotated: AnnotatedImage) -> None:
        """Other pixels: other features, and other labels where the shape is another."""
        if annotated is self.current:
            self.view()
        else:
            self.outdated.emit(annotated.source.id)
            self._drop(annotated, None)

    def _drop(self, annotated: AnnotatedImage, successor: Image | None) -> None:
        """Annotate an image no more; if it was the current one, go on with another."""
        annotated.release()
        del self._annotated[annotated.source.id]
        if annotated is self.current:
            self.select(successor)
        if annotated.snapshots:
            self.strokes_changed.emit()
