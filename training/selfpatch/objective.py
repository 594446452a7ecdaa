"""SelfPatch: what the networks see, what is compared, what is kept."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import log
from pathlib import Path
from typing import Any, ClassVar

import torch
from rich.console import Console
from torch import Tensor
from torch.profiler import record_function

from training.data.windows import Batch, CropDataset
from training.engine.launch import RunContext
from training.engine.objective import ExportedNetwork, Monitor, Objective, Optimisation, Stateful, StepResult
from training.monitor.features import FeatureMonitor, WatchedCrops
from training.networks.export import teacher_and_student
from training.networks.post_training import compare_with_start, open_collection
from training.networks.start import is_random, load_start, random_start
from training.networks.student_teacher import follow
from training.selfpatch.loss import Centre, across_crops, cross_entropy, entropy
from training.selfpatch.network import Scores, student_and_teacher
from training.selfpatch.settings import PRESETS, SelfPatchSettings


class SelfPatch(Objective[SelfPatchSettings, Batch]):
    """Train or post-train a backbone on your own micrographs by SelfPatch (Yun et al., CVPR 2022, arXiv 2206.07990).

    Images agree with their crops, as in DINO, and every patch with the most similar of its neighbours.
    """

    Settings = SelfPatchSettings
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS
    title = "SelfPatch"
    rate_option = "optimiser.learning_rate"

    def __init__(self, settings: SelfPatchSettings, context: RunContext) -> None:
        from_nothing = is_random(settings.init)
        start = (
            random_start(settings.init, settings.seed)
            if from_nothing
            else load_start(settings.init, settings.init_network, settings.drop_registers, settings.positions)
        )
        settings = settings.for_patch(start.spec.patch)
        with context.fabric.rank_zero_first():
            self.collection = open_collection(settings, context)
        self.settings = settings
        self.init = None if from_nothing else settings.init
        self.inputs = {"init": start.fingerprint, "images": self.collection.fingerprint()}
        self.facts = {"images": len(self.collection.planes), "left_out": list(self.collection.left_out)}
        self.student, self.teacher = student_and_teacher(start, settings)
        momentum = settings.loss.centre_momentum
        self.image_centre = Centre(settings.prototypes.image, momentum)
        self.patch_centre = Centre(settings.prototypes.patches, momentum)
        for module in (self.teacher, self.image_centre, self.patch_centre):
            context.fabric.to_device(module)
        self._run = context.fabric.setup_module(self.student)
        self._start, self._fabric, self._sharing = start, context.fabric, context.sharing

    def optimisation(self) -> Optimisation:
        """Backbone and heads of the student."""
        return self.settings.optimiser.optimisation_of(self.student)

    def dataset(self, workers: int) -> CropDataset:
        """Crops of windows of the images."""
        return CropDataset(self.collection, self.settings.samples, workers)

    def forward(self, batch: Batch, step: int, generator: torch.Generator) -> StepResult:
        """Compare the assignments of student and teacher, of images and of patches."""
        loss = self.settings.loss
        self.student.head.freeze(step < self.settings.prototypes.frozen)
        local_crops = batch.student_crops()[1:]
        with record_function("teacher"), torch.no_grad(), self._fabric.autocast():
            taught = self.teacher([batch.teacher_crops(), *local_crops])
        with record_function("student"):
            said = self._run(batch.student_crops())
        crops = self.settings.crops
        of_images = [scores for part in said for scores in part.image.split(len(batch.boxes))]
        image_targets = self.image_centre.targets(taught[0].image, loss.teacher_temperature)
        image_loss = across_crops(of_images, image_targets.chunk(crops.global_crops), loss.student_temperature)
        patch_loss, patch_entropy = self._of_patches(said, taught)
        self._move_centres(taught)
        averaged = {"loss/image": image_loss.detach(), "loss/patch": patch_loss.detach()}
        sampled = partial(self._measures, entropy(image_targets), patch_entropy, step)
        return StepResult(image_loss + loss.patch_weight * patch_loss, averaged, sampled)

    def before_update(self, step: int) -> None:
        """The teacher follows."""
        follow(self.teacher, self.student, self.settings.teacher.momentum_at(step, self.settings.steps))

    def parts(self) -> Mapping[str, Stateful]:
        """Both networks, and the means of the teacher's scores."""
        return {
            "student": self.student,
            "teacher": self.teacher,
            "image centre": self.image_centre,
            "patch centre": self.patch_centre,
        }

    def networks(self) -> Sequence[ExportedNetwork]:
        """The teacher, and the student."""
        return teacher_and_student(self.teacher.backbone, self.student.backbone, self.init)

    def monitor(self) -> Monitor | None:
        """Watches the student's features; of random weights there is nothing to keep."""
        settings = self.settings
        if self.init is None:
            return None
        crops = WatchedCrops.from_collection(self.collection, settings.samples)
        return FeatureMonitor(
            self.student.backbone, self._start, crops, settings.monitor_every, settings.seed, self._fabric.device
        )

    def memory_advice(self) -> str:
        """Which options to turn down."""
        return (
            f" at {self.settings.batch} images per step: lower --batch, --prototypes.image or --crops.local_crops"
            f"{'' if self.settings.recompute else ', or set --recompute true'}."
        )

    @classmethod
    def evaluation(cls, settings: SelfPatchSettings) -> Callable[[Path, Console], None] | None:
        """Compare the trained teacher with the backbone that it started from, on labelled images."""
        if settings.labels is None or is_random(settings.init):
            return None
        return partial(compare_with_start, settings)

    def _of_patches(self, said: Sequence[Scores], taught: Sequence[Scores]) -> tuple[Tensor, Tensor]:
        """Loss of the patches, the mean over all crops, and the entropy of their targets."""
        loss, counts = self.settings.loss, [self.settings.crops.global_crops, self.settings.crops.local_crops]
        losses, entropies = [], []
        for student, teacher in zip(said, taught, strict=True):
            targets = self.patch_centre.targets(teacher.patches, loss.teacher_temperature)
            losses.append(cross_entropy(student.patches, targets, loss.student_temperature))
            entropies.append(entropy(targets))
        weights = torch.tensor(counts[: len(losses)], dtype=torch.float32, device=losses[0].device)
        weights = weights / weights.sum()
        return (torch.stack(losses) * weights).sum(), (torch.stack(entropies) * weights).sum()

    def _move_centres(self, taught: Sequence[Scores]) -> None:
        """Follow the mean of the teacher's scores, of all processes: of images from its global crops."""
        self.image_centre.update(self._sharing.mean(taught[0].image.float().mean(0)))
        patches = torch.cat([scores.patches.float().flatten(0, 1) for scores in taught])
        self.patch_centre.update(self._sharing.mean(patches.mean(0)))

    def _measures(self, image_entropy: Tensor, patch_entropy: Tensor, step: int) -> dict[str, float]:
        """Numbers for the log: entropies of the targets as shares of the largest, 0 or 1 where all has collapsed."""
        prototypes = self.settings.prototypes
        return {
            "target_entropy/image": image_entropy.item() / log(prototypes.image),
            "target_entropy/patch": patch_entropy.item() / log(prototypes.patches),
            "momentum": self.settings.teacher.momentum_at(step, self.settings.steps),
        }
