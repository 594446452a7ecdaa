"""NeCo: what the networks see, how their patches are ranked, what is learned from it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import log
from pathlib import Path
from typing import Any, ClassVar

import torch
from rich.console import Console
from torch import Tensor
from torch.profiler import record_function

from patchfield.backbones.attention import use_xformers
from training.data.windows import Batch, CropDataset
from training.engine.launch import RunContext
from training.engine.objective import ExportedNetwork, Monitor, Objective, Optimisation, Stateful, StepResult
from training.monitor.features import FeatureMonitor, WatchedCrops
from training.neco.align import align_student, align_teacher
from training.neco.loss import pair_weights, rank_cross_entropy, rank_entropy, similarity
from training.neco.masks import foreground, fully_inside
from training.neco.references import References
from training.neco.settings import PRESETS, NeCoSettings
from training.neco.sorting.networks import sorting_network
from training.neco.steepness import SteepnessSchedule, spreads
from training.networks.export import teacher_and_student
from training.networks.post_training import compare_with_start, open_collection
from training.networks.start import load_start
from training.networks.student_teacher import follow, student_and_teacher

_SAMPLED_ROWS = 512
STAGES = ("teacher", "student", "align", "references", "sorting and loss", "backward", "update")
"""Labels of a step's parts in profiles."""


@dataclass(frozen=True)
class Aligned:
    """What student and teacher say about the cells that their crops share.

    Attributes
    ----------
    teacher, student : Tensor (pairs, B, cells, channels)
        Projected features of the same parts of the images.
    mask : Tensor (pairs, B, cells) bool, or None
        Which cells count; None is all.
    """

    teacher: Tensor
    student: Tensor
    mask: Tensor | None


@dataclass(frozen=True)
class Rows:
    """What is ranked.

    Attributes
    ----------
    student, teacher : Tensor (rows, references)
        Similarities of each cell to the same reference patches.
    weights : Tensor (rows,), or None
        Of the rows in the loss; None weighs all alike.
    """

    student: Tensor
    teacher: Tensor
    weights: Tensor | None


