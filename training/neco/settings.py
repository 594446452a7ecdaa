"""All choices of a run of NeCo, as data: typed, with defaults, read from a YAML file and flags."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from training.engine.settings import from_flat
from training.errors import require
from training.neco.loss import Similarity
from training.neco.sorting.networks import Topology
from training.networks.heads import HeadSettings
from training.networks.post_training import PostTrainingSettings

Preset = Literal["micrographs", "paper"]
Steepness = Literal["adaptive"] | float


@dataclass(frozen=True)
class LossSettings:
    """How patches are ranked and rankings compared.

    Attributes
    ----------
    references : int
        Reference patches that every patch ranks.
    source : {"queue", "batch"}
        Take the references from a queue of the teacher's earlier patches, or from the batch itself.
    queue : int
        Patches that the queue of each global crop holds.
    similarity : {"cosine", "euclidean"}
        What is ranked.
    network : {"bitonic", "odd_even"}
        The sorting network: bitonic has few layers; odd_even has one per reference, is slower and smoother.
    student_steepness : float or "adaptive"
        How hard the student sorts. Published: 100, which says almost nothing about images of one material, whose
        patches are all alike; adaptive measures how much the similarities spread and sorts as hard as that needs.
    teacher_steepness : float or "adaptive"
        How hard the teacher sorts, likewise.
    softness : float
        Adaptive steepness times the spread of the similarities; 15 matches the published setting on photographs.
    settle : int
        Steps after which the adaptive steepness stays as it is.
    mask : {"all", "fg", "bg"}
        Compare all patches, or only those in the foreground or background of the teacher's attention.
    cells : int
        Side of the grid that the shared region of two crops is pooled to.
    shuffled_targets : bool
        A control: every patch is taught the ranking of another one, so that nothing about the images can be learned.
    """

    references: int = 49
    source: Literal["queue", "batch"] = "queue"
    queue: int = 8192
    similarity: Similarity = "cosine"
    network: Topology = "bitonic"
    student_steepness: Steepness = "adaptive"
    teacher_steepness: Steepness = "adaptive"
    softness: float = 15.0
    settle: int = 50
    mask: Literal["all", "fg", "bg"] = "all"
    cells: int = 7
    shuffled_targets: bool = False

    def __post_init__(self) -> None:
        require(self.references >= 2, "loss.references must be at least 2")
        require(self.queue >= 1, "loss.queue must be at least 1")
        for name in ("student_steepness", "teacher_steepness"):
            value = getattr(self, name)
            require(value == "adaptive" or 0 < value < math.inf, f"loss.{name} must be adaptive or positive")
        require(0 < self.softness < math.inf, "loss.softness must be positive")
        require(self.settle >= 1, "loss.settle must be at least 1")
        require(self.cells >= 1, "loss.cells must be at least 1")


@dataclass(frozen=True, kw_only=True)
class NeCoSettings(PostTrainingSettings):
    """A post-training run on unlabelled images.

    Attributes
    ----------
    loss, head : settings
        See below.
    """

    seed: int = 400
    loss: LossSettings = field(default_factory=LossSettings)
    head: HeadSettings = field(default_factory=HeadSettings)


PRESETS: dict[str, dict[str, Any]] = {
    "micrographs": {},
    "paper": {
        "steps": 46200,
        "batch": 64,
        "precision": "fp32",
        "positions": "scaled",
        "crops.global_size": 518,
        "crops.global_scale": (0.25, 1.0),
        "crops.local_scale": (0.05, 0.25),
        "crops.aspect": (3 / 4, 4 / 3),
        "crops.flips": False,
        "crops.quarter_turns": False,
        "tiles.window": 0.0,
        "tiles.blank": 0.0,
        "tiles.least_side": 1,
        "augmentation.brightness": 0.8,
        "augmentation.contrast": 0.8,
        "augmentation.gamma": 0.0,
        "augmentation.saturation": 0.8,
        "augmentation.hue": 0.2,
        "augmentation.grey_probability": 0.2,
        "augmentation.blur_probability": 0.5,
        "augmentation.blur_sigma": (0.1, 2.0),
        "augmentation.noise_probability": 0.0,
        "loss.student_steepness": 100.0,
        "loss.teacher_steepness": 100.0,
        "teacher.momentum": 0.9995,
        "teacher.clean": False,
        "teacher.same_head": False,
        "optimiser.warmup": 0.0,
        "optimiser.weight_decay": (0.04, 0.5),
        "optimiser.clip": 0.0,
        "optimiser.trainable_blocks": None,
    },
}
"""Defaults by name: `micrographs` for a lab's own images, `paper` as published for COCO (25 epochs at 64)."""


def settings_for(preset: Preset = "micrographs", **values: Any) -> NeCoSettings:
    """Settings from a preset and other values, nested ones with dots or as dictionaries.

    Examples
    --------
    >>> run = settings_for("paper", images="coco", init="dinov2-small-reg", output="run", **{"crops.local_crops": 2})
    >>> run.crops.local_crops, run.crops.global_size
    (2, 518)
    """
    return from_flat(NeCoSettings, {**PRESETS[preset], **values})
