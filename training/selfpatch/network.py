"""The networks of SelfPatch: a transformer, class attention over its patches, and two heads of prototypes."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize
from torch.utils.checkpoint import checkpoint

from patchfield.backbones import Transformer
from training.networks.heads import HeadSettings, projection_head
from training.networks.start import Start
from training.networks.student_teacher import freeze_all_but
from training.selfpatch.neighbours import most_similar
from training.selfpatch.pooling import ClassAttention
from training.selfpatch.settings import LossSettings, SelfPatchSettings


class Scores(NamedTuple):
    """Scores of prototypes for crops of one size.

    Attributes
    ----------
    image : Tensor (crops * B, prototypes)
    patches : Tensor (crops * B, N, prototypes)
    """

    image: Tensor
    patches: Tensor


class Prototypes(nn.Module):
    """A projection to a sphere, and the cosine to each of some prototypes.

    Parameters
    ----------
    channels : int
    count : int
        Of prototypes.
    settings : HeadSettings
        Its channels are those of the sphere.
    """

    def __init__(self, channels: int, count: int, settings: HeadSettings) -> None:
        super().__init__()
        self.project = projection_head(channels, settings)
        self.directions = nn.Parameter(torch.empty(count, settings.channels))
        nn.init.trunc_normal_(self.directions, std=0.02)
        self.frozen = False
        """Whether the prototypes stay where they are: published for the first epoch."""

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores (..., prototypes) of tokens (..., channels)."""
        # A frozen parameter keeps a gradient, of zero: distributed training waits for all of them.
        directions = self.directions.detach() + 0 * self.directions if self.frozen else self.directions
        return linear(normalize(self.project(tokens).float(), dim=-1), normalize(directions.float(), dim=-1))


class Head(nn.Module):
    """What sits on the transformer, and is thrown away afterwards."""

    def __init__(self, start: Start, settings: SelfPatchSettings) -> None:
        super().__init__()
        channels = start.spec.channels
        self.pool = ClassAttention(channels, start.spec.heads, settings.loss.pooling_blocks)
        self.image = Prototypes(channels, settings.prototypes.image, settings.head)
        self.patches = Prototypes(channels, settings.prototypes.patches, settings.head)

    def freeze(self, frozen: bool) -> None:
        """Whether the prototypes stay where they are."""
        self.image.frozen = self.patches.frozen = frozen


class Network(nn.Module):
    """A transformer and its head. As a teacher, patches are what their most similar neighbours sum up to.

    Parameters
    ----------
    start : Start
    settings : SelfPatchSettings
    teaches : bool
    """

    def __init__(self, start: Start, settings: SelfPatchSettings, teaches: bool) -> None:
        super().__init__()
        state = {key: value.clone() for key, value in start.state.items()}
        self.backbone = Transformer(start.spec, state, drop_path=0.0 if teaches else settings.optimiser.drop_path)
        self.head = Head(start, settings)
        self._loss, self._teaches = settings.loss, teaches
        if settings.recompute and not teaches:
            for block in self.backbone.vit.blocks:
                block.forward = partial(checkpoint, block.forward, use_reentrant=False)

    def forward(self, groups: Sequence[Tensor]) -> list[Scores]:
        """Scores of groups of crops (crops * B, 3, side, side), values 0 to 1, each group of one size."""
        return [self._scores(group) for group in groups]

    def _scores(self, crops: Tensor) -> Scores:
        tokens = self.backbone.unnormalised(crops).grid
        grid = int(tokens.shape[2]), int(tokens.shape[3])
        patches = tokens.flatten(2).transpose(1, 2)
        summary = self.head.pool(patches)
        shown = summed_up(patches, grid, self.head.pool, self._loss) if self._teaches else patches
        norm = self.backbone.vit.norm
        return Scores(self.head.image(norm(summary)), self.head.patches(norm(shown)))


def summed_up(patches: Tensor, grid: tuple[int, int], pool: ClassAttention, loss: LossSettings) -> Tensor:
    """For each patch what its most similar neighbours sum up to, (B, N, channels)."""
    chosen, present = most_similar(patches, grid, loss.neighbours, loss.borders)
    pooled: Tensor = pool(chosen.flatten(0, 1), present.flatten(0, 1))
    return pooled.unflatten(0, patches.shape[:2])


def student_and_teacher(start: Start, settings: SelfPatchSettings) -> tuple[Network, Network]:
    """The two networks at step 0, the heads drawn from the run's seed; the teacher is frozen.

    Raises
    ------
    TrainingError
        When the backbone has no such blocks to train.
    """
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        student = Network(start, settings, teaches=False)
        teacher = Network(start, settings, teaches=True)
    if settings.teacher.same_head:
        teacher.head.load_state_dict(student.head.state_dict())
    freeze_all_but(student.backbone, settings.optimiser.trainable_blocks)
    return student.train(), teacher.eval().requires_grad_(False)
