"""A whole run: the only loop. Settings and an objective in, trained backbones out; resumable, on one device or many."""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import torch
from rich.console import Console

import patchfield
from patchfield.atomic import atomic_path
from patchfield.errors import PatchfieldError
from patchfield.runs.folder import CHECKPOINT, DESCRIPTION, hold, read_json
from training.data.sampler import StepSampler, load_batches
from training.engine.checkpoint import read_checkpoint, write_checkpoint
from training.engine.export import check_finite, check_room, check_target, export
from training.engine.launch import RunContext, is_first_process, launch, worker_count
from training.engine.logs import RunLog
from training.engine.objective import BatchT, Monitor, Objective, SettingsT
from training.engine.signals import stop_signals
from training.engine.step import StepOutcome, Stepper, explained_memory_errors
from training.errors import TrainingError


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes
    ----------
    exported : tuple of Path
        The trained networks, the one to use first; empty when the run was stopped before it was done, and in all
        processes but the first.
    message : str
        Empty, or one sentence about what ended the run early.
    """

    exported: tuple[Path, ...]
    message: str = ""


def train(kind: type[Objective[SettingsT, BatchT]], settings: SettingsT, console: Console | None = None) -> Outcome:
    """Train what the settings describe.

    Under ``torchrun`` every process calls this with the same settings.

    Parameters
    ----------
    kind : type of Objective
    settings : RunSettings
        Of that objective.
    console : rich.console.Console, optional

    Returns
    -------
    Outcome

    Raises
    ------
    PatchfieldError
        When images, networks, folders or settings cannot be used, with one sentence that says what to do.
    """
    console = console or Console(stderr=True)
    folder = Path(settings.output)
    with held(folder), _explained_write_errors(folder):
        return _train(kind, settings, console, folder)


def held(folder: Path) -> AbstractContextManager[None]:
    """Hold the folder of a run in the first process, which writes for all.

    Raises
    ------
    RunError
        When another run is at work in it.
    """
    return hold(folder) if is_first_process() else nullcontext()


def _train(kind: type[Objective[SettingsT, BatchT]], settings: SettingsT, console: Console, folder: Path) -> Outcome:
    if (folder / CHECKPOINT).exists() and not settings.resume:
        raise TrainingError(f"{folder} already holds a run: add --resume true, or choose another --output.")
    earlier = _read_description(folder) if settings.resume else {}
    run = str(earlier.get("run") or secrets.token_hex(8))
    if is_first_process():
        check_target(settings, run)
    context = RunContext(launch(settings, kind.bfloat16_on_cpu), folder, console)
    with explained_memory_errors(lambda: " before the first step: use a smaller network, or another device."):
        objective = kind(settings, context)
        stepper = Stepper(objective, context)
    settings = objective.settings
    first_step = 0
    if settings.resume and (checkpoint := read_checkpoint(folder, settings)) is not None:
        first_step, state = checkpoint
        _check_inputs(objective, earlier, folder)
        stepper.load_state_dict(state)
    for network in objective.networks():
        check_finite(network)
    if context.is_first:
        check_room(folder, stepper, objective.networks(), is_resumed=first_step > 0)
        _describe_run(objective, context, run)
    context.fabric.barrier()
    done, message = _Loop(stepper, context).run(first_step)
    context.fabric.barrier()
    if not context.is_first or done is None:
        return Outcome((), message)
    written, note = export(objective, done, run)
    return Outcome(tuple(written), " ".join(filter(None, (message, note))))


class _Loop(Generic[BatchT]):
    """Steps, logs, measurements and checkpoints, until the last step, a signal or a collapse."""

    def __init__(self, stepper: Stepper[BatchT], context: RunContext) -> None:
        self._stepper = stepper
        self._objective = stepper.objective
        self._settings = stepper.objective.settings
        self._context = context
        self._sharing = context.sharing
        self._monitor: Monitor | None = stepper.objective.monitor() if context.is_first else None
        self._recent: list[dict[str, float]] = []

    def run(self, first_step: int) -> tuple[int | None, str]:
        """Train.

        Returns
        -------
        done : int or None
            Number of steps behind the weights that are to be exported; None when there are none yet.
        message : str
            What ended the run early.
        """
        settings = self._settings
        log = None
        if self._context.is_first:
            title = self._objective.title
            log = RunLog(self._context.folder, settings.steps, first_step, self._context.console, title)
        with stop_signals() as stop, log or nullcontext():
            if log is not None and self._monitor is not None and first_step == 0:
                log.step(0, self._monitor.initial.measures, seconds_left=None)
            began = time.monotonic()
            for step, batch in enumerate(self._batches(first_step), start=first_step):
                outcome = self._stepper.step(batch, step)
                done = step + 1
                pace = (time.monotonic() - began) / (done - first_step)
                healthy = log is None or self._log(log, outcome, done, pace)
                if self._sharing.any(not healthy):
                    return self._go_back(done)
                stopped = self._sharing.any(bool(stop)) and done < settings.steps
                if stopped or done % settings.checkpoint_every == 0 or done == settings.steps:
                    self._checkpoint(done)
                if stopped:
                    return None, f"stopped after step {done} of {settings.steps}: add --resume true to go on."
        return settings.steps, ""

    def _log(self, log: RunLog, outcome: StepOutcome, done: int, pace: float) -> bool:
        """Log what is due after steps that took `pace` seconds each; whether the network is still healthy."""
        settings = self._settings
        self._recent.append({name: value.item() for name, value in outcome.result.averaged.items()})
        is_last = done == settings.steps
        health = None
        if self._monitor is not None and (done % self._monitor.every == 0 or is_last):
            health = self._monitor.measure()
        if done % settings.log_every and not is_last and health is None:
            log.advance(done)
            return True
        measured = {"loss": outcome.loss.item(), **outcome.result.sampled(), **_means(self._recent)}
        measured |= self._stepper.rates()
        measured[f"{self._objective.samples}_per_second"] = settings.batch / pace
        if outcome.gradient_norm is not None:
            measured["gradient_norm"] = float(outcome.gradient_norm)
        if health is not None:
            measured |= health.measures
        self._recent = []
        log.step(done, measured, seconds_left=(settings.steps - done) * pace)
        return health is None or not health.has_collapsed

    def _go_back(self, done: int) -> tuple[int, str]:
        """Take the last checkpoint up again, which was written while the network was healthy."""
        last = read_checkpoint(self._context.folder, self._settings)
        if last is None:
            raise TrainingError(
                f"the features collapsed by step {done}, before the first checkpoint: lower "
                f"{self._objective.rate_option}."
            )
        step, state = last
        self._stepper.load_state_dict(state)
        return step, f"the features collapsed by step {done}: what is exported is the state after step {step}."

    def _checkpoint(self, done: int) -> None:
        if self._context.is_first:
            write_checkpoint(self._context.folder, self._settings, done, self._stepper.state_dict())
        self._context.fabric.barrier()

    def _batches(self, first_step: int) -> Iterator[BatchT]:
        settings, fabric = self._settings, self._context.fabric
        workers = worker_count(settings)
        dataset = self._objective.dataset(workers)
        sampler = StepSampler(settings.batch, first_step, settings.steps, fabric.global_rank, fabric.world_size)
        for batch in load_batches(dataset, sampler, workers, pinned=fabric.device.type == "cuda"):
            yield _on_device(batch, fabric.device)


def _on_device(batch: BatchT, device: torch.device) -> BatchT:
    """A named tuple of tensors on another device."""
    return type(batch)(*(tensor.to(device, non_blocking=True) for tensor in batch))


def _means(lines: list[dict[str, float]]) -> dict[str, float]:
    return {name: sum(line[name] for line in lines) / len(lines) for name in lines[0]}


def _read_description(folder: Path) -> dict[str, Any]:
    """What an earlier start wrote about the run; empty where it wrote nothing."""
    path = folder / DESCRIPTION
    read = read_json(path)
    if read is None and path.exists():
        raise TrainingError(f"{path} cannot be read: remove it, or choose another --output.")
    return read or {}


def _check_inputs(objective: Objective[SettingsT, BatchT], earlier: dict[str, Any], folder: Path) -> None:
    """Refuse to resume with other images or another initial network than the run began with."""
    changed = [
        "another initial network" if name == "init" else f"other {name}"
        for name, fingerprint in objective.inputs.items()
        if earlier.get(f"{name}_fingerprint", fingerprint) != fingerprint
    ]
    if changed:
        raise TrainingError(
            f"the run in {folder} began with {' and '.join(changed)}: put back what it began with, or choose another "
            "--output."
        )


def _describe_run(objective: Objective[SettingsT, BatchT], context: RunContext, run: str) -> None:
    description = {
        "run": run,
        "settings": objective.settings.to_json(),
        "settings_fingerprint": objective.settings.fingerprint(),
        **{f"{name}_fingerprint": fingerprint for name, fingerprint in objective.inputs.items()},
        **objective.facts,
        "versions": {"patchfield": patchfield.__version__, "torch": torch.__version__},
        "device": str(context.fabric.device),
        "processes": context.fabric.world_size,
    }
    with atomic_path(context.folder / DESCRIPTION) as temporary:
        temporary.write_text(json.dumps(description, indent=1), encoding="utf-8")


@contextmanager
def _explained_write_errors(folder: Path) -> Iterator[None]:
    """Turn a full or read-only disk into one sentence; everything that is read has its own errors."""
    try:
        yield
    except PatchfieldError:
        raise
    except OSError as error:
        where = error.filename or folder
        raise TrainingError(
            f"{where} cannot be written ({error.strerror or error}): make room, then go on with --resume true, or "
            "choose another --output."
        ) from error
