"""All choices of a run on episodes, as data: typed, with defaults, read from a YAML file and flags."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from patchfield.backbones.contrast import Reference
from patchfield.backbones.micro.network import MicroSpec
from training.engine.settings import Precision, RunSettings, is_amount, is_share
from training.episodes.light import LightSettings
from training.episodes.loss import EpisodeLossSettings
from training.episodes.sources import Magnification
from training.episodes.strokes import StrokeSettings
from training.errors import require


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

    def __post_init__(self) -> None:
        for name in ("labelled", "synthetic", "collages"):
            require(is_amount(getattr(self, name)), f"shares.{name} must be at least 0")


@dataclass(frozen=True, kw_only=True)
class EpisodeSettings(RunSettings):
    """Training of a small network on episodes of a few strokes.

    Attributes
    ----------
    labels : Path or list of Path
        Folders of labelled images (image_NAME with mask_NAME beside it, or folders images and masks), or folders of
        such folders. None at all trains on generated images alone.
    textures : Path or list of Path
        Folders of unlabelled images; images of one kind lie in one folder. Masks and strokes beside them are left
        aside.
    held_out : list of str
        Images that are not trained on: names of files or folders with * as wildcard, such as "steel/*".
    init : str, optional
        Network to start from: "micro", or a file that an earlier run wrote; by default random weights.
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
        Largest norm of the gradient; 0 does not limit it.
    threads : int, optional
        Threads that compute; by default all cores.
    workers : int, optional
        Processes that make episodes.
    precision : {"auto", "fp32", "bf16"}
        Of the convolutions; auto is bf16 where the processor computes with it.
    reference : {"middle", "median"}
        What intensities are counted from, in training and wherever the network is used.
    composition : float
        Share of the pairs of labelled images whose second shows something else: any part of it, as few classes as there
        happen to be, in units of its own contrast.
    network, shares, magnification, strokes, light, loss : settings
        See below.
    """

    INCIDENTAL: ClassVar[frozenset[str]] = RunSettings.INCIDENTAL | {"threads"}

    labels: Path | list[Path] = field(default_factory=list)
    textures: Path | list[Path] = field(default_factory=list)
    held_out: list[str] = field(default_factory=list)
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
    workers: int | None = 1
    precision: Precision = "auto"
    reference: Reference = "middle"
    composition: float = 0.0
    log_every: int = 50
    checkpoint_every: int = 500
    network: MicroSpec = field(default_factory=MicroSpec)
    shares: Shares = field(default_factory=Shares)
    magnification: Magnification = field(default_factory=Magnification)
    strokes: StrokeSettings = field(default_factory=StrokeSettings)
    light: LightSettings = field(default_factory=LightSettings)
    loss: EpisodeLossSettings = field(default_factory=EpisodeLossSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        network = self.network
        require(len(network.widths) >= 2, "network.widths must be at least two numbers")
        require(self.side >= 1 and self.side % network.coarsest == 0, f"side must be a multiple of {network.coarsest}")
        for name in ("learning_rate", "weight_decay", "clip"):
            require(is_amount(getattr(self, name)), f"{name} must be at least 0")
        require(is_share(self.warmup), "warmup must lie between 0 and 1")
        require(is_share(self.composition), "composition must lie between 0 and 1")
        require(self.threads is None or self.threads >= 1, "threads must be at least 1")

    @property
    def label_folders(self) -> list[Path]:
        """Folders of labelled images."""
        return self.labels if isinstance(self.labels, list) else [self.labels]

    @property
    def texture_folders(self) -> list[Path]:
        """Folders of unlabelled images."""
        return self.textures if isinstance(self.textures, list) else [self.textures]
