"""Episodes: strokes on one image, a linear classifier in closed form, the rest of it and another image to predict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from patchfield.backbones.contrast import Reference
from patchfield.backbones.filters import mean_gradients
from patchfield.backbones.micro import SHIPPED, MicroNet, read_micro, write_micro
from patchfield.runs.folder import IMAGES
from training.engine.launch import RunContext
from training.engine.objective import (
    ExportedNetwork,
    Objective,
    Optimisation,
    ParameterGroup,
    Stateful,
    StepResult,
)
from training.episodes.dataset import EpisodeDataset
from training.episodes.finding import find_sources
from training.episodes.loss import EpisodeLoss
from training.episodes.scene import Episodes
from training.episodes.settings import EpisodeSettings
from training.errors import TrainingError

RESULT = "micro.safetensors"


class StrokeEpisodes(Objective[EpisodeSettings, Episodes]):
    """Train a small backbone of your own on labelled images.

    Trains the network behind ``micro``.
    """

    Settings = EpisodeSettings
    title = "episodes"
    samples = "episodes"
    rate_option = "learning_rate"
    bfloat16_on_cpu = True

    def __init__(self, settings: EpisodeSettings, context: RunContext) -> None:
        if context.fabric.world_size > 1:
            raise TrainingError("training.episodes runs in one process: start it without torchrun.")
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        self.settings = settings
        self.init = settings.init
        self._sources = find_sources(settings, context.console, context.folder / IMAGES)
        torch.manual_seed(settings.seed)
        self.net = (MicroNet(settings.network) if settings.init is None else _initial(settings.init)).train()
        self.inputs = {**self._sources.inputs, "init": "" if settings.init is None else _fingerprint(self.net)}
        self.facts = self._sources.facts
        # Measured on a CPU: a tenth to a fifth less time than channels first.
        self.net.to(context.fabric.device).to(memory_format=torch.channels_last)
        self._fabric = context.fabric
        self._loss = EpisodeLoss(settings.loss).to(context.fabric.device)

    def optimisation(self) -> Optimisation:
        """Convolutions are decayed, vectors are not; the loss learns two numbers of its own."""
        settings = self.settings
        parameters = [*self.net.parameters(), *self._loss.parameters()]
        matrices = [parameter for parameter in parameters if parameter.ndim > 1]
        vectors = [parameter for parameter in parameters if parameter.ndim <= 1]
        decay = (settings.weight_decay, settings.weight_decay)
        groups = [
            ParameterGroup("network", matrices, settings.learning_rate, decay),
            ParameterGroup("network", vectors, settings.learning_rate),
        ]
        return Optimisation(groups, settings.warmup, settings.clip, list(self.net.parameters()))

    def dataset(self, workers: int) -> EpisodeDataset:
        """Endless episodes."""
        settings = self.settings
        return EpisodeDataset(self._sources.weighted, settings.side, settings.strokes, settings.light, settings.seed)

    def forward(self, batch: Episodes, step: int, generator: torch.Generator) -> StepResult:
        """Fit a classifier to the strokes of every episode, and judge it."""
        crops = batch.images.flatten(0, 1)
        energies = mean_gradients(crops)[..., None, None]
        # Not through setup_module: it would round the images to bfloat16, and the filter bank with them.
        with self._fabric.autocast():
            features: Tensor = self.net(crops, energies)
        loss, accuracy = self._loss(features.unflatten(0, batch.images.shape[:2]), batch, phase=step)
        averaged = {"loss": loss.detach(), "accuracy": accuracy[0], "accuracy_other": accuracy[1]}
        return StepResult(loss, averaged)

    def parts(self) -> Mapping[str, Stateful]:
        """The network, and what the loss learns."""
        return {"net": self.net, "loss": self._loss}

    def networks(self) -> Sequence[ExportedNetwork]:
        """The network."""
        return [_ExportedMicro(self.net, self.settings.reference)]

    def memory_advice(self) -> str:
        """Which options to turn down."""
        return f" at {self.settings.batch} episodes per step of {self.settings.side} pixels: lower --batch or --side."


@dataclass(frozen=True)
class _ExportedMicro:
    """The trained network, see :class:`training.engine.objective.ExportedNetwork`."""

    net: MicroNet
    reference: Reference
    summary: str = "Trained on your labels"
    file: str = RESULT
    suffix: str = ""

    def tensors(self) -> Mapping[str, Tensor]:
        return self.net.state_dict()

    def write(self, path: Path, details: Mapping[str, Any]) -> None:
        write_micro(path, self.net, details, self.reference)


def _initial(init: str) -> MicroNet:
    """The network to start from."""
    return read_micro(SHIPPED if init == "micro" else Path(init))


def _fingerprint(net: nn.Module) -> str:
    digest = sha256()
    for name, tensor in net.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
