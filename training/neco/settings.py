"""All choices of a run, as data: typed, with defaults, read from a YAML file and flags."""

import json
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from patchfield.backbones.positions import PositionRule
from training.data.augment import AugmentSettings
from training.data.crops import CropSettings
from training.data.windows import TileSettings
from training.errors import TrainingError
from training.neco.loss import Similarity
from training.neco.sorting.networks import Topology

Preset = Literal["micrographs", "paper"]
Precision = Literal["auto", "fp32", "bf16"]
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


@dataclass(frozen=True)
class HeadSettings:
    """The projection that is trained on top of the backbone and thrown away afterwards.

    Attributes
    ----------
    layers : int
        Linear layers, with GELU between them.
    hidden : int
        Channels between the layers.
    channels : int
        Channels of the projected patches, which are compared.
    """

    layers: int = 3
    hidden: int = 2048
    channels: int = 256


@dataclass(frozen=True)
class TeacherSettings:
    """The slowly following copy of the student that sets the targets.

    Attributes
    ----------
    momentum : float or "auto"
        Share of itself that the teacher keeps at the first step, rising to 1 along a cosine. Published: 0.9995, made
        for 46 000 steps; auto fits it to the number of steps.
    residual : float
        Share of the initial weights that is left in the teacher after the last step, for momentum auto.
    clean : bool
        Show the teacher its crops without changes of pixel values. Published: false.
    same_head : bool
        Start the teacher's head as a copy of the student's. Published: false, both start from different noise.
    """

    momentum: Literal["auto"] | float = "auto"
    residual: float = 0.1
    clean: bool = True
    same_head: bool = True


@dataclass(frozen=True)
class OptimiserSettings:
    """How the student's weights move (AdamW).

    Attributes
    ----------
    learning_rate : float
        Of the backbone, falling to 0 along a cosine. 5e-6 suits ViT-B, 1e-6 ViT-B with registers.
    head_learning_rate : float
        Of the head, likewise.
    warmup : float
        Share of the steps during which both rise from 0.
    weight_decay : (float, float)
        At the first and at the last step; biases and other vectors are not decayed. Published: 0.04 to 0.5.
    clip : float
        Largest norm of the gradient; 0 does not limit it.
    trainable_blocks : int or list of int, optional
        Train only the blocks from this index on (negative: counted from the end) or those listed, and nothing else
        of the backbone; null trains all of it.
    drop_path : float
        Rate of stochastic depth at the student's last block.
    """

    learning_rate: float = 1e-5
    head_learning_rate: float = 1e-4
    warmup: float = 0.05
    weight_decay: tuple[float, float] = (0.04, 0.04)
    clip: float = 1.0
    trainable_blocks: int | list[int] | None = -6
    drop_path: float = 0.1


