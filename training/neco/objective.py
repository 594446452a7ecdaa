"""One step of NeCo: what the networks see, how their patches are ranked, how they move."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch.profiler import record_function

from patchfield.backbones.attention import use_xformers
from training.data.windows import Batch
from training.engine.schedules import cosine, momentum_for
from training.engine.sharing import Sharing
from training.errors import TrainingError
from training.neco.align import align_student, align_teacher
from training.neco.loss import pair_weights, rank_cross_entropy, rank_entropy, similarity
from training.neco.masks import foreground, fully_inside
from training.neco.references import References
from training.neco.settings import RunSettings
from training.neco.sorting.networks import sorting_network
from training.neco.steepness import SteepnessSchedule, spreads
from training.networks.student_teacher import Start, follow, parameter_groups, student_and_teacher

_SAMPLED_ROWS = 512
STAGES = ("teacher", "student", "align", "references", "sorting and loss", "backward", "update")
"""Labels of a step's parts in profiles."""


@dataclass(frozen=True)
class StepResult:
    """What a step did.

    Attributes
    ----------
    loss : Tensor ()
        Over the batch of all processes.
    student_rows, teacher_rows : Tensor (rows, references)
        Similarities of this process's batch.
    gradient_norm : Tensor () or None
        Before it was limited; None when it is not.
    """

    loss: torch.Tensor
    student_rows: torch.Tensor
    teacher_rows: torch.Tensor
    gradient_norm: torch.Tensor | None