class NeCo(Objective[NeCoSettings, Batch]):
    """Post-train a backbone on your own micrographs.

    Adapts a vision transformer to unlabelled images by patch neighbour consistency (NeCo, arXiv 2408.11054).
    """

    Settings = NeCoSettings
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS
    title = "post-training"
    rate_option = "optimiser.learning_rate"

    def __init__(self, settings: NeCoSettings, context: RunContext) -> None:
        start = load_start(settings.init, settings.init_network, settings.drop_registers, settings.positions)
        settings = settings.for_patch(start.spec.patch)
        with context.fabric.rank_zero_first():
            self.collection = open_collection(settings, context)
        self.settings = settings
        self.init = settings.init
        self.inputs = {"init": start.fingerprint, "images": self.collection.fingerprint()}
        self.facts = {"images": len(self.collection.planes), "left_out": list(self.collection.left_out)}
        self.network = sorting_network(settings.loss.network, settings.loss.references)
        self.steepness = SteepnessSchedule(settings.loss)
        self.references = References(settings.loss, settings.crops, settings.head.channels, context.sharing)
        self.student, self.teacher = student_and_teacher(
            start, settings.head, settings.teacher, settings.optimiser, settings.seed, settings.recompute
        )
        if context.fabric.device.type == "cuda":
            use_xformers(self.student.backbone.vit)
            use_xformers(self.teacher.backbone.vit)
        context.fabric.to_device(self.teacher)
        self._project = context.fabric.setup_module(self.student)
        if self.references.queue is not None:
            context.fabric.to_device(self.references.queue)
        self._start = start
        self._fabric = context.fabric
        self._sharing = context.sharing

    def optimisation(self) -> Optimisation:
        """Backbone and head of the student."""
        return self.settings.optimiser.optimisation_of(self.student)

    def dataset(self, workers: int) -> CropDataset:
        """Crops of windows of the images."""
        return CropDataset(self.collection, self.settings.samples, workers)

    def forward(self, batch: Batch, step: int, generator: torch.Generator) -> StepResult:
        """Compare the student's rankings with the teacher's."""
        rows = self.rank(batch, generator)
        if not self.steepness.settled:
            self.steepness.observe(self._sharing.gathered(spreads(rows.teacher), dim=0))
        with record_function("sorting and loss"):
            loss = rank_cross_entropy(
                rows.student, rows.teacher, self.network, self.steepness.student, self.steepness.teacher, rows.weights
            )
        detached = Rows(rows.student.detach(), rows.teacher, None)
        return StepResult(loss, sampled=partial(self._measures, detached, step))

    def before_update(self, step: int) -> None:
        """The teacher follows before the student moves, as published."""
        follow(self.teacher, self.student, self.settings.teacher.momentum_at(step, self.settings.steps))

    def parts(self) -> Mapping[str, Stateful]:
        """Both networks, what the steepness has seen, and the queue of references."""
        parts: dict[str, Stateful] = {
            "student": self.student,
            "teacher": self.teacher,
            "steepness": self.steepness,
        }
        if self.references.queue is not None:
            parts["queue"] = self.references.queue
        return parts

    def networks(self) -> Sequence[ExportedNetwork]:
        """The teacher, and the student."""
        return teacher_and_student(self.teacher.backbone, self.student.backbone, self.settings.init)

    def monitor(self) -> Monitor:
        """Watches the student's features."""
        settings = self.settings
        crops = WatchedCrops.from_collection(self.collection, settings.samples)
        return FeatureMonitor(
            self.student.backbone, self._start, crops, settings.monitor_every, settings.seed, self._fabric.device
        )

    def memory_advice(self) -> str:
        """Which options to turn down."""
        settings = self.settings
        return (
            f" at {settings.batch} images per step and crops of {settings.crops.global_size} pixels: lower --batch or "
            f"--crops.global_size{'' if settings.recompute else ', set --recompute true'}, train fewer blocks "
            "(--optimiser.trainable_blocks), or use more GPUs with torchrun."
        )

    @classmethod
    def evaluation(cls, settings: NeCoSettings) -> Callable[[Path, Console], None] | None:
        """Compare the trained teacher with the backbone that it started from, on labelled images."""
        return None if settings.labels is None else partial(compare_with_start, settings)

    def rank(self, batch: Batch, generator: torch.Generator) -> Rows:
        """Similarities of the cells of student and teacher to the same references."""
        with record_function("teacher"), torch.no_grad(), self._fabric.autocast():
            shown = batch.teacher_crops()
            (teacher,) = self.teacher([shown])
            attention = None if self.settings.loss.mask == "all" else self.teacher.backbone.attention(shown)
        with record_function("student"):
            student = self._project(batch.student_crops())
        with record_function("align"):
            aligned = self._align(teacher, student, attention, batch.boxes)
        with record_function("references"):
            references = self.references.for_pairs(teacher, aligned.teacher, generator, aligned.mask)
            return self._rows(aligned, references, generator)

    def _align(self, teacher: Tensor, student: list[Tensor], attention: Tensor | None, boxes: Tensor) -> Aligned:
        crops, patch, cells = self.settings.crops, self._start.spec.patch, self.settings.loss.cells
        mask = None
        if attention is not None:
            chosen = foreground(attention)
            if self.settings.loss.mask == "bg":
                chosen = ~chosen
            mask = fully_inside(align_teacher(chosen[:, None].float(), boxes, crops, patch, cells))
        return Aligned(
            align_teacher(teacher, boxes, crops, patch, cells),
            align_student(student, boxes, crops, patch, cells),
            mask,
        )

    def _rows(self, aligned: Aligned, references: Tensor, generator: torch.Generator) -> Rows:
        kind = self.settings.loss.similarity
        references = references.flatten(0, 1)
        student, teacher = (
            similarity(cells.flatten(0, 1), references, kind).flatten(0, 1)
            for cells in (aligned.student, aligned.teacher)
        )
        if self.settings.loss.shuffled_targets:
            order = torch.randperm(len(teacher), generator=generator)
            teacher = teacher[order.to(teacher.device)]
        if aligned.mask is None:
            return Rows(student, teacher, None)
        kept = self._sharing.mean(aligned.mask.flatten(1).sum(1).float())
        return Rows(student, teacher, pair_weights(aligned.mask, kept).flatten())

    def _measures(self, rows: Rows, step: int) -> dict[str, float]:
        """Numbers for the log; those about targets come from a sample of rows."""
        sampled = slice(0, None, max(len(rows.teacher) // _SAMPLED_ROWS, 1))
        teacher, student = rows.teacher[sampled], rows.student[sampled]
        entropy = rank_entropy(teacher, self.network, self.steepness.teacher)
        crossed = rank_cross_entropy(student, teacher, self.network, self.steepness.student, self.steepness.teacher)
        measured = {
            "divergence": (crossed - entropy).item(),
            "target_entropy": entropy.item() / log(self.settings.loss.references),
            "spread": self.steepness.spread,
            "steepness": self.steepness.teacher,
            "momentum": self.settings.teacher.momentum_at(step, self.settings.steps),
        }
        if self.references.queue is not None:
            filled = self.references.queue.filled.float().mean().item()
            measured["queue_filled"] = filled / self.references.queue.capacity
        return measured
