"""Adapting a backbone to the user's own images: what is asked for, what goes on, what came out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from psygnal import Signal

from patchfield.backbones import find_weight, is_here
from patchfield.backbones.download import fetch
from patchfield.errors import PatchfieldError
from patchfield.field import FeatureRecipe
from patchfield.napari.adapt.order import Order, plan
from patchfield.napari.adapt.run import TrainingRun, unfinished_run
from patchfield.napari.jobs import Job, Reported, Slot, reports
from patchfield.napari.layers.export import write_layer
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.session.status import Progress
from patchfield.napari.workspace import Workspace
from patchfield.runs.folder import ExitCode, RunProgress
from patchfield.runs.process import SupervisedProcess

NO_BREAK = "\N{NO-BREAK SPACE}"
POLL = 0.5
"""Seconds between two checks of a process."""


class Phase(StrEnum):
    """The phases of an adaptation, in their order."""

    IDLE = "idle"
    STARTING = "starting"
    TRAINING = "training"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    FINISHED = "finished"


@dataclass(frozen=True)
class AdaptStatus:
    """A phase, the sentence that says it, and a progress while something goes on."""

    phase: Phase
    sentence: str = ""
    progress: Progress | None = None

    @property
    def is_busy(self) -> bool:
        return self.phase in (Phase.STARTING, Phase.TRAINING, Phase.STOPPING)


@dataclass(frozen=True)
class Preparing:
    """Something is done before the process starts: `what` is a sentence's beginning."""

    what: str
    progress: Progress


@dataclass(frozen=True)
class Started:
    """The process runs."""

    process: SupervisedProcess


@dataclass(frozen=True)
class Advanced:
    """The process has logged a further step."""

    progress: RunProgress


@dataclass(frozen=True)
class Ended:
    """The process has ended."""

    code: int


Message = Preparing | Started | Advanced | Ended
"""What the job of an adaptation reports."""


class Adapting:
    """Trains a backbone in a process of its own; painting goes on meanwhile.

    Nothing here raises: what is refused or fails becomes the sentence of :attr:`status`.

    Parameters
    ----------
    workspace : Workspace

    Attributes
    ----------
    status : AdaptStatus
        What goes on.
    run : TrainingRun or None
        The run that this is about.
    """

    changed = Signal()
    """The status has changed."""
    finished = Signal(str)
    """A backbone of that name is ready."""

    def __init__(self, workspace: Workspace) -> None:
        self.status = AdaptStatus(Phase.IDLE)
        self.run: TrainingRun | None = None
        self._workspace = workspace
        self._slot = Slot(workspace.runner)
        self._process: SupervisedProcess | None = None

    @property
    def can_resume(self) -> bool:
        return self.run is not None and not self.status.is_busy and self.run.is_resumable

    @property
    def in_use(self) -> bool:
        """Whether pixels are described by what was adapted."""
        return self.run is not None and self.run.name in [
            recipe.backbone for recipe in self._workspace.features.recipes
        ]

    def find_unfinished(self, root: Path) -> None:
        """Offer to resume what an earlier session left below a folder."""
        if self.status.phase is not Phase.IDLE:
            return
        self.run = unfinished_run(root)
        if self.run is not None:
            progress = self.run.progress
            sentence = f"'{self.run.name}' was interrupted at step {progress.step} of {progress.steps}."
            self._set(AdaptStatus(Phase.STOPPED, sentence))

    def start(self, order: Order) -> None:
        """Begin."""
        if self.status.is_busy:
            return
        try:
            run, sources = plan(order)
        except PatchfieldError as refusal:
            self._set(AdaptStatus(Phase.FAILED, str(refusal)))
            return
        self._launch(run, partial(_begin, run, sources))

    def resume(self) -> None:
        """Go on with the run that was stopped or interrupted."""
        if self.run is None or not self.can_resume:
            return
        run = TrainingRun.read(self.run.folder)
        if run is not None:
            self._launch(run, partial(_follow, run, resume=True))

    def stop(self) -> None:
        """End after the step that is being computed, with a checkpoint."""
        if self.status.phase is Phase.STOPPING or not self.status.is_busy:
            return
        if self._process is None:
            self._slot.cancel()
            self._set(AdaptStatus(Phase.STOPPED, "Stopped before the first step."))
        else:
            self._process.release()
            self._set(AdaptStatus(Phase.STOPPING, "Stopping after this step", self.status.progress))

    def use(self) -> None:
        """Describe pixels by the adapted backbone from now on."""
        if self.run is not None and self.run.is_finished:
            self._workspace.make_features(FeatureRecipe(self.run.name, self._workspace.features.recipes[0].sampling))

    def close(self) -> None:
        """Release the process: it ends by itself after its step, and can be resumed in a later session."""
        self._slot.cancel()
        if self._process is not None:
            self._process.release()

    def _launch(self, run: TrainingRun, work: partial) -> None:
        self.run, self._process = run, None
        self._set(AdaptStatus(Phase.STARTING, "Starting", Progress(0, 0, "steps")))
        self._slot.submit(Job(work, self._on_message, self._on_error), interrupt=True)

    def _on_message(self, message: Message) -> None:
        match message:
            case Preparing(what, progress):
                self._set(AdaptStatus(Phase.STARTING, f"{what}: {progress}", progress))
            case Started(process):
                self._process = process
                sentence = "Starting: loading backbone and images"
                self._set(AdaptStatus(Phase.STARTING, sentence, Progress(0, 0, "steps")))
            case Advanced(progress):
                self._on_progress(progress)
            case Ended(code):
                self._on_end(code)

    def _on_progress(self, run: RunProgress) -> None:
        progress = Progress(run.step, run.steps, "steps")
        if self.status.phase is Phase.STOPPING:
            self._set(AdaptStatus(Phase.STOPPING, self.status.sentence, progress))
        else:
            self._set(AdaptStatus(Phase.TRAINING, summary(run), progress))

    def _on_end(self, code: int) -> None:
        self._process = None
        assert self.run is not None
        if code == ExitCode.FINISHED:
            note = f" {self.run.message[:1].upper()}{self.run.message[1:]}" if self.run.message else ""
            self._set(AdaptStatus(Phase.FINISHED, f"'{self.run.name}' is ready, and in the list of backbones.{note}"))
            self.finished.emit(self.run.name)
        elif code == ExitCode.STOPPED:
            run = self.run.progress
            where = f"after step {run.step} of {run.steps}" if self.run.is_resumable else "before the first step"
            self._set(AdaptStatus(Phase.STOPPED, f"Stopped {where}."))
        else:
            self._set(AdaptStatus(Phase.FAILED, self.run.why_it_failed(code)))

    def _on_error(self, error: Exception) -> None:
        self._process = None
        if isinstance(error, PatchfieldError):
            self._set(AdaptStatus(Phase.FAILED, str(error)))
        elif isinstance(error, OSError):
            self._set(AdaptStatus(Phase.FAILED, f"The run's folder cannot be used ({error}): choose another one."))
        else:
            self._set(AdaptStatus(Phase.FAILED, f"Adapting failed: {error}"))
            self._workspace.on_error(error)

    def _set(self, status: AdaptStatus) -> None:
        if status != self.status:
            self.status = status
            self.changed.emit()


