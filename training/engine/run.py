"""A whole run: images in, post-trained backbones out; resumable, on one device or many."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from rich.console import Console
from rich.progress import track

import patchfield
from patchfield.atomic import atomic_path
from patchfield.evaluate.micrographs import labelled_sets
from training.data.collection import Collection, image_files, open_collection
from training.data.windows import Batch, StepSampler, Tiles, tile_loader
from training.engine.checkpoint import FILE, read_checkpoint, write_checkpoint
from training.engine.export import check_name, export
from training.engine.logs import RunLog
from training.engine.signals import stop_signals
from training.errors import TrainingError
from training.monitor.features import FeatureMonitor
from training.neco.objective import PostTraining, StepResult, one_sentence_when_memory_is_full
from training.neco.settings import RunSettings
from training.networks.student_teacher import Start, load_start

RUN = "run.json"
_INDEX = "images.json"
_MOST_WORKERS = 8


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes
    ----------
    exported : tuple of Path
        Teacher and student; empty when the run was stopped before it was done, and in all processes but the first.
    message : str
        Empty, or one sentence about what ended the run early.
    """

    exported: tuple[Path, ...]
    message: str = ""


def train(settings: RunSettings, console: Console | None = None) -> Outcome:
    """Run the post-training that the settings describe.

    Under ``torchrun`` every process calls this with the same settings.

    Returns
    -------
    Outcome

    Raises
    ------
    PatchfieldError
        When images, backbone or settings cannot be used, with one sentence that says what to do.

    Examples
    --------
    >>> from training.neco.settings import settings_for
    >>> train(settings_for(images="micrographs", init="dinov2-small", output="adapted"))      # doctest: +SKIP
    """
    console = console or Console(stderr=True)
    check_name(settings.model_name)
    output = Path(settings.output)
    if (output / FILE).exists() and not settings.resume:
        raise TrainingError(f"{output} already holds a run: add --resume true, or choose another --output.")
    fabric = launch(settings)
    start = load_start(settings)
    settings = settings.for_patch(start.spec.patch)
    with fabric.rank_zero_first():
        collection = _open_images(settings, console, fabric.is_global_zero)
    training = PostTraining(settings, start, fabric)
    resumed = read_checkpoint(output, settings) if settings.resume else None
    first_step = 0
    if resumed is not None:
        first_step, state = resumed
        training.load_state_dict(state)
    if fabric.is_global_zero:
        _describe_run(settings, start, collection, fabric)
    fabric.barrier()
    done, message = _Loop(settings, training, collection, fabric, console).run(first_step)
    fabric.barrier()
    if not fabric.is_global_zero or done is None:
        return Outcome((), message)
    return Outcome(tuple(export(settings, training.student, training.teacher, done)), message)


def launch(settings: RunSettings) -> Fabric:
    """Fabric on the devices of this process, and of the others when started by torchrun."""
    local, processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1)), int(os.environ.get("WORLD_SIZE", 1))
    if settings.batch % processes:
        raise TrainingError(
            f"{settings.batch} images per step cannot be shared by {processes} processes: make --batch a multiple."
        )
    accelerator = settings.device
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    if accelerator == "cuda" and not torch.cuda.is_available():
        raise TrainingError("there is no CUDA device: use --device cpu, or check the driver.")
    fabric = Fabric(
        accelerator=accelerator,
        devices=local,
        num_nodes=processes // local,
        strategy="ddp" if processes > 1 else "auto",
        precision="bf16-mixed" if _uses_bfloat16(settings, accelerator) else "32-true",
    )
    fabric.launch()
    return fabric


