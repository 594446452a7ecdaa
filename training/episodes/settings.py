"""All choices of a run, as data: typed, with defaults, read from a YAML file and flags."""

import json
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from patchfield.backbones.micro.network import MicroSpec
from training.episodes.light import LightSettings
from training.episodes.loss import EpisodeLossSettings
from training.episodes.sources import Magnification
from training.episodes.strokes import StrokeSettings
from training.errors import TrainingError


@dataclass(frozen=True)
class Shares:
    """How often episodes come from each source; only the ratios count.

    Attributes
    ----------
    labelled : float
        Labelled images, each set as often as the others.
    synthetic : float
        Generated microstructures.
    collages : float
        Generated shapes filled with textures of unlabelled images.
    """

    labelled: float = 0.5
    synthetic: float = 0.25
    collages: float = 0.25


@dataclass(frozen=True)
class EpisodeSettings:
    """Training of a small network on episodes of a few strokes.

    Attributes
    ----------
    output : Path
        Folder for the trained network, checkpoints and logs.
    labels : Path or list of Path
        Folders of labelled images (image_NAME with mask_NAME beside it, or folders images and masks), or folders of
        such folders. None at all trains on generated images alone.
    textures : Path or list of Path
        Folders of unlabelled images; images of one kind lie in one folder.
    held_out : list of str
        Images that are not trained on: names of files or folders with * as wildcard, such as "steel/*".
    name : str, optional
        Name under which the app and `patchfield models` list the result; by default that of the output folder.
    init : str, optional
        Network to start from: "micro", or a file that an earlier run wrote; by default random weights.
    steps : int
        Optimiser steps.
    batch : int
        Episodes per step, of two images each.
    side : int
        Of the images in pixels; a multiple of the coarsest grid (16).
    learning_rate : float
        Of AdamW, falling to 0 along a cosine.
    warmup : float
        Share of the steps during which it rises from 0.
    weight_decay : float
        Of convolutions; vectors are not decayed.
    clip : float
        Largest norm of the gradient.
    seed : int
        Decides every random number of the run.
    threads : int, optional
        Threads that compute; by default all cores.
    workers : int
        Processes that make episodes.
    device : {"auto", "cpu", "cuda"}
        Where to compute; auto takes a GPU when there is one.
    precision : {"auto", "fp32", "bf16"}
        Of the convolutions; auto is bf16 where the processor computes with it.
    log_every : int
        Steps between two lines of the logs.
    checkpoint_every : int
        Steps between two checkpoints: what a crash can cost.
    resume : bool
        Go on from the checkpoint in the output folder, to the identical result.
    network, shares, magnification, strokes, light, loss : settings
        See below.
    """

    output: Path
    labels: Path | list[Path] = field(default_factory=list)
    textures: Path | list[Path] = field(default_factory=list)
    held_out: list[str] = field(default_factory=list)
    name: str | None = None
    init: str | None = None
    steps: int = 12000
    batch: int = 4
    side: int = 160
    learning_rate: float = 2e-3
    warmup: float = 0.03
    weight_decay: float = 0.02
    clip: float = 1.0
    seed: int = 7
    threads: int | None = None
    workers: int = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    log_every: int = 50
    checkpoint_every: int = 500
    resume: bool = False
    network: MicroSpec = field(default_factory=MicroSpec)
    shares: Shares = field(default_factory=Shares)
    magnification: Magnification = field(default_factory=Magnification)
    strokes: StrokeSettings = field(default_factory=StrokeSettings)
    light: LightSettings = field(default_factory=LightSettings)
    loss: EpisodeLossSettings = field(default_factory=EpisodeLossSettings)

    def __post_init__(self) -> None:
        problems = {
            "steps must be at least 1": self.steps < 1,
            "batch must be at least 1": self.batch < 1,
            "log_every and checkpoint_every must be at least 1": min(self.log_every, self.checkpoint_every) < 1,
            f"side must be a multiple of {self.network.coarsest}": self.side < 1 or self.side % self.network.coarsest,
            "network.widths and network.blocks must be equally long": len(self.network.widths)
            != len(self.network.blocks),
            "loss.second_image and warmup must lie between 0 and 1": not 0 <= self.loss.second_image <= 1
            or not 0 <= self.warmup <= 1,
            "magnification must be two positive numbers, the smaller first": not 0
            < self.magnification.low
            <= self.magnification.high,
        }
        for requirement, violated in problems.items():
            if violated:
                raise TrainingError(f"these settings cannot be run: {requirement}.")

    @property
    def label_folders(self) -> list[Path]:
        return self.labels if isinstance(self.labels, list) else [self.labels]

    @property
    def texture_folders(self) -> list[Path]:
        return self.textures if isinstance(self.textures, list) else [self.textures]

    @property
    def model_name(self) -> str:
        return self.name or Path(self.output).resolve().name

    def trajectory(self) -> dict[str, Any]:
        """What decides the weights that come out: a run is only resumed when this is the same."""
        values = json.loads(json.dumps(asdict(self), default=str))
        return {key: value for key, value in values.items() if key not in _INCIDENTAL}

    def fingerprint(self) -> str:
        """Short hash of :meth:`trajectory`."""
        return sha256(json.dumps(self.trajectory(), sort_keys=True).encode()).hexdigest()[:16]


_INCIDENTAL = frozenset({"output", "name", "threads", "workers", "device", "log_every", "checkpoint_every", "resume"})
