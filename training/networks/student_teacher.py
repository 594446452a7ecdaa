"""Student and teacher: the same transformer twice, each with a projection head."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from patchfield.backbones import Transformer, ViT, ViTSpec, load_backbone
from patchfield.backbones.spec import State
from training.errors import TrainingError
from training.neco.settings import HeadSettings, RunSettings

_HEAD_DEVIATION = 0.02


@dataclass(frozen=True)
class Start:
    """The backbone that training starts from.

    Attributes
    ----------
    spec : ViTSpec
    state : mapping of str to Tensor
        On the CPU, float32.
    fingerprint : str
        Of the backbone as it was loaded.
    """

    spec: ViTSpec
    state: State
    fingerprint: str


def load_start(settings: RunSettings) -> Start:
    """Load the initial backbone, with its registers left out where that is wanted.

    Raises
    ------
    BackboneError
        When it cannot be loaded.
    TrainingError
        When it is nothing that can be trained.
    """
    backbone = load_backbone(settings.init, device="cpu", weights=settings.init_network)
    if not isinstance(backbone, ViT):
        raise TrainingError(
            f"'{settings.init}' is no vision transformer and cannot be trained: "
            "choose another one that `patchfield models` lists."
        )
    spec = backbone.spec
    state: State = {key: value.detach() for key, value in backbone.transformer.vit.state_dict().items()}
    if settings.drop_registers:
        spec, state = without_registers(spec, state)
    if settings.positions is not None:
        spec = replace(spec, positions=settings.positions)
    return Start(spec, state, backbone.fingerprint)


def without_registers(spec: ViTSpec, state: State) -> tuple[ViTSpec, State]:
    """The transformer with its register tokens left out ("XR" in NeCo's names)."""
    if not spec.registers:
        raise TrainingError("the initial backbone has no registers to drop: leave drop_registers at false.")
    return spec.without_registers(), {key: value for key, value in state.items() if key != "reg_token"}


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


def projection_head(channels: int, settings: HeadSettings) -> nn.Sequential:
    """Linear layers with GELU between them; truncated normal weights, no biases at the start."""
    widths = [channels, *[settings.hidden] * (settings.layers - 1), settings.channels]
    modules: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        linear = nn.Linear(inputs, outputs)
        nn.init.trunc_normal_(linear.weight, std=_HEAD_DEVIATION)
        nn.init.zeros_(linear.bias)
        modules += [linear, nn.GELU()]
    return nn.Sequential(*modules[:-1])


def student_and_teacher(start: Start, settings: RunSettings) -> tuple[Network, Network]:
    """The two networks at step 0; the teacher is frozen and never drops paths.

    Their heads are drawn from the run's seed, the teacher's a copy of the student's unless published behaviour is
    asked for.
    """
    optimiser = settings.optimiser
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        student = Network(start, settings.head, optimiser.drop_path, settings.recompute)
        teacher = Network(start, settings.head)
    if settings.teacher.same_head:
        teacher.head.load_state_dict(student.head.state_dict())
    freeze_all_but(student.backbone, optimiser.trainable_blocks)
    return student.train(), teacher.eval().requires_grad_(False)


def freeze_all_but(backbone: Transformer, blocks: int | Sequence[int] | None) -> None:
    """Let only some blocks of a backbone learn: those from an index on, or those listed; None is everything."""
    if blocks is None:
        return
    depth = backbone.spec.depth
    if isinstance(blocks, Sequence) and not all(-depth <= block < depth for block in blocks):
        raise TrainingError(
            f"optimiser.trainable_blocks {list(blocks)} are not among the {depth} blocks of the backbone."
        )
    numbers = range(depth)
    chosen = set(numbers[blocks:] if isinstance(blocks, int) else [numbers[block] for block in blocks])
    backbone.requires_grad_(False)
    for number in chosen:
        backbone.vit.blocks[number].requires_grad_(True)


def parameter_groups(network: Network) -> list[dict]:
    """Optimiser groups: backbone and head, each with and without weight decay (vectors, such as biases, have none)."""
    groups = []
    for part in ("backbone", "head"):
        parameters = [parameter for parameter in getattr(network, part).parameters() if parameter.requires_grad]
        for decayed in (True, False):
            chosen = [parameter for parameter in parameters if (parameter.ndim > 1) == decayed]
            groups.append({"params": chosen, "part": part, "decayed": decayed})
    return [group for group in groups if group["params"]]


@torch.no_grad()
def follow(teacher: Network, student: Network, momentum: float) -> None:
    """Move the teacher towards the student: ``teacher = m teacher + (1 - m) student``, all weights."""
    average = torch.optim.swa_utils.get_ema_multi_avg_fn(momentum)
    average(_weights(teacher), _weights(student), None)


def _weights(network: Network) -> list[torch.Tensor]:
    return [weight.detach() for weight in network.parameters()]
