"""What post-training costs: sorting and loss against the plain formulation, and whole steps stage by stage.

    python benchmarks/post_training_cost.py [--batch 16] [--size 224] [--steps 3] [--architecture NAME_IN_TIMM]

The plain formulation is diffsort as published: one call per pair of crops, dense matrices, plain autograd. Both
run on the same rows in processes of their own, so that peak memory is theirs alone; compare ratios, machines
differ. Whole steps are timed first, and then the stages of as many further ones by PyTorch's profiler, which slows
them a little: read the stages as shares. The floor of a step is the forward and backward pass of the bare backbone
on the student's crops. Weights are random, since time does not depend on their values. A GPU is used where there is
one.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from patchfield.backbones import export_checkpoint, random_vit
from training.data.sampler import StepSampler, load_batches
from training.data.windows import Batch
from training.engine.launch import RunContext, launch
from training.engine.step import Stepper
from training.neco.loss import rank_cross_entropy
from training.neco.objective import STAGES, NeCo
from training.neco.settings import NeCoSettings, settings_for
from training.neco.sorting.networks import Topology, sorting_network

REFERENCES, CELLS, PAIRS = 49, 49, 10
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
ACTIVITIES = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if DEVICE.type == "cuda" else [])]


def similarities(batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of the student and of the teacher as a step of that many images has them, (pairs, rows, references)."""
    generator = torch.Generator().manual_seed(0)
    teacher = 0.15 * torch.randn(PAIRS, batch * CELLS, REFERENCES, generator=generator)
    student = teacher + 0.05 * torch.randn(teacher.shape, generator=generator)
    return student.to(DEVICE), teacher.to(DEVICE)


def ours(batch: int, topology: Topology) -> dict[str, float]:
    student, teacher = (rows.flatten(0, 1) for rows in similarities(batch))
    student.requires_grad_()
    network = sorting_network(topology, REFERENCES)

    def run() -> torch.Tensor:
        loss = rank_cross_entropy(student, teacher, network)
        return torch.cat([loss[None], torch.autograd.grad(loss, student)[0].flatten()])

    return _measured(run)


def plain(batch: int, topology: Topology) -> dict[str, float]:
    from diffsort import DiffSortNet

    student, teacher = similarities(batch)
    student.requires_grad_()
    sorter = DiffSortNet(topology, REFERENCES, device=DEVICE, steepness=100)

    def run() -> torch.Tensor:
        losses = []
        for of_student, of_teacher in zip(student, teacher, strict=True):
            predicted = sorter(of_student)[1]
            with torch.no_grad():
                target = sorter(of_teacher)[1]
            losses.append(-(target * predicted.log()).sum(2).mean())
        loss = torch.stack(losses).mean()
        return torch.cat([loss[None], torch.autograd.grad(loss, student)[0].flatten()])

    return _measured(run)


def whole_steps(batch: int, size: int, steps: int, architecture: str) -> dict[str, float]:
    """Images per second, peak memory and the seconds of each stage of a step."""
    with tempfile.TemporaryDirectory() as folder:
        settings = _settings(Path(folder), batch, size, 2 * steps + 1, architecture)
        objective, context = _objective(settings)
        stepper, batches = Stepper(objective, context), _batches(objective)
        loaded: list[float] = []

        def step(number: int) -> None:
            waiting = time.perf_counter()
            images = Batch(*(tensor.to(DEVICE) for tensor in next(batches)))
            loaded.append(time.perf_counter() - waiting)
            stepper.step(images, number)

        def timed() -> None:
            for number in range(1, steps + 1):
                step(number)

        step(0)
        loaded.clear()
        seconds = _seconds(timed) / steps
        waited, memory = sum(loaded) / steps, _peak_memory()
        with profile(activities=ACTIVITIES) as profiled:
            for number in range(steps + 1, 2 * steps + 1):
                step(number)
            _synchronise()
        return {
            "step": seconds,
            "images per second": batch / seconds,
            "memory": memory,
            "waiting for images": waited,
            **_stage_seconds(profiled, steps),
        }


def _stage_seconds(profiled: profile, steps: int) -> dict[str, float]:
    """Seconds of each stage per step: of its kernels on a GPU, of the stage itself elsewhere."""
    events = {event.key: event for event in profiled.key_averages()}
    kind = "device_time_total" if DEVICE.type == "cuda" else "cpu_time_total"
    return {stage: getattr(events[stage], kind) / 1e6 / steps for stage in STAGES}


