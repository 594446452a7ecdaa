"""All choices of a run of SelfPatch, as data."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from training.engine.settings import from_flat
from training.errors import require
from training.networks.heads import HeadSettings
from training.networks.post_training import PostTrainingSettings
from training.selfpatch.neighbours import Borders

Preset = Literal["micrographs", "paper"]


@dataclass(frozen=True)
class LossSettings:
    """What is compared.

    Attributes
    ----------
    patch_weight : float
        Weight of the loss of patches beside that of images.
    neighbours : int
        Of the eight neighbours of a patch, how many of the most similar ones teach it.
    borders : {"clip", "wrap"}
        Whether patches at the border have fewer neighbours, or those of the opposite side. Published: wrap.
    pooling_blocks : int
        Blocks of class attention that sum patches up.
    student_temperature, teacher_temperature : float
        Of the assignments to prototypes.
    centre_momentum : float
        Share of itself that the mean of the teacher's scores keeps at each step.
    """

    patch_weight: float = 0.1
    neighbours: int = 4
    borders: Borders = "clip"
    pooling_blocks: int = 2
    student_temperature: float = 0.1
    teacher_temperature: float = 0.04
    centre_momentum: float = 0.9

    def __post_init__(self) -> None:
        require(0 <= self.patch_weight < math.inf, "loss.patch_weight must be at least 0")
        require(1 <= self.neighbours <= 8, "loss.neighbours must lie between 1 and 8")
        require(self.pooling_blocks >= 1, "loss.pooling_blocks must be at least 1")
        for name in ("student_temperature", "teacher_temperature"):
            require(0 < getattr(self, name) < math.inf, f"loss.{name} must be positive")
        require(0 <= self.centre_momentum < 1, "loss.centre_momentum must be at least 0 and less than 1")


@dataclass(frozen=True)
class PrototypeSettings:
    """What images and patches are assigned to.

    Attributes
    ----------
    image : int
        Prototypes of images. Published: 65536, for a million photographs.
    patches : int
        Prototypes of patches. Published: 4096.
    frozen : int
        Steps for which prototypes stay where they are drawn. Published: the first epoch.
    """

    image: int = 4096
    patches: int = 1024
    frozen: int = 0

    def __post_init__(self) -> None:
        require(min(self.image, self.patches) >= 2, "prototypes.image and prototypes.patches must be at least 2")
        require(self.frozen >= 0, "prototypes.frozen must be at least 0")


@dataclass(frozen=True, kw_only=True)
class SelfPatchSettings(PostTrainingSettings):
    """A run of SelfPatch on unlabelled images.

    Attributes
    ----------
    init : str
        Backbone to start from: a name that `patchfield models` lists, a checkpoint file, or a transformer of random
        weights without a class token, as published: random:tiny-16, random:small-16, random:base-16 (or patches of 8).
    loss, prototypes, head : settings
        See below.
    """

    loss: LossSettings = field(default_factory=LossSettings)
    prototypes: PrototypeSettings = field(default_factory=PrototypeSettings)
    head: HeadSettings = field(default_factory=HeadSettings)


PRESETS: dict[str, dict[str, Any]] = {
    "micrographs": {},
    "paper": {
        "steps": 250_200,
        "batch": 1024,
        "crops.local_size": 96,
        "crops.local_crops": 8,
        "crops.global_scale": (0.25, 1.0),
        "crops.local_scale": (0.05, 0.25),
        "crops.aspect": (3 / 4, 4 / 3),
        "crops.quarter_turns": False,
        "tiles.window": 0.0,
        "tiles.blank": 0.0,
        "tiles.least_side": 1,
        "augmentation.brightness": 0.4,
        "augmentation.contrast": 0.4,
        "augmentation.gamma": 0.0,
        "augmentation.saturation": 0.2,
        "augmentation.hue": 0.1,
        "augmentation.grey_probability": 0.2,
        "augmentation.blur_probability": 0.5,
        "augmentation.blur_sigma": (0.1, 2.0),
        "augmentation.noise_probability": 0.0,
        "loss.borders": "wrap",
        "prototypes.image": 65_536,
        "prototypes.patches": 4096,
        "prototypes.frozen": 1251,
        "teacher.momentum": 0.996,
        "teacher.clean": False,
        "optimiser.learning_rate": 2e-3,
        "optimiser.head_learning_rate": 2e-3,
        "optimiser.warmup": 0.05,
        "optimiser.weight_decay": (0.04, 0.4),
        "optimiser.clip": 3.0,
        "optimiser.trainable_blocks": None,
    },
}
"""Defaults by name: `micrographs` for a lab's own images, `paper` as published for ImageNet-1k (200 epochs at 1024)."""


def settings_for(preset: Preset = "micrographs", **values: Any) -> SelfPatchSettings:
    """Settings from a preset and other values, nested ones with dots or as dictionaries.

    Examples
    --------
    >>> settings_for("paper", images="photographs", init="random:small-16", output="run").loss.borders
    'wrap'
    """
    return from_flat(SelfPatchSettings, {**PRESETS[preset], **values})
