"""Devices and processes of a run."""

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from rich.console import Console

from training.engine.settings import Precision, RunSettings
from training.engine.sharing import Sharing
from training.errors import TrainingError

_MAX_WORKERS = 8


@dataclass(frozen=True)
class RunContext:
    """Where a run takes place.

    Attributes
    ----------
    fabric : Fabric
        Launched.
    folder : Path
        The output folder.
    console : rich.console.Console
    """

    fabric: Fabric
    folder: Path
    console: Console

    @property
    def sharing(self) -> Sharing:
        """What the processes of the run tell each other."""
        return Sharing(self.fabric)

    @property
    def is_first(self) -> bool:
        """Whether this process speaks for all."""
        return self.fabric.is_global_zero


def is_first_process() -> bool:
    """Whether this is the first process of a run, before it is launched."""
    return int(os.environ.get("RANK", 0)) == 0


def launch(settings: RunSettings, bfloat16_on_cpu: bool = False) -> Fabric:
    """Fabric on the devices of this process, and of the others when started by torchrun.

    Raises
    ------
    TrainingError
        When there is no such device, or the processes cannot share a batch.
    """
    local, processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1)), int(os.environ.get("WORLD_SIZE", 1))
    if settings.batch % processes:
        raise TrainingError(
            f"a batch of {settings.batch} cannot be shared by {processes} processes: make --batch a multiple of them."
        )
    accelerator: str = settings.device
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    if accelerator == "cuda" and not torch.cuda.is_available():
        raise TrainingError("there is no CUDA device: use --device cpu, or check the driver.")
    bfloat16 = _uses_bfloat16(settings.precision, accelerator, bfloat16_on_cpu)
    fabric = Fabric(
        accelerator=accelerator,
        devices=local,
        num_nodes=processes // local,
        strategy="ddp" if processes > 1 else "auto",
        precision="bf16-mixed" if bfloat16 else "32-true",
    )
    fabric.launch()
    return fabric


def worker_count(settings: RunSettings) -> int:
    """Processes that load samples, for each training process: those asked for, or the cores that are left over."""
    if settings.workers is not None:
        return settings.workers
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(_MAX_WORKERS, cores // processes - 1))


def _uses_bfloat16(precision: Precision, accelerator: str, on_cpu: bool) -> bool:
    if precision != "auto":
        return precision == "bf16"
    if accelerator == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # On other CPUs bfloat16 is emulated, slower than float32. Older versions of torch cannot tell.
    return on_cpu and bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
