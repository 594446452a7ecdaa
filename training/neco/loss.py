"""NeCo's loss: do student and teacher rank the same reference patches in the same order?

Every aligned patch of the student and of the teacher is compared with the same n reference patches. Both rows
of similarities are sorted softly; the teacher's permutation matrix Q is the target of the student's P:

    CE = - mean over queries and references i of  sum over ranks j of  Q[i, j] log P[i, j]

(NeCo, arXiv 2408.11054). Gradient flows to the student alone. Uniform P scores ln n; the minimum is the
teacher's own entropy.
"""

from typing import Any, Literal

import torch
from torch.autograd.function import once_differentiable

from training.neco.sorting.networks import SortingNetwork
from training.neco.sorting.soft import Tape, close_gates, mix, open_gates, pull_back

Similarity = Literal["cosine", "euclidean"]

_ROWS_OF_GATES = {"cpu": 2048, "cuda": 8192}
_ROWS_OF_MATRICES = {"cpu": 256, "cuda": 8192}
"""Rows sorted at once. On a CPU the matrices of a chunk should stay in its cache; a GPU wants long
operations. Memory is about 0.1 MB per row of matrices, whatever the batch."""


def similarity(queries: torch.Tensor, references: torch.Tensor, kind: Similarity = "cosine") -> torch.Tensor:
    """Similarity of every query to every reference of its group, in float32.

    Parameters
    ----------
    queries : Tensor (..., q, d)
    references : Tensor (..., n, d)
    kind : {"cosine", "euclidean"}
        ``euclidean`` is the distance itself, as published: what is sorted only has to be monotone.

    Returns
    -------
    Tensor (..., q, n) float32
    """
    with torch.autocast(queries.device.type, enabled=False):
        queries, references = queries.float(), references.float()
        if kind == "euclidean":
            return torch.cdist(queries, references)
        queries = torch.nn.functional.normalize(queries, dim=-1)
        references = torch.nn.functional.normalize(references, dim=-1)
        return queries @ references.transpose(-1, -2)


def rank_cross_entropy(
    student: torch.Tensor,
    teacher: torch.Tensor,
    network: SortingNetwork,
    student_steepness: float = 100.0,
    teacher_steepness: float = 100.0,
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Cross-entropy between the soft rankings of two sets of rows.

    The gradient is computed chunk by chunk together with the value and only ``(rows, n)`` numbers are kept
    for the backward pass, so memory does not grow with the permutation matrices of the batch.

    Parameters
    ----------
    student, teacher : Tensor (rows, n)
        Similarities to the same references, in the same order.
    network : SortingNetwork
        Network of n wires.
    student_steepness, teacher_steepness : float
        Steepness of the comparators.
    weights : Tensor (rows,), optional
        Weight of each row in the sum; by default every row weighs 1 / rows. Rows of weight 0 cost nothing.

    Returns
    -------
    Tensor ()
        Loss in nats per reference. No weight at all gives 0, with a gradient of 0.
    """
    if weights is None:
        weights = student.new_full((len(student),), 1 / max(len(student), 1), dtype=torch.float32)
    kept = weights != 0
    if not kept.all():
        student, teacher, weights = student[kept], teacher[kept], weights[kept]
    return _RankCrossEntropy.apply(
        _raised(student), _raised(teacher.detach()), weights, network, student_steepness, teacher_steepness
    )


def rank_entropy(rows: torch.Tensor, network: SortingNetwork, steepness: float) -> torch.Tensor:
    """Mean entropy in nats of the rank of a reference: 0 is a hard order, ln n says nothing.

    Parameters
    ----------
    rows : Tensor (rows, n)
        Similarities.
    """
    rows = rows.detach()
    return rank_cross_entropy(rows, rows, network, steepness, steepness)


def pair_weights(mask: torch.Tensor, kept: torch.Tensor | None = None) -> torch.Tensor:
    """Weights of all rows: the mean over pairs of the mean over the cells that a mask keeps.

    Parameters
    ----------
    mask : Tensor (pairs, ...) bool
        Which cells count; all True is the plain mean.
    kept : Tensor (pairs,), optional
        Number of kept cells of each pair, where other processes hold a share of them.

    Returns
    -------
    Tensor (pairs, ...) float32
        They sum to 1, less the share of pairs of which nothing is kept.
    """
    rows = mask.flatten(1).float()
    kept = rows.sum(1) if kept is None else kept
    return (rows / (kept.clamp(min=1)[:, None] * len(mask))).view(mask.shape)


class _RankCrossEntropy(torch.autograd.Function):
    """The weighted sum over rows, with the gradient computed on the way."""

    @staticmethod
    def forward(
        ctx: Any,
        student: torch.Tensor,
        teacher: torch.Tensor,
        weights: torch.Tensor,
        network: SortingNetwork,
        student_steepness: float,
        teacher_steepness: float,
    ) -> torch.Tensor:
        needed = ctx.needs_input_grad[0]
        gradient = torch.empty_like(student if needed else student[:0])
        loss = student.new_zeros(())
        for rows in _slices(len(student), _ROWS_OF_GATES[_kind(student)]):
            student_gates, differences, _ = open_gates(student[rows].T.contiguous(), network, student_steepness)
            teacher_gates = open_gates(teacher[rows].T.contiguous(), network, teacher_steepness)[0]
            block_loss, at_gates = _mixed(student_gates, teacher_gates, weights[rows], network, needed)
            loss += block_loss
            if needed:
                at_wires = close_gates(at_gates, None, student_gates, differences, network, student_steepness)
                gradient[rows] = at_wires.T
        if needed:
            ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, output_gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return (gradient * output_gradient, *[None] * 5)


def _mixed(
    student_gates: torch.Tensor,
    teacher_gates: torch.Tensor,
    weights: torch.Tensor,
    network: SortingNetwork,
    with_gradient: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss and gradient at the student's gates of a block of rows, chunk by chunk."""
    loss = student_gates.new_zeros(())
    at_gates = torch.empty_like(student_gates) if with_gradient else student_gates
    chunk = _ROWS_OF_MATRICES[_kind(student_gates)]
    tape = None
    for rows in _slices(student_gates.shape[1], chunk):
        gates = student_gates[:, rows].contiguous()
        if with_gradient and (tape is None or tape.rows != gates.shape[1]):
            tape = Tape(network, gates.shape[1], gates)
        target = mix(teacher_gates[:, rows].contiguous(), network)
        predicted = mix(gates, network, tape)
        # Far-off ranks of steep odd-even networks underflow to 0; the loss must stay finite there.
        floor = torch.finfo(predicted.dtype).tiny
        vanished = predicted < floor
        target *= weights[rows] / network.size
        loss -= (target * predicted.clamp_(min=floor).log()).sum()
        if tape is not None:
            at_permutation = target.div_(predicted).neg_().masked_fill_(vanished, 0)
            at_gates[:, rows] = pull_back(at_permutation, gates, network, tape)
    return loss, at_gates


def _slices(length: int, step: int) -> list[slice]:
    return [slice(start, min(start + step, length)) for start in range(0, length, step)]


def _kind(tensor: torch.Tensor) -> str:
    return "cuda" if tensor.is_cuda else "cpu"


def _raised(values: torch.Tensor) -> torch.Tensor:
    return values if values.dtype == torch.float64 else values.float()