class _Loop:
    """Steps, logs, measurements and checkpoints, until the last step, a signal or a collapse."""

    def __init__(
        self,
        settings: RunSettings,
        training: PostTraining,
        collection: Collection,
        fabric: Fabric,
        console: Console,
    ) -> None:
        self._settings, self._training, self._fabric, self._console = settings, training, fabric, console
        self._collection = collection
        self._output = Path(settings.output)
        self._monitor = None
        if fabric.is_global_zero:
            self._monitor = FeatureMonitor(settings, training.start, collection, fabric.device)

    def run(self, first_step: int) -> tuple[int | None, str]:
        """Train.

        Returns
        -------
        done : int or None
            Number of steps behind the weights that are to be exported; None when there are none yet.
        message : str
            What ended the run early.
        """
        log = None
        if self._fabric.is_global_zero:
            log = RunLog(self._output, self._settings.steps, first_step, self._console)
        with stop_signals() as stop, log or nullcontext():
            if self._monitor is not None and log is not None and first_step == 0:
                log.step(0, self._monitor.initial.named(), seconds_left=None)
            began = time.monotonic()
            for step, batch in enumerate(self._batches(first_step), start=first_step):
                with one_sentence_when_memory_is_full(self._settings):
                    result = self._training.step(batch, step)
                done = step + 1
                pace = (time.monotonic() - began) / (done - first_step)
                healthy = log is None or self._log(log, result, step, pace)
                if self._any(not healthy):
                    return self._go_back(done)
                stopped = self._any(bool(stop)) and done < self._settings.steps
                if stopped or done % self._settings.checkpoint_every == 0 or done == self._settings.steps:
                    self._checkpoint(done)
                if stopped:
                    return None, f"stopped after step {done} of {self._settings.steps}: add --resume true to go on."
        return self._settings.steps, ""

    def _log(self, log: RunLog, result: StepResult, step: int, pace: float) -> bool:
        """Log what is due after a step that took `pace` seconds; whether the features are still healthy."""
        settings, done = self._settings, step + 1
        is_last = done == settings.steps
        features = None
        if self._monitor is not None and (done % settings.monitor_every == 0 or is_last):
            features = self._monitor.measure(self._training.student.backbone)
        if done % settings.log_every and features is None:
            log.advance(done)
            return True
        measured = {**self._training.measures(result, step), "images_per_second": settings.batch / pace}
        if features is not None:
            measured |= features.named()
        log.step(done, measured, seconds_left=(settings.steps - done) * pace)
        return features is None or self._monitor is None or not self._monitor.has_collapsed(features)

    def _go_back(self, done: int) -> tuple[int, str]:
        """Take the last checkpoint up again, which was written while the features were healthy."""
        last = read_checkpoint(self._output, self._settings)
        if last is None:
            raise TrainingError(
                f"the features collapsed by step {done}, before the first checkpoint: lower optimiser.learning_rate."
            )
        step, state = last
        self._training.load_state_dict(state)
        return step, f"the features collapsed by step {done}: what is exported is the state after step {step}."

    def _any(self, flag: bool) -> bool:
        return self._training.sharing.any(flag)

    def _checkpoint(self, done: int) -> None:
        if self._fabric.is_global_zero:
            write_checkpoint(self._output, self._settings, done, self._training.state_dict())
        self._fabric.barrier()

    def _batches(self, first_step: int) -> Iterator[Batch]:
        settings, fabric = self._settings, self._fabric
        workers = settings.workers if settings.workers is not None else _spare_cores()
        tiles = Tiles(
            self._collection,
            settings.crops,
            settings.augmentation,
            settings.tiles,
            settings.teacher.clean,
            settings.seed,
            workers,
        )
        sampler = StepSampler(settings.batch, first_step, settings.steps, fabric.global_rank, fabric.world_size)
        for batch in tile_loader(tiles, sampler, workers, pinned=fabric.device.type == "cuda"):
            yield Batch(*(tensor.to(fabric.device, non_blocking=True) for tensor in batch))


def _open_images(settings: RunSettings, console: Console, speaks: bool) -> Collection:
    held_out = []
    if settings.labels is not None:
        held_out = [labelled.image for each in labelled_sets(settings.labels) for labelled in each.test]
    files = image_files(settings.sources, held_out)
    least_side = settings.tiles.least_side or settings.crops.global_size
    index = Path(settings.output) / _INDEX
    if not speaks:
        return open_collection(files, settings.tiles.image_settings, least_side, index)
    shown = track(files, "opening images", console=console, transient=True, disable=not console.is_terminal)
    collection = open_collection(shown, settings.tiles.image_settings, least_side, index)
    console.print(f"{len(collection.planes)} image(s) from {len(files)} file(s)", highlight=False)
    if collection.left_out:
        others = f" (and {len(collection.left_out) - 1} more, see {index})" if len(collection.left_out) > 1 else ""
        console.print(f"Left out: {collection.left_out[0]}{others}", highlight=False, soft_wrap=True)
    return collection


def _describe_run(settings: RunSettings, start: Start, collection: Collection, fabric: Fabric) -> None:
    description = {
        "settings": settings.to_json(),
        "settings_fingerprint": settings.fingerprint(),
        "init_fingerprint": start.fingerprint,
        "images": len(collection.planes),
        "images_fingerprint": collection.fingerprint(),
        "left_out": list(collection.left_out),
        "versions": {"patchfield": patchfield.__version__, "torch": torch.__version__},
        "device": str(fabric.device),
        "processes": fabric.world_size,
    }
    with atomic_path(Path(settings.output) / RUN) as temporary:
        temporary.write_text(json.dumps(description, indent=1))


def _uses_bfloat16(settings: RunSettings, accelerator: str) -> bool:
    if settings.precision == "auto":
        return accelerator == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return settings.precision == "bf16"


def _spare_cores() -> int:
    """Loading workers of each process: the cores that the processes of this machine leave, at most eight."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(_MOST_WORKERS, cores // processes - 1))
