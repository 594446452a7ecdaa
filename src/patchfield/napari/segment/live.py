"""The live probe: learns from every stroke, latest wins, and says when its answer is out of date."""

import copy
from collections.abc import Collection
from functools import partial
from typing import Protocol

import numpy as np
from psygnal import Signal

from patchfield.napari.jobs import Job, Runner, Slot
from patchfield.napari.segment.drawing import Drawn, Target, Waiting, draw_rest
from patchfield.napari.segment.known import KnownImages
from patchfield.napari.segment.updates import (
    Counted,
    Labelled,
    Learned,
    Unlearned,
    Updated,
    UpdateRequest,
    UpdateStep,
    agreement_of_strokes,
    update,
)
from patchfield.napari.session.classes import ClassTable
from patchfield.napari.session.planes import Plane
from patchfield.napari.session.view import ViewState
from patchfield.objects import Cleaning
from patchfield.probe import Agreement, KeptSamples, LinearProbe

VALIDATION_DELAY = 0.7
"""Seconds without another stroke before the agreement is computed: it is not to slow down who paints."""


REST_DELAY = 0.5
"""Seconds without another stroke before the rest of a large plane is segmented, which takes all cores."""


class Material(Protocol):
    """What a probe learns from and segments, as it is now."""

    def labelled(self) -> tuple[Labelled, ...]:
        """All painted planes of all images, with their fields where these are there."""

    def target(self) -> Target | None:
        """The plane on view, once it has features."""


