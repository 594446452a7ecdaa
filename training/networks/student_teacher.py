"""Student and teacher: the same transformer twice, each with a projection head."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from patchfield.backbones import Transformer
from training.engine.objective import Optimisation, ParameterGroup
from training.engine.schedules import cosine, momentum_for
from training.errors import TrainingError, require
from training.networks.heads import HeadSettings, projection_head
from training.networks.start import Start


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

    def __post_init__(self) -> None:
        require(
            isinstance(self.momentum, str) or 0 <= self.momentum <= 1,
            "teacher.momentum must be auto or lie between 0 and 1",
        )
        require(0 < self.residual < 1, "teacher.residual must lie between 0 and 1")

    def momentum_at(self, step: int, steps: int) -> float:
        """Share of itself that the teacher keeps at `step`."""
        start = momentum_for(steps, self.residual) if isinstance(self.momentum, str) else self.momentum
        return cosine(start, 1.0, step, steps)


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

    def __post_init__(self) -> None:
        for name in ("learning_rate", "head_learning_rate", "clip"):
            require(0 <= getattr(self, name) < math.inf, f"optimiser.{name} must be at least 0")
        require(0 <= self.warmup <= 1, "optimiser.warmup must lie between 0 and 1")
        require(
            all(0 <= decay < math.inf for decay in self.weight_decay),
            "optimiser.weight_decay must be two numbers of at least 0",
        )
        require(0 <= self.drop_path < 1, "optimiser.drop_path must be at least 0 and less than 1")

    def optimisation_of(self, network: "Trainable") -> Optimisation:
        """Groups of backbone and head, each with and without weight decay (vectors, such as biases, have none)."""
        rates = {"backbone": self.learning_rate, "head": self.head_learning_rate}
        groups = []
        for part, rate in rates.items():
            parameters = [parameter for parameter in getattr(network, part).parameters() if parameter.requires_grad]
            for decayed in (True, False):
                chosen = [parameter for parameter in parameters if (parameter.ndim > 1) == decayed]
                groups.append(ParameterGroup(part, chosen, rate, self.weight_decay if decayed else (0.0, 0.0)))
        return Optimisation([group for group in groups if group.parameters], self.warmup, self.clip)


class Trainable(Protocol):
    """A backbone and what sits on it."""

    @property
    def backbone(self) -> nn.Module: ...

    @property
    def head(self) -> nn.Module: ...


class Network(nn.Module):
    """A backbone and a projection head on every patch token.

    Parameters
    ----------
    start : Start
    head : HeadSettings
    drop_path : float
        Rate of stochastic depth at the last block.
    recompute : bool
        Trade time for memory: forget what the blocks compute and compute it again in the backward pass.
    """

    def __init__(self, start: Start, head: HeadSettings, drop_path: float = 0.0, recompute: bool = False) -> None:
        super().__init__()
        state = {key: value.clone() for key, value in start.state.items()}
        self.backbone = Transformer(start.spec, state, drop_path=drop_path)
        self.head = projection_head(start.spec.channels, head)
        if recompute:
            for block in self.backbone.vit.blocks:
                block.forward = partial(checkpoint, block.forward, use_reentrant=False)

    def forward(self, groups: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Projected patches of groups of crops, each group of one size.

        Parameters
        ----------
        groups : sequence of Tensor (B, 3, side, side)
            Values 0 to 1. All groups go through one call, because distributed training counts calls.

        Returns
        -------
        list of Tensor (B, channels, n, n)
            Of unit length.
        """
        return [self._project(self.backbone(group).grid) for group in groups]

    def _project(self, tokens: torch.Tensor) -> torch.Tensor:
        projected = self.head(tokens.permute(0, 2, 3, 1))
        return nn.functional.normalize(projected.float(), dim=-1).permute(0, 3, 1, 2)


def student_and_teacher(
    start: Start,
    head: HeadSettings,
    teacher_settings: TeacherSettings,
    optimiser: OptimiserSettings,
    seed: int,
    recompute: bool = False,
) -> tuple[Network, Network]:
    """The two networks at step 0; the teacher is frozen and never drops paths.

    Their heads are drawn from the run's seed, the teacher's a copy of the student's unless published behaviour is
    asked for.

    Raises
    ------
    TrainingError
        When the backbone has no such blocks to train.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        student = Network(start, head, optimiser.drop_path, recompute)
        teacher = Network(start, head)
    if teacher_settings.same_head:
        teacher.head.load_state_dict(student.head.state_dict())
    freeze_all_but(student.backbone, optimiser.trainable_blocks)
    return student.train(), teacher.eval().requires_grad_(False)


def freeze_all_but(backbone: Transformer, blocks: int | Sequence[int] | None) -> None:
    """Let only some blocks of a backbone learn: those from an index on, or those listed; None is everything.

    An index further back than the first block is the first block: the last six blocks of four are all four.

    Raises
    ------
    TrainingError
        When there are no such blocks.
    """
    if blocks is None:
        return
    depth = backbone.spec.depth
    numbers = range(depth)
    within = blocks < depth if isinstance(blocks, int) else all(-depth <= block < depth for block in blocks)
    if not within or blocks == []:
        raise TrainingError(
            f"optimiser.trainable_blocks {blocks} are not among the {depth} blocks of the backbone, which are counted "
            "from 0, or from -1 backwards."
        )
    chosen = set(numbers[blocks:] if isinstance(blocks, int) else [numbers[block] for block in blocks])
    backbone.requires_grad_(False)
    for number in chosen:
        backbone.vit.blocks[number].requires_grad_(True)


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Move the teacher towards the student: ``teacher = m teacher + (1 - m) student``, all weights."""
    average = torch.optim.swa_utils.get_ema_multi_avg_fn(momentum)
    average(_weights(teacher), _weights(student), None)


def _weights(network: nn.Module) -> list[torch.Tensor]:
    return [weight.detach() for weight in network.parameters()]