def one_sample(batch: int, size: int, steps: int, architecture: str) -> dict[str, float]:
    """Seconds that one core needs to read, crop and augment an image."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        samples = _objective(_settings(Path(folder), batch, size, 1, architecture))[0].dataset(workers=0)
        _ = samples[0]
        count = 10
        return {"sample": _seconds(lambda: [samples[index] for index in range(count)]) / count}


def floor(batch: int, size: int, steps: int, architecture: str) -> dict[str, float]:
    """Seconds and memory of the bare backbone's forward and backward pass on the student's crops."""
    with tempfile.TemporaryDirectory() as folder:
        settings = _settings(Path(folder), batch, size, 1, architecture)
        objective, _ = _objective(settings)
        crops = objective.settings.crops
    groups = [
        torch.rand(count * batch, 3, side, side, device=DEVICE)
        for count, side in ((crops.global_crops, crops.global_size), (crops.local_crops, crops.local_size))
    ]
    half = DEVICE.type == "cuda"

    def run(count: int) -> None:
        for _ in range(count):
            with torch.autocast(DEVICE.type, torch.bfloat16, enabled=half):
                means = [objective.student.backbone(group).grid.float().mean() for group in groups]
            torch.autograd.backward(torch.stack(means).sum())
            objective.student.zero_grad()

    run(1)
    return {"step": _seconds(lambda: run(steps)) / steps, "memory": _peak_memory()}


def _settings(folder: Path, batch: int, size: int, steps: int, architecture: str) -> NeCoSettings:
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (1024, 1024), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    vit = random_vit(architecture, device="cpu")
    export_checkpoint(folder / "init.safetensors", vit.transformer.vit.state_dict(), vit.spec)
    settings = settings_for(images=folder, init=str(folder / "init.safetensors"), output=folder / "run", batch=batch)
    whole = replace(settings.optimiser, trainable_blocks=None)
    return replace(settings, steps=steps, crops=replace(settings.crops, global_size=size), optimiser=whole)


def _objective(settings: NeCoSettings) -> tuple[NeCo, RunContext]:
    Path(settings.output).mkdir(exist_ok=True)
    context = RunContext(launch(settings), Path(settings.output), Console(quiet=True))
    return NeCo(settings, context), context


def _batches(objective: NeCo) -> Iterator[Batch]:
    settings = objective.settings
    workers = 1 if DEVICE.type == "cpu" else 8
    sampler = StepSampler(settings.batch, 0, settings.steps)
    return load_batches(objective.dataset(workers), sampler, workers, pinned=DEVICE.type == "cuda")


def _measured(run: Callable[[], torch.Tensor]) -> dict[str, float]:
    """Median seconds of three runs after a first one, memory above what was there before, and a checksum."""
    before = _peak_memory()
    checksum = run().double().abs().sum().item()
    seconds = [_seconds(run) for _ in range(3)]
    return {"seconds": float(np.median(seconds)), "memory": _peak_memory() - before, "checksum": checksum}


def _seconds(run: Callable[[], Any]) -> float:
    _synchronise()
    began = time.perf_counter()
    run()
    _synchronise()
    return time.perf_counter() - began


def _synchronise() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def _peak_memory() -> int:
    """Bytes: of the GPU's allocator, or of this process."""
    if DEVICE.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def alone(measure: Callable[..., dict[str, float]], *arguments: Any) -> dict[str, float]:
    """Run `measure` in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def show_sorting(console: Console, batch: int) -> None:
    table = Table(title=f"Sorting and loss, {PAIRS * batch * CELLS} rows of {REFERENCES} ({batch} images), {DEVICE}")
    for heading in ("network", "", "seconds", "memory", "faster", "less memory", "checksum"):
        table.add_column(heading)
    for topology in ("bitonic", "odd_even"):
        reference, mine = alone(plain, batch, topology), alone(ours, batch, topology)
        for name, found in (("plain diffsort", reference), ("ours", mine)):
            table.add_row(
                topology,
                name,
                f"{found['seconds']:.2f}",
                f"{found['memory'] / 2**20:.0f} MiB",
                f"{reference['seconds'] / found['seconds']:.1f} x",
                f"{reference['memory'] / max(found['memory'], 1):.1f} x",
                f"{found['checksum']:.3f}",
            )
    console.print(table)


def show_steps(console: Console, batch: int, size: int, steps: int, architecture: str) -> None:
    arguments = (batch, size, steps, architecture)
    found, lowest, sample = (alone(measure, *arguments) for measure in (whole_steps, floor, one_sample))
    table = Table(title=f"One step, {architecture}, {batch} images, global crops of {size} px, {DEVICE}")
    for heading in ("", "seconds", "share"):
        table.add_column(heading)
    for stage in ("waiting for images", *STAGES):
        table.add_row(stage, f"{found[stage]:.3f}", f"{found[stage] / found['step']:.1%}")
    table.add_row("whole step", f"{found['step']:.3f}", f"{found['images per second']:.2f} images/s")
    table.add_row(
        "bare backbone, forward and backward", f"{lowest['step']:.3f}", f"{lowest['step'] / found['step']:.1%}"
    )
    table.add_row("one image's crops on one core", f"{sample['sample']:.3f}", "in the background")
    console.print(table)
    memory = f"{found['memory'] / 2**30:.2f} GiB, bare backbone {lowest['memory'] / 2**30:.2f} GiB"
    console.print(f"Peak memory: {memory}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batch", type=int, default=64 if DEVICE.type == "cuda" else 16)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--steps", type=int, default=20 if DEVICE.type == "cuda" else 2)
    parser.add_argument("--architecture", default="vit_small_patch14_dinov2")
    parser.add_argument("--only", choices=("sorting", "steps"))
    chosen = parser.parse_args()
    console = Console(width=120)
    if chosen.only != "steps":
        show_sorting(console, chosen.batch)
    if chosen.only != "sorting":
        show_steps(console, chosen.batch, chosen.size, chosen.steps, chosen.architecture)


if __name__ == "__main__":
    main()