def summary(run: RunProgress) -> str:
    """How far a run is, in a line.

    Examples
    --------
    >>> summary(RunProgress(12, 200, 3.4123, 247.0)).replace(NO_BREAK, " ")
    'Step 12 of 200 · loss 3.412 · 4 min left'
    """
    parts = [f"Step {run.step} of {run.steps}"]
    if run.loss is not None:
        parts.append(f"loss {run.loss:.3f}")
    if run.seconds_left is not None:
        parts.append(f"{_duration(run.seconds_left)} left")
    return " · ".join(part.replace(" ", NO_BREAK) for part in parts)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _begin(run: TrainingRun, layers: dict[Path, LayerStack]) -> Iterator[Message]:
    """Download the backbone and write the images where that is still to do, then train."""
    run.write()
    yield from _download(run.init)
    total = sum(len(source.indices()) for source in layers.values())
    before = 0
    for path, source in layers.items():
        for done in write_layer(source, path):
            yield Preparing("Writing images", Progress(before + done, total, "planes"))
        before += len(source.indices())
    yield from _follow(run, resume=False)


def _download(backbone: str) -> Iterator[Message]:
    """Here rather than in the process, so that it shows how far it is."""
    weight = find_weight(backbone)
    if weight is None or is_here(weight):
        return

    def download(report: Callable[[Progress], None]) -> Path:
        return fetch(weight, progress=lambda done, total: report(Progress(done, total, "bytes")))

    for message in reports(download):
        if isinstance(message, Reported):
            yield Preparing("Downloading the backbone", message.value)


def _follow(run: TrainingRun, *, resume: bool) -> Iterator[Message]:
    """Start the process and report how far it is, until its end. Closing the generator releases the process."""
    process = run.start(resume=resume)
    try:
        yield Started(process)
        first = run.progress
        while (code := process.wait(POLL)) is None:
            progress = run.progress
            if progress != first:
                yield Advanced(progress)
        yield Ended(code)
    finally:
        process.release()
