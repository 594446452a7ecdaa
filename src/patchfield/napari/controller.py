"""The state machine of an annotation: images, features, classes and the live probe, without any widget."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image
from psygnal import Signal

from patchfield.field import Region
from patchfield.images import Contrast
from patchfield.napari import layers
from patchfield.napari.annotated import AnnotatedImage
from patchfield.napari.classes import ClassTable
from patchfield.napari.features import Features, FeatureSpec
from patchfield.napari.jobs import Runner
from patchfield.napari.live import Live
from patchfield.napari.notices import tell
from patchfield.napari.results import Results
from patchfield.napari.sources import Channel, ImageSource, Plane, channel_choices
from patchfield.napari.states import Situation, Status, describe
from patchfield.napari.updates import Drawn, Labelled, Show, Target
from patchfield.probe import LinearProbe

DEFAULT_FEATURES = FeatureSpec("filters", "balanced")


class Controller:
    """What the panel shows and does; works on any ``ViewerModel``, with or without a display.

    Parameters
    ----------
    viewer : ViewerModel
    runner : Runner
        Runs everything that takes longer than a frame.
    spec : FeatureSpec
        What features are made with at first.
    on_error : callable
        Is told every exception of a job.

    Attributes
    ----------
    current : AnnotatedImage or None
        The image that is painted on.
    features : Features
    classes : ClassTable
    live : Live

    Examples
    --------
    >>> viewer = ViewerModel()
    >>> layer = viewer.add_image(micrograph)                              # doctest: +SKIP
    >>> controller = Controller(viewer, InlineRunner())                   # doctest: +SKIP
    >>> controller.current.labels.paint((20, 20), 1)                      # doctest: +SKIP
    """

    status_changed = Signal(object)
    """The Status changed."""
    images_changed = Signal()
    """The images to choose from, or how they are called, changed."""
    selected = Signal()
    """Another image, or another view of it, is the current one."""
    class_selected = Signal(int)
    """Another class is painted with."""
    plane_ready = Signal(object)
    """The plane on view (Plane) has features."""
    shown = Signal()
    """Another result, or none that there was, is on view."""

    def __init__(
        self,
        viewer: ViewerModel,
        runner: Runner,
        spec: FeatureSpec = DEFAULT_FEATURES,
        on_error: Callable[[Exception], None] = tell,
    ) -> None:
        self.viewer, self.runner = viewer, runner
        self.current: AnnotatedImage | None = None
        self.classes = ClassTable()
        self.features = Features(runner, spec)
        self.live = Live(runner, self.classes)
        self.results = Results(viewer, self.classes)
        self.status: Status = describe(Situation())
        self.on_error = on_error
        self._annotated: dict[str, AnnotatedImage] = {}
        self._shown: Plane | None = None
        self._connect()
        self.select(self._first_choice())

    # -- images

    @property
    def choices(self) -> list[Image]:
        """The images that can be painted on."""
        return layers.images(self.viewer)

    @property
    def annotated(self) -> tuple[AnnotatedImage, ...]:
        return tuple(self._annotated.values())

    def select(self, layer: Image | None) -> None:
        """Make `layer` the image to paint on; its labels layer is found or made, ready to paint."""
        if layer is None:
            self.current = self._shown = None
        else:
            source = ImageSource(layer)
            self._make_current(self._annotated.get(source.id) or self._annotate(source))
        self.selected.emit()
        self._show_plane(always=True)

    def view(self, *, channels: tuple[Channel, ...] | None = None, contrast: Contrast | None = None) -> None:
        """Look at the current image through other channels or another contrast."""
        if self.current is None:
            return
        source = self.current.source
        source = replace(
            source,
            channels=source.channels if channels is None else channels,
            contrast=source.contrast if contrast is None else contrast,
        )
        self.features.forget(source.id)
        self._annotated.pop(source.id).release()
        self._make_current(self._annotate(source))
        self.selected.emit()
        self._show_plane(always=True)

    def source_of(self, layer: Image) -> ImageSource:
        """How an image is looked at: as chosen, where it was painted on."""
        source = ImageSource(layer)
        return self._annotated[source.id].source if source.id in self._annotated else source

    def channel_choices(self) -> list[Channel]:
        return [] if self.current is None else channel_choices(self.current.source.layer, self.choices)

    # -- classes

    @property
    def selected_class(self) -> int:
        value = self.current.labels.selected_label if self.current else 0
        return value if value in self.classes else self.classes.values[0]

    def select_class(self, value: int) -> None:
        """Paint with a class from now on."""
        if self.current is not None:
            self.current.start_painting(value)

    def add_class(self) -> None:
        self.select_class(self.classes.add().value)

    def remove_class(self, value: int) -> None:
        """Remove a class and erase its strokes everywhere (undo brings them back)."""
        for annotated in self.annotated:
            annotated.erase(value)
        self.classes.remove(value)
        if len(self.classes) == 0:
            self.classes.add()
        self.select_class(self.classes.values[0])

    # -- features and probe

    def make_features(self, spec: FeatureSpec) -> None:
        """Describe pixels by another backbone or sampling from now on."""
        if spec != self.features.spec:
            self.live.restart()
            self.features.choose(spec)
            self._show_plane(always=True)

    def follow(self, following: bool) -> None:
        """Whether every stroke is learned from at once."""
        self.live.following = following
        if following and self.live.stale:
            self.learn()
        self._tell_status()

    def learn(self) -> None:
        """Learn from the strokes now."""
        self.live.learn(self.labelled(), self.target())

    def show(self, what: Show, shown_class: int | None = None) -> None:
        """Show the segmentation, the probability of a class, or the uncertainty."""
        self.live.show = what
        self.live.shown_class = shown_class if shown_class is not None else self.live.shown_class
        for annotated in self.annotated:
            self.results.arrange(annotated.source, what)
        self.shown.emit()
        self.live.predict(self.labelled(), self.target())

    def adopt(self, probe: LinearProbe) -> None:
        """Segment with a probe that was loaded, by features made in its way."""
        self.classes.replace({value: (info.name, info.color) for value, info in probe.classes.items()})
        self.make_features(FeatureSpec.of(probe.recipes[0]))
        self.live.adopt(probe)
        self.live.predict(self.labelled(), self.target())

    def labelled(self) -> tuple[Labelled, ...]:
        """All painted planes of all images, with their fields where these are there."""
        return tuple(
            Labelled(plane, labels, self.features.field(plane))
            for annotated in self.annotated
            for plane, labels in annotated.painted_planes()
        )

    def close(self) -> None:
        """Stop all jobs and stop listening; the layers stay."""
        self.features.close()
        self.live.close()
        for annotated in self.annotated:
            annotated.release()
        self.current = None
        for emitter, callback in self._viewer_connections():
            emitter.disconnect(callback)
        for layer in self.choices:
            layer.events.name.disconnect(self._on_name)

    # -- what happens when something happens

    def _connect(self) -> None:
        for emitter, callback in self._viewer_connections():
            emitter.connect(callback)
        self.classes.changed.connect(self._on_classes)
        self.features.changed.connect(self._tell_status)
        self.features.ready.connect(self._on_field)
        self.features.failed.connect(self.on_error)
        self.live.changed.connect(self._tell_status)
        self.live.drawn.connect(self._on_drawn)
        self.live.withdrawn.connect(self._on_withdrawn)
        self.live.failed.connect(self.on_error)

    def _viewer_connections(self) -> Iterator[tuple[Any, Callable[..., None]]]:
        yield self.viewer.layers.events.inserted, self._on_inserted
        yield self.viewer.layers.events.removed, self._on_removed
        yield self.viewer.dims.events.current_step, self._on_dims

    def _annotate(self, source: ImageSource) -> AnnotatedImage:
        annotated = AnnotatedImage(self.viewer, source)
        annotated.strokes_changed.connect(self._on_strokes)
        annotated.class_selected.connect(self._on_class_selected)
        annotated.image_changed.connect(partial(self._on_image_changed, source.id))
        self._annotated[source.id] = annotated
        self._take_classes(annotated)
        return annotated

    def _take_classes(self, annotated: AnnotatedImage) -> None:
        """Names and colours that the labels were left with, when the panel was closed."""
        left = annotated.labels.metadata[layers.METADATA_KEY].get("classes")
        if left is not None:
            self.classes.replace(left)
        self.results.recolor()

    def _make_current(self, annotated: AnnotatedImage) -> None:
        value = self.selected_class
        self.current = annotated
        annotated.start_painting(value)

    def _on_inserted(self, event: Any) -> None:
        layer = event.value
        if not isinstance(layer, Image) or layers.is_ours(layer):
            return
        layer.events.name.connect(self._on_name)
        self.images_changed.emit()
        if self.current is None:
            self.select(layer)

    def _on_removed(self, event: Any) -> None:
        """An image that goes takes its strokes out of the training; so do labels that go."""
        for annotated in self.annotated:
            if event.value not in (annotated.source.layer, annotated.labels):
                continue
            annotated.release()
            del self._annotated[annotated.source.id]
            if event.value is annotated.source.layer:
                self.features.forget(annotated.source.id)
            if annotated is self.current:
                self.select(self._first_choice() if event.value is annotated.source.layer else None)
            if annotated.snapshots:
                self._on_strokes()
        self.images_changed.emit()

    def _on_name(self, event: Any) -> None:
        self.images_changed.emit()

    def _on_image_changed(self, image: str) -> None:
        """Other pixels: other features, and other labels where the shape is another."""
        annotated = self._annotated[image]
        if annotated is self.current:
            self.view()
        else:
            self.features.forget(image)
            annotated.release()
            del self._annotated[image]

    def _on_dims(self, event: Any) -> None:
        self._show_plane()

    def _on_class_selected(self, value: int) -> None:
        if value > 0:
            self.classes.ensure([value])
        self.class_selected.emit(value)

    def _on_classes(self) -> None:
        self.results.recolor()

    def _on_strokes(self) -> None:
        self.live.strokes_changed(self.labelled(), self.target())
        self._request_features()

    def _on_field(self, plane: Plane) -> None:
        if self.live.following and any(entry.plane == plane for entry in self.labelled()):
            self.live.learn(self.labelled(), self.target())
        elif plane == self._shown:
            self.live.predict(self.labelled(), self.target())
        if plane == self._shown:
            self.plane_ready.emit(plane)

    def _on_drawn(self, drawn: Drawn) -> None:
        annotated = self._annotated.get(drawn.plane.image)
        if annotated is not None and (drawn.show is Show.SEGMENTATION or drawn.plane == self._shown):
            self.results.draw(annotated.source, drawn, self.live.show)

    def _on_withdrawn(self) -> None:
        for annotated in self.annotated:
            self.results.withdraw(annotated.source)

    # -- the plane on view

    def _show_plane(self, *, always: bool = False) -> None:
        """Take note of the plane on view: it is computed first, and segmented with what is known."""
        shown = self._plane_on_view()
        if shown == self._shown and not always:
            return
        self._shown = shown
        self._request_features()
        target = self.target()
        if target is not None:
            self.live.predict(self.labelled(), target)
            self.plane_ready.emit(shown)
        elif self.current is not None:
            self.results.withdraw_maps(self.current.source)
        self._tell_status()

    def _plane_on_view(self) -> Plane | None:
        if self.current is None:
            return None
        return self.current.plane(self.current.source.index_at(self.viewer.dims.point))

    def _request_features(self) -> None:
        """Ask for the fields of the plane on view, then of those with strokes."""
        wanted = [] if self._shown is None else [(self._shown, self.current.source)]
        for annotated in self.annotated:
            wanted += [(plane, annotated.source) for plane, _ in annotated.painted_planes() if plane != self._shown]
        self.features.request(wanted)

    def target(self) -> Target | None:
        field = None if self._shown is None else self.features.field(self._shown)
        return None if field is None else Target(self._shown, field, self._region_in_view())

    def _region_in_view(self) -> Region:
        """The rows and columns that the canvas shows."""
        (top, left), (bottom, right) = self.current.labels.corner_pixels[:, -2:]
        height, width = self.current.source.shape
        return slice(max(0, int(top)), min(height, int(bottom) + 1)), slice(
            max(0, int(left)), min(width, int(right) + 1)
        )

    def _first_choice(self) -> Image | None:
        active = self.viewer.layers.selection.active
        choices = self.choices
        return active if active in choices else next(iter(choices), None)

    def _tell_status(self) -> None:
        status = describe(self._situation())
        if status != self.status:
            self.status = status
            self.status_changed.emit(status)

    def _situation(self) -> Situation:
        features, live = self.features, self.live
        return Situation(
            image=None if self.current is None else self.current.source.name,
            backbone=features.spec.backbone,
            loading=features.loading,
            extracting=features.extracting,
            problem=features.problem,
            has_field=self._shown is not None and features.field(self._shown) is not None,
            painted=self.classes.painted,
            has_probe=live.probe is not None,
            stale=live.stale,
            live=live.following,
            updating=live.updating,
            seconds=live.seconds,
            agreement=None if live.agreement is None else live.agreement.mean,
        )
