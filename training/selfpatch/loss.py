"""Self-distillation of assignments to prototypes (DINO, Caron et al., ICCV 2021, equation 1), centred."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Centre(nn.Module):
    """The running mean of the teacher's scores: subtracted from them, so that no prototype takes all.

    Parameters
    ----------
    prototypes : int
    momentum : float
        Share of itself that it keeps at each update.

    Examples
    --------
    >>> centre = Centre(2, momentum=0.5)
    >>> centre.update(torch.tensor([2.0, 0.0]))
    >>> centre.targets(torch.tensor([[1.0, 0.0]]), temperature=1.0)
    tensor([[0.5000, 0.5000]])
    """

    value: Tensor

    def __init__(self, prototypes: int, momentum: float) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("value", torch.zeros(prototypes))

    def targets(self, scores: Tensor, temperature: float) -> Tensor:
        """Soft assignments (..., prototypes) of the teacher, without gradient."""
        return ((scores.float() - self.value) / temperature).softmax(-1).detach()

    @torch.no_grad()
    def update(self, mean: Tensor) -> None:
        """Move towards the mean (prototypes,) of the scores of a batch."""
        self.value.lerp_(mean.float(), 1 - self.momentum)


def cross_entropy(scores: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Mean over all but the last axis of the cross-entropy between targets and the student's assignments.

    Its minimum is the entropy of the targets.

    Examples
    --------
    >>> targets = torch.tensor([[0.25, 0.75]])
    >>> found = cross_entropy(targets.log(), targets, temperature=1.0)
    >>> torch.isclose(found, -(targets * targets.log()).sum())
    tensor(True)
    """
    return -(targets * (scores.float() / temperature).log_softmax(-1)).sum(-1).mean()


def entropy(targets: Tensor) -> Tensor:
    """Mean entropy of targets (..., prototypes): what the cross-entropy cannot fall below."""
    return torch.special.entr(targets).sum(-1).mean()


def across_crops(student: Sequence[Tensor], targets: Sequence[Tensor], temperature: float) -> Tensor:
    """Cross-entropy of every crop of the student with every other crop of the teacher, the mean over pairs.

    Parameters
    ----------
    student : sequence of Tensor (B, prototypes)
        One for each crop, those that the teacher sees first.
    targets : sequence of Tensor (B, prototypes)
        One for each crop that the teacher sees.
    """
    losses = [
        cross_entropy(scores, wanted, temperature)
        for number, wanted in enumerate(targets)
        for other, scores in enumerate(student)
        if other != number
    ]
    return torch.stack(losses).mean()