class Live:
    """The probe, and the jobs that keep it and its segmentation up to date.

    Parameters
    ----------
    runner : Runner
    material : Material
        Asked whenever something is to be learned or segmented.
    classes : ClassTable
        Gets the numbers of painted pixels.
    view : ViewState
        What of a prediction is drawn.

    Attributes
    ----------
    probe : LinearProbe or None
        What segments now.
    loaded : LinearProbe or None
        A probe from a file, which strokes correct: the samples that it keeps are learned from beside them. One of an
        old file keeps none, and serves only until two classes are painted.
    kept : KeptSamples
        Those samples, of the classes that there are still.
    finishing : Cleaning
        What is done to every segmentation.
    following : bool
        Whether every stroke is learned from at once.
    stale : bool
        Whether there are strokes that the probe does not know.
    seconds : float or None
        How long the last update took.
    agreement : Agreement or None
        How well strokes that were held out are predicted.
    judged : tuple of Plane
        The planes whose strokes the agreement counts as its pairs.
    """

    changed = Signal()
    """Something that the status line shows."""
    drawn = Signal(Drawn)
    """A piece of a result is there."""
    withdrawn = Signal()
    """There is no probe any more: results are to be cleared."""
    failed = Signal(Exception)
    """An update failed."""

    def __init__(self, runner: Runner, material: Material, classes: ClassTable, view: ViewState) -> None:
        self.probe: LinearProbe | None = None
        self.loaded: LinearProbe | None = None
        self.finishing = Cleaning()
        self.following = True
        self.stale = False
        self.seconds: float | None = None
        self.agreement: Agreement | None = None
        self.judged: tuple[Plane, ...] = ()
        self._material = material
        self._classes = classes
        self._view = view
        self._updates = Slot(runner, self.changed.emit)
        self._rests = Slot(runner)
        self._agreements = Slot(runner)
        self._strokes = 0
        self._known = KnownImages()
        self._kept = KeptSamples()
        self._merged: dict[int, int] = {}
        self._changes: dict[int, int] = {}
        classes.changed.connect(self._on_classes)

    @property
    def kept(self) -> KeptSamples:
        return self._kept

    @property
    def updating(self) -> bool:
        return self._updates.busy

    def strokes_changed(self) -> None:
        """New strokes: learn from them, or remember that they were not learned from."""
        self._strokes += 1
        self.stale = True
        self.agreement = None
        self._agreements.cancel()
        self._submit(fit=self.following, interrupt=True)

    def learn(self) -> None:
        """Learn from the strokes as they are, for example because their features are better now."""
        self._submit(fit=True)

    def predict(self) -> None:
        """Segment another plane, or show something else of it; learn only what is overdue."""
        self._submit(fit=self.stale and self.following)

    def adopt(self, probe: LinearProbe | None) -> None:
        """Go on with a probe that was loaded: it segments, and strokes correct it."""
        self._cancel_updates()
        self._take(probe)
        self.stale = bool(self._material.labelled())
        if probe is not None:
            self.finishing = probe.finishing

    def merge_kept(self, value: int, into: int) -> None:
        """Let what the loaded probe keeps of a class count as another one, for as long as that class is gone."""
        self._merged[value] = into
        self._on_classes()

    def finish(self, finishing: Cleaning) -> None:
        """Do something else to segmentations from now on; they are made anew."""
        if finishing != self.finishing:
            self.finishing = finishing
            learned = self.probe is not self.loaded
            self.loaded = self._finished(self.loaded)
            self.probe = self._finished(self.probe) if learned else self.loaded
            self.predict()

    def restart(self) -> None:
        """Features are made in another way: forget what was learned from the old ones, learn the strokes anew."""
        self._cancel_updates()
        self._agreements.cancel()
        self._take(None)
        self.agreement = self.seconds = None
        self.stale = bool(self._material.labelled())

    def close(self) -> None:
        """Stop all updates."""
        self._cancel_updates()
        self._agreements.cancel()

    def _finished(self, probe: LinearProbe | None) -> LinearProbe | None:
        """The probe, finishing as is chosen now: another one, for the old one made what is on view."""
        if probe is None or probe.finishing == self.finishing:
            return probe
        finished = copy.copy(probe)
        finished.finishing = self.finishing
        return finished

    def _take(self, probe: LinearProbe | None) -> None:
        self.loaded = self.probe = probe
        self._kept = KeptSamples() if probe is None else probe.kept
        self._merged, self._changes = {}, {}

    def keep_only(self, images: Collection[str]) -> None:
        """Forget what the loaded probe keeps of all images but some, by their ids: their strokes are here themselves.

        A stroke that is erased leaves no trace then.
        """
        kept = KeptSamples() if self.loaded is None else self.loaded.kept
        chosen = np.array([kept.sources[image].id in images for image in kept.images], bool)
        if self.loaded is None or chosen.all():
            return
        self.loaded, changes = copy.copy(self.loaded), self._changes
        self.loaded.kept = kept.subset(chosen)
        self._kept = self.loaded.kept.relabelled(changes) if changes else self.loaded.kept
        if not chosen.any():
            self.loaded, self._kept = None, KeptSamples()
        self.strokes_changed()

    def _on_classes(self) -> None:
        """A class that goes takes what is kept of it along; undo brings it back."""
        if self.loaded is None:
            return
        values = {int(value) for value in np.unique(self.loaded.kept.values)}
        changes = {value: self._merged.get(value, 0) for value in values - set(self._classes.values)}
        if changes != self._changes:
            self._changes = changes
            self._kept = self.loaded.kept.relabelled(changes) if changes else self.loaded.kept
            self.strokes_changed()

    def _cancel_updates(self) -> None:
        self._updates.cancel()
        self._rests.cancel()

    def _submit(self, *, fit: bool, interrupt: bool = False) -> None:
        labelled = self._material.labelled()
        request = UpdateRequest(
            labelled=labelled,
            classes=self._classes.infos,
            probe=self.probe,
            loaded=self.loaded,
            kept=self._kept,
            fit=fit,
            finishing=self.finishing,
            target=self._material.target(),
            show=self._view.show,
            shown_class=self._view.shown_class,
            images=self._known.of,
        )
        on_step = partial(self._on_step, self._strokes, request)
        self._rests.cancel()
        self._updates.submit(Job(partial(update, request), on_step, self._on_error), interrupt=interrupt)
        self.changed.emit()

    def _on_step(self, strokes: int, request: UpdateRequest, step: UpdateStep) -> None:
        match step:
            case Counted(pixels):
                self._classes.count(pixels)
            case Learned(probe):
                self.probe = self._finished(probe)
                self.stale = strokes != self._strokes
            case Unlearned(probe, waiting):
                self.probe = probe
                self.stale = False
                if self.probe is None and not waiting:
                    self.withdrawn.emit()
            case Drawn():
                self.drawn.emit(step)
                return
            case Waiting():
                return
            case Updated(seconds):
                self.seconds = seconds
                self._draw_rest(request)
                self._validate(request.labelled)
        self.changed.emit()

    def _draw_rest(self, request: UpdateRequest) -> None:
        """Segment what is not in view too, when nobody paints."""
        if self.probe is None or request.target is None or request.target.is_small:
            return
        work = partial(draw_rest, self.probe, request.target, request.show, request.shown_class)
        self._rests.submit(Job(work, self._on_rest, self._on_error, delay=REST_DELAY), interrupt=True)

    def _on_rest(self, step: Drawn | Waiting) -> None:
        if isinstance(step, Drawn):
            self.drawn.emit(step)

    def _validate(self, labelled: tuple[Labelled, ...]) -> None:
        """Hold out strokes to see how well they are predicted, beside everything else."""
        if self.probe is None or self.probe is self.loaded or self.stale:
            return
        work = partial(agreement_of_strokes, labelled, self.probe, self._known.of)
        judged = tuple(entry.plane for entry in labelled if entry.field is not None)
        job = Job(work, partial(self._on_agreement, judged), self._on_error, delay=VALIDATION_DELAY)
        self._agreements.submit(job, interrupt=True)

    def _on_agreement(self, judged: tuple[Plane, ...], agreement: Agreement | None) -> None:
        self.agreement, self.judged = agreement, judged
        self.changed.emit()

    def _on_error(self, error: Exception) -> None:
        self.failed.emit(error)
        self.changed.emit()