@dataclass(frozen=True)
class RunSettings:
    """A post-training run on unlabelled images.

    Attributes
    ----------
    images : Path or list of Path
        Folders of images (searched with all folders in them), or image files. Images of any size and bit depth;
        masks and strokes beside them are left aside.
    init : str
        Backbone to start from: a name that `patchfield models` lists, or a checkpoint file.
    output : Path
        Folder for the trained backbones, checkpoints and logs.
    labels : Path, optional
        Folder of labelled images: the backbone is evaluated before and after; its test images are never trained on.
    name : str, optional
        Name under which the app and `patchfield models` list the result; by default that of the output folder.
    steps : int
        Optimiser steps.
    batch : int
        Images per step, over all processes.
    seed : int
        Decides every random number of the run.
    init_network : {"teacher", "student"}
        Which network to start from where a checkpoint holds both.
    drop_registers : bool
        Leave the register tokens of the initial backbone out, as the published "XR" models do.
    positions : {"scaled", "exact"}, optional
        How positional encodings are resampled; by default as the initial backbone does. Published: scaled, with
        registers too.
    device : {"auto", "cpu", "cuda"}
        Where to compute; auto takes the GPUs when there are any. Several: start with torchrun.
    precision : {"auto", "fp32", "bf16"}
        Of the backbone; auto is bf16 on GPUs that have it, fp32 elsewhere. Sorting is always fp32.
    recompute : bool
        Recompute the backbone's activations in the backward pass: less memory, a third slower.
    workers : int, optional
        Processes that load and augment images, for each training process; by default up to eight, as the machine has
        cores to spare.
    log_every : int
        Steps between two lines of the logs.
    monitor_every : int
        Steps between two measurements of the features (effective rank, drift, consistency).
    checkpoint_every : int
        Steps between two checkpoints: what a crash can cost.
    resume : bool
        Go on from the checkpoint in the output folder, to the identical result.
    crops, augmentation, tiles, loss, head, teacher, optimiser : settings
        See below.
    """

    images: Path | list[Path]
    init: str
    output: Path
    labels: Path | None = None
    name: str | None = None
    steps: int = 1000
    batch: int = 16
    seed: int = 400
    init_network: Literal["teacher", "student"] = "teacher"
    drop_registers: bool = False
    positions: PositionRule | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Precision = "auto"
    recompute: bool = False
    workers: int | None = None
    log_every: int = 10
    monitor_every: int = 100
    checkpoint_every: int = 100
    resume: bool = False
    crops: CropSettings = field(default_factory=CropSettings)
    augmentation: AugmentSettings = field(default_factory=AugmentSettings)
    tiles: TileSettings = field(default_factory=TileSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    head: HeadSettings = field(default_factory=HeadSettings)
    teacher: TeacherSettings = field(default_factory=TeacherSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)

    def __post_init__(self) -> None:
        _check(self)

    @property
    def sources(self) -> list[Path]:
        """Folders and files of images."""
        return self.images if isinstance(self.images, list) else [self.images]

    @property
    def model_name(self) -> str:
        return self.name or Path(self.output).resolve().name

    def for_patch(self, patch: int) -> "RunSettings":
        """The same settings with both crop sizes cut down to whole patches (98 px are 6.1 patches of 16)."""
        crops = replace(
            self.crops,
            global_size=self.crops.global_size // patch * patch,
            local_size=self.crops.local_size // patch * patch,
        )
        if min(crops.sizes) < 2 * patch:
            raise TrainingError(
                f"crops of {self.crops.global_size} and {self.crops.local_size} pixels are too small for patches of "
                f"{patch}: both sides must hold at least two patches."
            )
        return replace(self, crops=crops)

    def to_json(self) -> dict[str, Any]:
        """The settings as lists, strings and numbers."""
        return json.loads(json.dumps(asdict(self), default=str))

    def trajectory(self) -> dict[str, Any]:
        """What decides the weights that come out: a run is only resumed when this is the same."""
        return {key: value for key, value in self.to_json().items() if key not in _INCIDENTAL}

    def fingerprint(self) -> str:
        """Short hash of :meth:`trajectory`."""
        return sha256(json.dumps(self.trajectory(), sort_keys=True).encode()).hexdigest()[:16]


_INCIDENTAL = frozenset(
    {"output", "labels", "name", "device", "workers", "log_every", "monitor_every", "checkpoint_every", "resume"}
)

PRESETS: dict[Preset, dict[str, Any]] = {
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


def settings_for(preset: Preset = "micrographs", **values: Any) -> RunSettings:
    """Settings from a preset and other values, nested ones with dots or as dictionaries.

    Examples
    --------
    >>> run = settings_for("paper", images="coco", init="dinov2-small-reg", output="run", **{"crops.locals": 2})
    >>> run.crops.locals, run.crops.global_size
    (2, 518)
    """
    flat = {**PRESETS[preset], **values}
    nested: dict[str, dict[str, Any]] = {}
    for key in [key for key in flat if "." in key]:
        group, _, name = key.partition(".")
        nested.setdefault(group, {})[name] = flat.pop(key)
    groups: dict[str, Any] = {entry.name: entry.type for entry in fields(RunSettings) if is_dataclass(entry.type)}
    for group, inner in nested.items():
        flat[group] = replace(flat.get(group, groups[group]()), **inner)
    return RunSettings(**flat)


def _check(run: RunSettings) -> None:
    """Refuse what cannot work, in one sentence."""
    problems = {
        "steps must be at least 1": run.steps < 1,
        "batch must be at least 1": run.batch < 1,
        "log_every, monitor_every and checkpoint_every must be at least 1": min(
            run.log_every, run.monitor_every, run.checkpoint_every
        )
        < 1,
        "crops.globals must be at least 1, and there must be two crops": run.crops.globals < 1 or run.crops.count < 2,
        "crops.global_scale and crops.local_scale must be two shares of the window, the smaller first": not all(
            0 < low <= high <= 1 for low, high in (run.crops.global_scale, run.crops.local_scale)
        ),
        "crops.aspect must be two positive numbers, the smaller first": not 0
        < run.crops.aspect[0]
        <= run.crops.aspect[1],
        "tiles.window must be 0 (whole images) or at least 1": run.tiles.window != 0 and run.tiles.window < 1,
        "loss.references must be at least 2": run.loss.references < 2,
        "loss.cells must be at least 1": run.loss.cells < 1,
        "head.layers must be at least 1": run.head.layers < 1,
        "teacher.momentum must be auto or lie between 0 and 1": run.teacher.momentum != "auto"
        and not 0 <= run.teacher.momentum <= 1,
        "teacher.residual must lie between 0 and 1": not 0 < run.teacher.residual < 1,
        "optimiser.warmup must lie between 0 and 1": not 0 <= run.optimiser.warmup <= 1,
    }
    for requirement, violated in problems.items():
        if violated:
            raise TrainingError(f"these settings cannot be run: {requirement}.")
