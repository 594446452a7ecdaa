"""A third objective, whole: features from which the mean colour of each patch can be read.

There is no loop, no parser and no checkpoint in here; SelfPatch or SEM would be a room of this form.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from patchfield.backbones import Transformer
from patchfield.runs.folder import IMAGES
from training.data.collection import open_images
from training.data.crops import CropSettings
from training.data.windows import Batch, CropDataset, SampleSettings
from training.engine.launch import RunContext
from training.engine.objective import ExportedNetwork, Objective, Optimisation, ParameterGroup, Stateful, StepResult
from training.engine.settings import RunSettings, is_amount
from training.errors import require
from training.networks.export import ExportedTransformer
from training.networks.start import load_start

CROPS = CropSettings(global_crops=1, global_size=64, local_crops=1, local_size=16)


@dataclass(frozen=True, kw_only=True)
class ColourSettings(RunSettings):
    """A run on unlabelled images.

    Attributes
    ----------
    images : Path
        A folder of images.
    init : str
        Backbone to start from.
    learning_rate : float
        Of everything.
    """

    images: Path
    init: str
    learning_rate: float = 1e-3
    samples: SampleSettings = field(default_factory=lambda: SampleSettings(seed=0, crops=CROPS))

    def __post_init__(self) -> None:
        super().__post_init__()
        require(is_amount(self.learning_rate), "learning_rate must be at least 0")


class ColourMeans(Objective[ColourSettings, Batch]):
    """Teach a backbone the mean colours of patches."""

    Settings = ColourSettings

    def __init__(self, settings: ColourSettings, context: RunContext) -> None:
        start = load_start(settings.init)
        images = settings.samples.tiles.image_settings
        index, console = context.folder / IMAGES, context.console
        self._collection = open_images(settings.images, [], images, CROPS.global_size, index, console)
        self._patch = start.spec.patch
        torch.manual_seed(settings.seed)
        self._backbone = Transformer(start.spec, {name: value.clone() for name, value in start.state.items()})
        self._head = nn.Linear(start.spec.channels, 3)
        self._network = nn.ModuleDict({"backbone": self._backbone, "head": self._head}).to(context.fabric.device)
        self.settings = settings
        self.init = settings.init
        self.inputs = {"init": start.fingerprint, "images": self._collection.fingerprint()}
        self.facts = {"images": len(self._collection.planes)}

    def optimisation(self) -> Optimisation:
        parameters = list(self._network.parameters())
        return Optimisation([ParameterGroup("network", parameters, self.settings.learning_rate)], warmup=0.5, clip=1.0)

    def dataset(self, workers: int) -> CropDataset:
        return CropDataset(self._collection, self.settings.samples, workers)

    def forward(self, batch: Batch, step: int, generator: torch.Generator) -> StepResult:
        crops = batch.teacher_crops()
        tokens = self._backbone(crops).grid
        noise = 0.01 * torch.randn(tokens.shape)
        predicted = self._head((tokens + noise).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        loss = functional.mse_loss(predicted, functional.avg_pool2d(crops, self._patch))
        return StepResult(loss, {"error": loss.detach().sqrt()}, lambda: {"norm": float(tokens.detach().norm())})

    def parts(self) -> Mapping[str, Stateful]:
        return {"network": self._network}

    def networks(self) -> Sequence[ExportedNetwork]:
        return [ExportedTransformer(self._backbone, f"Taught mean colours from {self.settings.init}")]
