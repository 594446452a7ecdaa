"""Where strokes become segmentations: images, features, classes and the live probe of one viewer, and no widget."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image
from psygnal import Signal

from patchfield.errors import ProbeError
from patchfield.field import FeatureRecipe, Region
from patchfield.napari.jobs import Runner
from patchfield.napari.layers import roles
from patchfield.napari.layers.annotated import AnnotatedImage
from patchfield.napari.layers.annotations import Annotations
from patchfield.napari.layers.camera import region_in_view, step_in_view
from patchfield.napari.layers.groups import Groups
from patchfield.napari.layers.results import Results
from patchfield.napari.layers.shown import Shown
from patchfield.napari.segment.drawing import Drawn, Target
from patchfield.napari.segment.features import Features
from patchfield.napari.segment.live import Live
from patchfield.napari.segment.updates import Labelled
from patchfield.napari.session.classes import MAX_VALUE, ClassTable
from patchfield.napari.session.planes import Plane, SeenStack
from patchfield.napari.session.results import ResultState
from patchfield.napari.session.signals import disconnect_all
from patchfield.napari.session.status import Situation, Status, status_for
from patchfield.napari.session.view import Show, ViewState
from patchfield.probe import LinearProbe


class Workspace:
    """The images of a viewer, their strokes, and the loop from a stroke to a new segmentation.

    Works on any ``ViewerModel``, with or without a display. :class:`patchfield.napari.controller.Controller` adds what
    can be done beside painting.

    Parameters
    ----------
    viewer : ViewerModel
    runner : Runner
        Runs everything that takes longer than a frame.
    recipes : sequence of FeatureRecipe
        What features are made with at first.
    on_error : callable
        Called with every exception of a job.

    Attributes
    ----------
    annotations : Annotations
        The images, and which of them is painted on.
    groups : Groups
        Which image is seen.
    features : Features
        Backbone and fields.
    classes : ClassTable
    live : Live
        The probe.
    view : ViewState
        Which result is on view.
    results : Results
        The layers that show predictions.
    shown : Shown
        The layer of the view that is chosen.
    status : Status
        Where things stand.
    """

    status_changed = Signal(Status)
    """Where things stand changed."""
    class_selected = Signal(int)
    """Another class is painted with."""
    rename_requested = Signal()
    """The class that is painted with is to get another name."""
    plane_ready = Signal(Plane)
    """The plane on view has features."""

    def __init__(
        self,
        viewer: ViewerModel,
        runner: Runner,
        recipes: Sequence[FeatureRecipe],
        on_error: Callable[[Exception], None],
    ) -> None:
        self.viewer = viewer
        self.runner = runner
        self.on_error = on_error
        self.annotations = Annotations(viewer)
        self.groups = Groups(viewer, self.annotations, runner.later)
        self.classes = ClassTable()
        self.view = ViewState()
        self.features = Features(runner, recipes, self._looked_at)
        self.live = Live(runner, self, self.classes, self.view)
        self.results = Results(viewer, self.classes, self.view, self.groups, self.annotations, runner)
        self.shown = Shown(viewer, self.annotations, self.view)
        self.status: Status = status_for(Situation())
        self._plane: Plane | None = None
        self._further: tuple[tuple[Plane, SeenStack], ...] = ()
        self._connect()
        self.annotations.select(self.annotations.first_choice)
        self.annotations.take_up()

    @property
    def current(self) -> AnnotatedImage | None:
        """The image that is painted on."""
        return self.annotations.current

    # -- what the user can do

    def select(self, layer: Image | None) -> None:
        """Make `layer` the image that is seen and painted on; its labels layer is found or made, ready to paint."""
        self.annotations.select(layer)

    @property
    def selected_class(self) -> int:
        """The value that is painted with."""
        value = int(self.current.labels.selected_label) if self.current else 0
        return value if value in self.classes else self.classes.values[0]

    def select_class(self, value: int) -> None:
        """Paint with a class from now on."""
        if self.current is not None:
            self.current.start_painting(value)

    def add_class(self) -> None:
        """Make a new class, and paint with it.

        Raises
        ------
        LabelError
            When all 255 are taken.
        """
        self.select_class(self.classes.add().value)

    def remove_class(self, value: int) -> None:
        """Remove a class and erase its strokes everywhere (undo brings them back)."""
        values = self.classes.values
        others = [other for other in values if other != value] or [self.classes.add().value]
        successor = others[min(values.index(value), len(others) - 1)]
        # First, for what a labels layer paints with is a class.
        for annotated in self.annotations:
            if annotated.labels.selected_label == value:
                annotated.labels.selected_label = successor
        self.classes.remove(value, returns=self.annotations.relabel(value, 0))
        self.select_class(self.selected_class)

    def make_features(self, recipes: FeatureRecipe | Sequence[FeatureRecipe]) -> None:
        """Compute features in another way from now on; the strokes are learned anew from them.

        Parameters
        ----------
        recipes : FeatureRecipe or sequence of them
            One for each backbone; the features of several are joined channel by channel.
        """
        recipes = (recipes,) if isinstance(recipes, FeatureRecipe) else tuple(recipes)
        if not self.features.is_made_by(recipes):
            self.live.restart()
            self.features.choose(recipes)
            self._show_plane(always=True)

    def follow(self, following: bool) -> None:
        """Whether every stroke is learned from at once."""
        self.live.following = following
        if following and self.live.stale:
            self.learn()
        self._update_status()

    def learn(self) -> None:
        """Learn from the strokes now."""
        self.live.learn()

    def show(self, what: Show, shown_class: int | None = None) -> None:
        """Look at something else: a result, the bare image, or what the features show by themselves."""
        self.view.choose(what, shown_class)

    def adopt(self, probe: LinearProbe) -> None:
        """Segment with a probe that was loaded: images are seen and features made in its way.

        Raises
        ------
        ProbeError
            When it is not known how its features were made, or it knows classes that cannot be painted.
        ImageError
            When the current image lacks the channels that it was trained on.
        """
        if not probe.recipes:
            raise ProbeError(
                "It is not known how the features of this probe were made: use it in the script that it comes from."
            )
        if len({recipe.image for recipe in probe.recipes}) > 1:
            names = " | ".join(recipe.backbone for recipe in probe.recipes)
            raise ProbeError(
                f"The probe was trained on {names}, which see the image in different contrasts or "
                "channels: segment with the command line, `patchfield segment --probe`."
            )
        if probe.values.max() > MAX_VALUE:
            raise ProbeError(
                f"The probe knows the class {probe.values.max()}, and classes in the window end at {MAX_VALUE}: "
                "segment with the command line, `patchfield segment --probe`."
            )
        self.annotations.adopt(probe.recipes[0].image)
        self.classes.replace(probe.classes)
        self.make_features(probe.recipes)
        self.live.adopt(probe)
        self.live.predict()

    def want(self, planes: Iterable[tuple[Plane, SeenStack]]) -> None:
        """Compute the features of these planes, too, after those that are on view or painted; () for no others."""
        self._further = tuple(planes)
        self._request_features()

    def close(self) -> None:
        """Stop all jobs, stop listening and reporting; the layers stay."""
        disconnect_all(self, self.features, self.live, self.annotations, self.classes, self.view, self.results)
        self.features.close()
        self.live.close()
        self.results.close()
        self.groups.close()
        self.shown.close()
        self.annotations.close()
        self.viewer.dims.events.current_step.disconnect(self._on_dims)

    # -- what jobs work on

    def labelled(self) -> tuple[Labelled, ...]:
        """All painted planes of all images, with their fields where these are there."""
        return tuple(
            Labelled(plane, labels, self.features.field(plane), source, source.settings.zoom)
            for plane, source, labels in self.annotations.painted_planes()
        )

    def target(self) -> Target | None:
        """The plane on view, once it has features."""
        field = None if self._plane is None else self.features.field(self._plane)
        if self._plane is None or field is None or self.current is None:
            return None
        view = region_in_view(self.current)
        step = step_in_view(view, self.viewer.canvas.size)
        return Target(self._plane, field, view, self.features.is_complete(self._plane), step)

    def draw(self, drawn: Drawn) -> None:
        """Put a piece of a result in its layer, unless nobody wants it any more."""
        if drawn.plane.image in self.annotations and (drawn.show is Show.SEGMENTATION or drawn.plane == self._plane):
            self.results.draw(self.annotations[drawn.plane.image].source, drawn)

    def _looked_at(self, plane: Plane) -> Region | None:
        """What of a plane is in view; asked from other threads, too."""
        current = self.current
        return None if plane != self._plane or current is None else region_in_view(current)

    # -- what happens when something happens

    def _connect(self) -> None:
        annotations, features, live = self.annotations, self.features, self.live
        self.viewer.dims.events.current_step.connect(self._on_dims)
        annotations.begun.connect(self._take_classes)
        annotations.selected.connect(self._on_selected)
        annotations.images_changed.connect(self._update_status)
        annotations.outdated.connect(features.forget)
        annotations.outdated.connect(self.results.distrust)
        annotations.strokes_changed.connect(self._on_strokes)
        annotations.class_selected.connect(self._on_class_selected)
        self.classes.changed.connect(self.results.recolor)
        self.view.changed.connect(self._on_view)
        features.changed.connect(self._update_status)
        features.ready.connect(self._on_field)
        features.failed.connect(self._on_failure)
        live.changed.connect(self._compare_results)
        live.changed.connect(self._update_status)
        live.drawn.connect(self.draw)
        live.withdrawn.connect(self._on_withdrawn)
        live.failed.connect(self._on_failure)

    def _on_failure(self, error: Exception) -> None:
        self.on_error(error)

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
            self.current.start_painting(self.selected_class, brush=not self.view.exploring)
        self._show_plane(always=True)

    def _on_class_selected(self, value: int) -> None:
        if 0 < value <= MAX_VALUE:
            self.classes.ensure([value])
        self.class_selected.emit(value)

    def _on_strokes(self) -> None:
        self.live.strokes_changed()
        self._request_features()

    def _on_view(self) -> None:
        for annotated in self.annotations:
            self.results.arrange(annotated.source)
        self.live.predict()

    def _on_field(self, plane: Plane) -> None:
        if self.live.following and any(entry.plane == plane for entry in self.labelled()):
            self.live.learn()
        elif plane == self._plane:
            self.live.predict()
        if plane == self._plane:
            self.plane_ready.emit(plane)

    def _on_withdrawn(self) -> None:
        self.results.withdraw_all()

    def _compare_results(self) -> None:
        self.results.compare(self.live.probe)

    def _on_dims(self, event: Any) -> None:
        self._show_plane()

    def _show_plane(self, *, always: bool = False) -> None:
        """Take note of the plane on view: it is computed first, and segmented with what is known."""
        plane = self._plane_on_view()
        if plane == self._plane and not always:
            return
        self._plane = plane
        self._request_features()
        if plane is not None and self.target() is not None:
            self.live.predict()
            self.plane_ready.emit(plane)
        elif self.current is not None:
            self.results.withdraw_maps(self.current.source)
        self._update_status()

    def _plane_on_view(self) -> Plane | None:
        if self.current is None:
            return None
        return self.current.plane(self.current.source.index_at(self.viewer.dims.point))

    def _request_features(self) -> None:
        """Ask for the fields of the plane on view, then of those with strokes, then of those wanted besides."""
        wanted: list[tuple[Plane, SeenStack]] = []
        if self._plane is not None and self.current is not None:
            wanted.append((self._plane, self.current.source))
        painted = self.annotations.painted_planes()
        wanted += [(plane, source) for plane, source, _ in painted if plane != self._plane]
        asked = {plane for plane, _ in wanted}
        self.features.request([*wanted, *((plane, source) for plane, source in self._further if plane not in asked)])

    def _update_status(self) -> None:
        status = status_for(self._situation())
        if status != self.status:
            self.status = status
            self.status_changed.emit(status)

    def _situation(self) -> Situation:
        features, live = self.features, self.live
        return Situation(
            image=None if self.current is None else self.current.source.title,
            images=len(self.annotations.choices),
            backbone=features.name,
            loading=features.loading,
            extracting=features.extracting,
            outdated=self.current is not None and self.results.state(self.current.source) is ResultState.OUTDATED,
            flat=self._plane is not None and features.is_flat(self._plane),
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