class PostTraining:
    """Student, teacher, optimiser, references and schedules of a run.

    Parameters
    ----------
    settings : RunSettings
        For the patch of the backbone, see :meth:`RunSettings.for_patch`.
    start : Start
    fabric : Fabric
        Launched.

    Raises
    ------
    PatchfieldError
        When settings do not fit the backbone or the processes.
    """

    def __init__(self, settings: RunSettings, start: Start, fabric: Fabric) -> None:
        self.settings = settings
        self.start = start
        self.sharing = Sharing(fabric)
        self.network = sorting_network(settings.loss.network, settings.loss.references)
        self.steepness = SteepnessSchedule(settings.loss)
        self.references = References(settings.loss, settings.crops, settings.head.channels, self.sharing)
        self.student, teacher = student_and_teacher(start, settings)
        if fabric.device.type == "cuda":
            use_xformers(self.student.backbone.vit)
            use_xformers(teacher.backbone.vit)
        fabric.to_device(teacher)
        self.teacher = teacher
        optimiser = torch.optim.AdamW(parameter_groups(self.student), lr=0.0)
        self._forward, self.optimiser = fabric.setup(self.student, optimiser)
        if self.references.queue is not None:
            fabric.to_device(self.references.queue)
        self._fabric = fabric

    def step(self, batch: Batch, step: int) -> StepResult:
        """Learn from one batch; `step` counts from 0 and decides all random numbers."""
        self._follow_schedules(step)
        generator = torch.Generator().manual_seed(self._seed(step))
        torch.manual_seed(self._seed(step, self.sharing.rank + 1))
        student_rows, teacher_rows, weights = self._ranked(batch, generator)
        if not self.steepness.settled:
            self.steepness.observe(self.sharing.gathered(spreads(teacher_rows), dim=0))
        with record_function("sorting and loss"):
            loss = rank_cross_entropy(
                student_rows, teacher_rows, self.network, self.steepness.student, self.steepness.teacher, weights
            )
        mean_loss = self.sharing.mean(loss.detach())
        if not mean_loss.isfinite():
            raise TrainingError(
                f"the loss is no longer a number at step {step}: lower optimiser.learning_rate, or set "
                "precision to fp32."
            )
        # The teacher follows before the student moves, as published.
        follow(self.teacher, self.student, self.momentum(step))
        norm = self._update(loss)
        return StepResult(mean_loss, student_rows.detach(), teacher_rows, norm)

    def momentum(self, step: int) -> float:
        """Share of itself that the teacher keeps at `step`."""
        start = self.settings.teacher.momentum
        if start == "auto":
            start = momentum_for(self.settings.steps, self.settings.teacher.residual)
        return cosine(start, 1.0, step, self.settings.steps)

    def measures(self, result: StepResult, step: int) -> dict[str, float]:
        """Numbers for the log; those about targets come from a sample of rows."""
        rows = slice(0, None, max(len(result.teacher_rows) // _SAMPLED_ROWS, 1))
        teacher, student = result.teacher_rows[rows], result.student_rows[rows]
        entropy = rank_entropy(teacher, self.network, self.steepness.teacher)
        crossed = rank_cross_entropy(student, teacher, self.network, self.steepness.student, self.steepness.teacher)
        measured = {
            "loss": result.loss.item(),
            "divergence": (crossed - entropy).item(),
            "target_entropy": entropy.item() / float(np.log(self.settings.loss.references)),
            "spread": self.steepness.spread,
            "steepness": self.steepness.teacher,
            "momentum": self.momentum(step),
        }
        measured |= {f"learning_rate/{group['part']}": group["lr"] for group in self.optimiser.param_groups}
        if result.gradient_norm is not None:
            measured["gradient_norm"] = float(result.gradient_norm)
        if self.references.queue is not None:
            filled = self.references.queue.filled.float().mean().item()
            measured["queue_filled"] = filled / self.references.queue.capacity
        return measured

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        queue = self.references.queue
        return {
            "student": self.student.state_dict(),
            "teacher": self.teacher.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "steepness": self.steepness.state_dict(),
            "queue": {} if queue is None else queue.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.student.load_state_dict(state["student"])
        self.teacher.load_state_dict(state["teacher"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.steepness.load_state_dict(state["steepness"])
        if self.references.queue is not None:
            self.references.queue.load_state_dict(state["queue"])

    def _ranked(
        self, batch: Batch, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Similarities (rows, references) of student and teacher, and the rows' weights."""
        crops, patch, cells = self.settings.crops, self.start.spec.patch, self.settings.loss.cells
        with record_function("teacher"), torch.no_grad(), self._fabric.autocast():
            seen = _crop_major(batch.teacher_globals)
            (teacher,) = self.teacher([seen])
            attended = None if self.settings.loss.mask == "all" else self.teacher.backbone.attention(seen)
        with record_function("student"):
            groups = [_crop_major(batch.student_globals)]
            if crops.locals:
                groups.append(_crop_major(batch.student_locals))
            student = self._forward(groups)
        with record_function("align"):
            teacher_cells = align_teacher(teacher, batch.boxes, crops, patch, cells)
            locals_ = student[1] if crops.locals else None
            student_cells = align_student(student[0], locals_, batch.boxes, crops, patch, cells)
            mask = None if attended is None else self._mask(attended, batch.boxes)
        with record_function("references"):
            references = self.references.for_pairs(teacher, teacher_cells, generator, mask).flatten(0, 1)
            kind = self.settings.loss.similarity
            student_rows = similarity(student_cells.flatten(0, 1), references, kind).flatten(0, 1)
            teacher_rows = similarity(teacher_cells.flatten(0, 1), references, kind).flatten(0, 1)
            if self.settings.loss.shuffled_targets:
                order = torch.randperm(len(teacher_rows), generator=generator)
                teacher_rows = teacher_rows[order.to(teacher_rows.device)]
        if mask is None:
            return student_rows, teacher_rows, None
        kept = self.sharing.mean(mask.flatten(1).sum(1).float())
        return student_rows, teacher_rows, pair_weights(mask, kept).flatten()

    def _mask(self, attended: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        """Aligned cells (pairs, B, cells) that lie in the foreground, or in the background, entirely."""
        chosen = foreground(attended)
        if self.settings.loss.mask == "bg":
            chosen = ~chosen
        crops, patch, cells = self.settings.crops, self.start.spec.patch, self.settings.loss.cells
        return fully_inside(align_teacher(chosen[:, None].float(), boxes, crops, patch, cells))

    def _update(self, loss: torch.Tensor) -> torch.Tensor | None:
        with record_function("backward"):
            self._fabric.backward(loss)
        with record_function("update"):
            norm = None
            if self.settings.optimiser.clip:
                norm = self._fabric.clip_gradients(
                    self._forward, self.optimiser, max_norm=self.settings.optimiser.clip, error_if_nonfinite=False
                )
            self.optimiser.step()
            self.optimiser.zero_grad()
        return norm

    def _follow_schedules(self, step: int) -> None:
        optimiser, steps = self.settings.optimiser, self.settings.steps
        rates = {"backbone": optimiser.learning_rate, "head": optimiser.head_learning_rate}
        warmup = round(optimiser.warmup * steps)
        for group in self.optimiser.param_groups:
            group["lr"] = cosine(rates[group["part"]], 0.0, step, steps, warmup)
            group["weight_decay"] = cosine(*optimiser.weight_decay, step, steps) if group["decayed"] else 0.0

    def _seed(self, *path: int) -> int:
        sequence = np.random.SeedSequence([self.settings.seed, *path])
        return int(sequence.generate_state(1, np.uint64)[0] >> 1)


def _crop_major(crops: torch.Tensor) -> torch.Tensor:
    """(B, crops, 3, side, side) as (crops * B, 3, side, side), all images of the first crop first."""
    return crops.transpose(0, 1).flatten(0, 1)


@contextmanager
def one_sentence_when_memory_is_full(settings: RunSettings) -> Iterator[None]:
    """Turn an allocation that fails into a :class:`TrainingError` that says which knobs to turn."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        full = isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
        if not full:
            raise
        raise TrainingError(
            f"out of memory at {settings.batch} images per step and crops of {settings.crops.global_size} pixels: "
            f"lower --batch or --crops.global_size{'' if settings.recompute else ', set --recompute true'}, "
            "train fewer blocks (--optimiser.trainable_blocks), or use more GPUs with torchrun."
        ) from error
