"""The state machine of an annotation: images, features, classes and the live probe, without any widget."""

from collections.abc import Callable
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image
from psygnal import Signal

from patchfield.backbones import default_backbone
from patchfield.errors import ProbeError
from patchfield.field import Region
from patchfield.napari._qt.notices import tell
from patchfield.napari.jobs import Runner
from patchfield.napari.layers import roles
from patchfield.napari.layers.annotated import AnnotatedImage
from patchfield.napari.layers.annotations import Annotations
from patchfield.napari.layers.results import Results
from patchfield.napari.layers.stack import Plane
from patchfield.napari.segment.features import Features, FeatureSpec
from patchfield.napari.segment.live import Live
from patchfield.napari.segment.updates import Drawn, Labelled, Show, Target
from patchfield.napari.session.classes import ClassTable
from patchfield.napari.session.signals import silence
from patchfield.napari.session.status import Situation, Status, describe
from patchfield.probe import LinearProbe


class Controller:
    """What the panel shows and does; works on any ``ViewerModel``, with or without a display.

    Parameters
    ----------
    viewer : ViewerModel
    runner : Runner
        Runs everything that takes longer than a frame.
    spec : FeatureSpec, optional
        What features are made with at first; by default a balanced look by the backbone to begin with.
    on_error : callable
        Is told every exception of a job.

    Attributes
    ----------
    annotations : Annotations
        The images, and which of them is painted on.
    features : Features
        Backbone and fields.
    classes : ClassTable
    live : Live
        The probe.
    results : Results
        The layers that show predictions.
    status : Status
        Where things stand.

    Examples
    --------
    >>> viewer = ViewerModel()
    >>> layer = viewer.add_image(micrograph)                              # doctest: +SKIP
    >>> controller = Controller(viewer, InlineRunner())                   # doctest: +SKIP
    >>> controller.current.labels.paint((20, 20), 1)                      # doctest: +SKIP
    """

    status_changed = Signal(object)
    """The Status changed."""
    class_selected = Signal(int)
    """Another class is painted with."""
    plane_ready = Signal(object)
    """The plane on view (Plane) has features."""
    shown = Signal()
    """Another kind of result is on view."""

    def __init__(
        self,
        viewer: ViewerModel,
        runner: Runner,
        spec: FeatureSpec | None = None,
        on_error: Callable[[Exception], None] = tell,
    ) -> None:
        self.viewer, self.runner, self.on_error = viewer, runner, on_error
        self.annotations = Annotations(viewer, runner.later)
        self.classes = ClassTable()
        self.features = Features(runner, spec or FeatureSpec(default_backbone(), "balanced"))
        self.live = Live(runner, self.classes)
        self.results = Results(viewer, self.classes)
        self.status: Status = describe(Situation())
        self._plane: Plane | None = None
        self._connect()
        self.annotations.select(self.annotations.first_choice)

    @property
    def current(self) -> AnnotatedImage | None:
        """The image that is painted on."""
        return self.annotations.current

    # -- what the user can do

    def select(self, layer: Image | None) -> None:
        """Make `layer` the image to paint on; its labels layer is found or made, ready to paint."""
        self.annotations.select(layer)

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
        for annotated in self.annotations:
            annotated.erase(value)
        self.classes.remove(value)
        if len(self.classes) == 0:
            self.classes.add()
        self.select_class(self.classes.values[0])

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
        for annotated in self.annotations:
            self.results.arrange(annotated.source, what)
        self.shown.emit()
        self.live.predict(self.labelled(), self.target())

    def adopt(self, probe: LinearProbe) -> None:
        """Segment with a probe that was loaded: images are looked at and features made in its way.

        Raises
        ------
        ProbeError
            When it was trained on features of several backbones joined.
        """
        if len(probe.recipes) != 1:
            names = " | ".join(recipe.backbone for recipe in probe.recipes) or "unknown features"
            raise ProbeError(f"The probe was trained on {names}: the panel uses one backbone, use it in a script.")
        (recipe,) = probe.recipes
        self.classes.replace({value: (info.name, info.color) for value, info in probe.classes.items()})
        self.annotations.contrast = recipe.image.contrast
        if self.current is not None and self.current.source.contrast != recipe.image.contrast:
            self.annotations.view(contrast=recipe.image.contrast)
        self.make_features(FeatureSpec.of(recipe))
        self.live.adopt(probe)
        self.live.predict(self.labelled(), self.target())

    def close(self) -> None:
        """Stop all jobs, stop listening and telling; the layers stay."""
        silence(self, self.features, self.live, self.annotations, self.classes)
        self.features.close()
        self.live.close()
        self.annotations.close()
        self.viewer.dims.events.current_step.disconnect(self._on_dims)

    # -- what jobs work on

    def labelled(self) -> tuple[Labelled, ...]:
        """All painted planes of all images, with their fields where these are there."""
        return tuple(
            Labelled(plane, labels, self.features.field(plane))
            for annotated in self.annotations
            for plane, labels in annotated.painted_planes()
        )

    def target(self) -> Target | None:
        """The plane on view, once it has features."""
        field = None if self._plane is None else self.features.field(self._plane)
        return None if field is None else Target(self._plane, field, self._region_in_view())

    # -- what happens when something happens

    def _connect(self) -> None:
        annotations, features, live = self.annotations, self.features, self.live
        self.viewer.dims.events.current_step.connect(self._on_dims)
        annotations.begun.connect(self._take_classes)
        annotations.selected.connect(self._on_selected)
        annotations.outdated.connect(features.forget)
        annotations.strokes_changed.connect(self._on_strokes)
        annotations.class_selected.connect(self._on_class_selected)
        self.classes.changed.connect(self.results.recolor)
        features.changed.connect(self._tell_status)
        features.ready.connect(self._on_field)
        features.failed.connect(self.on_error)
        live.changed.connect(self._tell_status)
        live.drawn.connect(self._on_drawn)
        live.withdrawn.connect(self._on_withdrawn)
        live.failed.connect(self.on_error)

    def _take_classes(self, annotated: AnnotatedImage) -> None:
        """Take the names and colours that the labels were left with when the panel was closed."""
        left = annotated.labels.metadata[roles.METADATA_KEY].get("classes")
        if left is not None:
            self.classes.replace(left)
        self.results.recolor()
        if annotated.snapshots:
            self._on_strokes()

    def _on_selected(self) -> None:
        if self.current is not None:
            self.current.start_painting(self.selected_class)
        self._show_plane(always=True)

    def _on_class_selected(self, value: int) -> None:
        if value > 0:
            self.classes.ensure([value])
        self.class_selected.emit(value)

    def _on_strokes(self) -> None:
        self.live.strokes_changed(self.labelled(), self.target())
        self._request_features()

    def _on_field(self, plane: Plane) -> None:
        if self.live.following and any(entry.plane == plane for entry in self.labelled()):
            self.live.learn(self.labelled(), self.target())
        elif plane == self._plane:
            self.live.predict(self.labelled(), self.target())
        if plane == self._plane:
            self.plane_ready.emit(plane)

    def _on_drawn(self, drawn: Drawn) -> None:
        if drawn.plane.image in self.annotations and (drawn.show is Show.SEGMENTATION or drawn.plane == self._plane):
            self.results.draw(self.annotations[drawn.plane.image].source, drawn, self.live.show)

    def _on_withdrawn(self) -> None:
        for annotated in self.annotations:
            self.results.withdraw(annotated.source)

    def _on_dims(self, event: Any) -> None:
        self._show_plane()

    def _show_plane(self, *, always: bool = False) -> None:
        """Take note of the plane on view: it is computed first, and segmented with what is known."""
        plane = self._plane_on_view()
        if plane == self._plane and not always:
            return
        self._plane = plane
        self._request_features()
        target = self.target()
        if target is not None:
            self.live.predict(self.labelled(), target)
            self.plane_ready.emit(plane)
        elif self.current is not None:
            self.results.withdraw_maps(self.current.source)
        self._tell_status()

    def _plane_on_view(self) -> Plane | None:
        if self.current is None:
            return None
        return self.current.plane(self.current.source.index_at(self.viewer.dims.point))

    def _region_in_view(self) -> Region:
        """The rows and columns that the canvas shows."""
        (top, left), (bottom, right) = self.current.labels.corner_pixels[:, -2:]
        height, width = self.current.source.shape
        rows = slice(max(0, int(top)), min(height, int(bottom) + 1))
        return rows, slice(max(0, int(left)), min(width, int(right) + 1))

    def _request_features(self) -> None:
        """Ask for the fields of the plane on view, then of those with strokes."""
        wanted = [] if self._plane is None or self.current is None else [(self._plane, self.current.source)]
        for annotated in self.annotations:
            wanted += [(plane, annotated.source) for plane, _ in annotated.painted_planes() if plane != self._plane]
        self.features.request(wanted)

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
            has_field=self._plane is not None and features.field(self._plane) is not None,
            painted=self.classes.painted,
            has_probe=live.probe is not None,
            stale=live.stale,
            live=live.following,
            updating=live.updating,
            seconds=live.seconds,
            agreement=None if live.agreement is None else live.agreement.mean,
        )
