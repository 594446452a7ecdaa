"""Adapting a backbone to the user's own images: what is asked for, what goes on, what came out."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from psygnal import Signal

from patchfield.backbones import find_local
from patchfield.backbones.download import fetch
from patchfield.backbones.registry import find_weight
from patchfield.errors import PatchfieldError
from patchfield.napari.adapt_order import Order, planned
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import Job, Slot, reports
from patchfield.napari.layers.export import write_layer
from patchfield.napari.layers.stack import ImageSource
from patchfield.napari.leash import STOPPED
from patchfield.napari.segment.features import FeatureSpec
from patchfield.napari.session.status import Progress
from patchfield.napari.training_run import RunStatus, TrainingProcess, TrainingRun, unfinished_run

NO_BREAK = "\N{NO-BREAK SPACE}"
POLL = 0.5
"""Seconds between two looks at a process."""


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
class Standing:
    """A phase, the sentence that says it, and a progress where something goes on."""

    phase: Phase
    sentence: str = ""
    progress: Progress | None = None

    @property
    def is_busy(self) -> bool:
        return self.phase in (Phase.STARTING, Phase.TRAINING, Phase.STOPPING)


class Adapting:
    """Trains a backbone in a process of its own; painting goes on meanwhile.

    Nothing here raises: what is refused or fails becomes the sentence of :attr:`standing`.

    Parameters
    ----------
    controller : Controller

    Attributes
    ----------
    standing : Standing
        Where things stand.
    run : TrainingRun or None
        The run that this is about.
    """

    changed = Signal()
    """The standing is another."""
    finished = Signal(str)
    """A backbone of that name is there."""

    def __init__(self, controller: Controller) -> None:
        self.standing = Standing(Phase.IDLE)
        self.run: TrainingRun | None = None
        self._controller = controller
        self._slot = Slot(controller.runner)
        self._process: TrainingProcess | None = None

    @property
    def can_resume(self) -> bool:
        return self.run is not None and not self.standing.is_busy and self.run.is_resumable

    @property
    def in_use(self) -> bool:
        """Whether pixels are described by what was adapted."""
        return self.run is not None and self._controller.features.spec.backbone == self.run.name

    def look_for_unfinished(self, root: Path) -> None:
        """Offer to resume what an earlier session left below a folder."""
        if self.standing.phase is not Phase.IDLE:
            return
        self.run = unfinished_run(root)
        if self.run is not None:
            status = self.run.status
            sentence = f"'{self.run.name}' was interrupted at step {status.step} of {status.steps}."
            self._tell(Standing(Phase.STOPPED, sentence))

    def start(self, order: Order) -> None:
        """Begin."""
        if self.standing.is_busy:
            return
        try:
            run, sources = planned(order)
        except PatchfieldError as refusal:
            self._tell(Standing(Phase.FAILED, str(refusal)))
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
        if self.standing.phase is Phase.STOPPING or not self.standing.is_busy:
            return
        if self._process is None:
            self._slot.cancel()
            self._tell(Standing(Phase.STOPPED, "Stopped before the first step."))
        else:
            self._process.stop()
            self._tell(Standing(Phase.STOPPING, "Stopping after this step", self.standing.progress))

    def use(self) -> None:
        """Describe pixels by the adapted backbone from now on."""
        if self.run is not None and self.run.is_finished:
            self._controller.make_features(FeatureSpec(self.run.name, self._controller.features.spec.sampling))

    def close(self) -> None:
        """Let go of the process: it ends by itself after its step, and can be resumed in a later session."""
        self._slot.cancel()
        if self._process is not None:
            self._process.stop()

    def _launch(self, run: TrainingRun, work: partial) -> None:
        self.run, self._process = run, None
        self._tell(Standing(Phase.STARTING, "Starting", Progress(0, 0, "steps")))
        self._slot.submit(Job(work, self._on_step, self._on_error), interrupt=True)

    def _on_step(self, step: Progress | TrainingProcess | RunStatus | int) -> None:
        if isinstance(step, Progress):
            what = "Downloading the backbone" if step.unit == "bytes" else "Writing images"
            self._tell(Standing(Phase.STARTING, f"{what}: {step}", step))
        elif isinstance(step, TrainingProcess):
            self._process = step
            self._tell(Standing(Phase.STARTING, "Starting: loading backbone and images", Progress(0, 0, "steps")))
        elif isinstance(step, RunStatus):
            self._on_status(step)
        else:
            self._on_end(step)

    def _on_status(self, status: RunStatus) -> None:
        progress = Progress(status.step, status.steps, "steps")
        if self.standing.phase is Phase.STOPPING:
            self._tell(Standing(Phase.STOPPING, self.standing.sentence, progress))
        else:
            self._tell(Standing(Phase.TRAINING, describe(status), progress))

    def _on_end(self, code: int) -> None:
        self._process = None
        assert self.run is not None
        if code == 0:
            note = f" {self.run.message[:1].upper()}{self.run.message[1:]}" if self.run.message else ""
            self._tell(Standing(Phase.FINISHED, f"'{self.run.name}' is ready, and in the list of backbones.{note}"))
            self.finished.emit(self.run.name)
        elif code == STOPPED:
            status = self.run.status
            where = f"after step {status.step} of {status.steps}" if self.run.is_resumable else "before the first step"
            self._tell(Standing(Phase.STOPPED, f"Stopped {where}."))
        else:
            self._tell(Standing(Phase.FAILED, self.run.why_it_failed(code)))

    def _on_error(self, error: Exception) -> None:
        self._process = None
        if isinstance(error, PatchfieldError):
            self._tell(Standing(Phase.FAILED, str(error)))
        elif isinstance(error, OSError):
            self._tell(Standing(Phase.FAILED, f"The run's folder cannot be used ({error}): choose another one."))
        else:
            self._tell(Standing(Phase.FAILED, f"Adapting failed: {error}"))
            self._controller.on_error(error)

    def _tell(self, standing: Standing) -> None:
        if standing != self.standing:
            self.standing = standing
            self.changed.emit()


def describe(status: RunStatus) -> str:
    """How far a run is, in a line.

    Examples
    --------
    >>> describe(RunStatus(12, 200, 3.4123, 247.0)).replace(NO_BREAK, " ")
    'Step 12 of 200 · loss 3.412 · 4 min left'
    """
    parts = [f"Step {status.step} of {status.steps}"]
    if status.loss is not None:
        parts.append(f"loss {status.loss:.3f}")
    if status.seconds_left is not None:
        parts.append(f"{_duration(status.seconds_left)} left")
    return " · ".join(part.replace(" ", NO_BREAK) for part in parts)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _begin(run: TrainingRun, layers: dict[Path, ImageSource]) -> Iterator[Progress | TrainingProcess | RunStatus | int]:
    """Download the backbone and write the images where that is still to do, then train."""
    run.write()
    yield from _download(run.init)
    total = sum(len(list(source.indices())) for source in layers.values())
    before = 0
    for path, source in layers.items():
        for done in write_layer(source, path):
            yield Progress(before + done, total, "planes")
        before += len(list(source.indices()))
    yield from _follow(run, resume=False)


def _download(backbone: str) -> Iterator[Progress]:
    """Here rather than in the process, so that it shows how far it is."""
    weight = find_weight(backbone)
    if weight is None or find_local(weight) is not None:
        return
    for kind, value in reports(
        lambda report: fetch(weight, progress=lambda done, total: report(Progress(done, total, "bytes")))
    ):
        if kind == "report":
            yield value


def _follow(run: TrainingRun, *, resume: bool) -> Iterator[TrainingProcess | RunStatus | int]:
    """Start the process and tell how far it is; its exit code comes last. Whoever stops listening lets it go."""
    process = run.start(resume=resume)
    try:
        yield process
        first = run.status
        while (code := process.wait(POLL)) is None:
            status = run.status
            if status != first:
                yield status
        yield code
    finally:
        process.stop()
