"""Differentiable sorting: soft permutation matrices of many short rows at once.

A sorting network is relaxed by letting every comparator exchange its two values only partly: with the upper
value a and the lower value b, the *gate*

    g = 1/2 + atan(s (a - b)) / pi            (Cauchy distribution, steepness s; Petersen et al., ICLR 2022)

is how far they are exchanged, ``a' = a - g (a - b)`` and ``b' = b + g (a - b)``. The columns of an identity
matrix, mixed by the same gates, become the soft permutation matrix P: doubly stochastic, ``sorted = x P``, and
``P[i, j]`` is the soft probability that item i takes rank j.

Two stages follow from this. `open_gates` runs the values through the network and keeps one number per
comparator. `mix` builds P from the gates alone; the adjoint of a comparator is the comparator itself, so
`pull_back` runs the same network backwards. Tensors put the rows last, ``(wires, ..., rows)``, so that every
operation is long and contiguous.

Everything is computed in float32 at least: bfloat16 breaks double stochasticity in the second decimal.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from training.neco.sorting.networks import Layer, SortingNetwork, Span


def soft_sort(values: torch.Tensor, network: SortingNetwork, steepness: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Sort rows softly, with gradients.

    Parameters
    ----------
    values : Tensor (rows, n)
        Rows to sort in ascending order; half precision is raised to float32.
    network : SortingNetwork
        Network of n wires.
    steepness : float
        Inverse temperature s of the comparators, in units of 1 / value; infinity sorts hard.

    Returns
    -------
    ranked : Tensor (rows, n)
        The softly sorted values.
    permutation : Tensor (rows, n, n)
        ``permutation[r, i, j]``: probability that item i of row r takes rank j.

    Examples
    --------
    >>> from training.neco.sorting.networks import sorting_network
    >>> ranked, permutation = soft_sort(torch.tensor([[2.0, 1.0]]), sorting_network("bitonic", 2), 1.0)
    >>> permutation[0, 0]                                    # 2 is more likely the second than the first
    tensor([0.2500, 0.7500])
    """
    wires = _raised(values).T.contiguous()
    ranked, permutation = _SoftSort.apply(wires, network, steepness)
    return ranked.T, permutation.permute(2, 1, 0)


def open_gates(
    wires: torch.Tensor, network: SortingNetwork, steepness: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Run values through the network.

    Parameters
    ----------
    wires : Tensor (n, rows) float
        Values; not changed.

    Returns
    -------
    gates, differences : Tensor (comparators, rows)
        How far each comparator exchanges, and the difference a - b that it saw.
    ranked : Tensor (n, rows)
    """
    ranked = wires.clone()
    gates, differences = wires.new_empty(2, network.comparators, wires.shape[1])
    for comparators, layer in _comparators_by_layer(network, wires.device):
        a, b = ranked[layer.upper], ranked[layer.lower]
        difference = torch.sub(a, b, out=differences[comparators])
        direction = layer.direction.to(wires)
        gate = torch.atan(difference * steepness).mul_(direction / math.pi).add_(0.5)
        gates[comparators] = gate
        moved = gate * difference
        ranked[layer.upper] = a - moved
        ranked[layer.lower] = b + moved
    return gates, differences, ranked


def close_gates(
    gradient: torch.Tensor,
    ranked_gradient: torch.Tensor | None,
    gates: torch.Tensor,
    differences: torch.Tensor,
    network: SortingNetwork,
    steepness: float,
) -> torch.Tensor:
    """Adjoint of :func:`open_gates`: from the gradient at the gates (and ranked values) to that at the values.

    Parameters
    ----------
    gradient : Tensor (comparators, rows)
    ranked_gradient : Tensor (n, rows), optional

    Returns
    -------
    Tensor (n, rows)
    """
    shape = (network.size, gates.shape[1])
    pulled = gates.new_zeros(shape) if ranked_gradient is None else ranked_gradient.clone()
    for comparators, layer in reversed(list(_comparators_by_layer(network, gates.device))):
        difference, gate = differences[comparators], gates[comparators]
        a, b = pulled[layer.upper], pulled[layer.lower]
        exchanged = a - b
        slope = layer.direction.to(gates) * (steepness / math.pi) / (1 + (difference * steepness).square())
        at_gate = gradient[comparators] - difference * exchanged
        at_difference = slope * at_gate - gate * exchanged
        pulled[layer.upper] = a + at_difference
        pulled[layer.lower] = b - at_difference
    return pulled


def mix(gates: torch.Tensor, network: SortingNetwork, tape: "Tape | None" = None) -> torch.Tensor:
    """Build soft permutation matrices from gates.

    Parameters
    ----------
    gates : Tensor (comparators, rows)
    tape : Tape, optional
        Filled with what :func:`pull_back` needs.

    Returns
    -------
    Tensor (n, n, rows)
        ``[j, i, row]``: probability that item i takes rank j.
    """
    size, rows = network.size, gates.shape[1]
    permutation = gates.new_zeros(size, size, rows)
    permutation.diagonal().fill_(1)
    for comparators, span in _comparators_by_span(network):
        a, b = span.split(permutation)
        difference = torch.sub(a, b, out=None if tape is None else tape.next(a.shape))
        share = gates[comparators].view(span.blocks, span.width, 1, rows)
        a.addcmul_(difference, share, value=-1)
        b.addcmul_(difference, share)
    return permutation


def pull_back(gradient: torch.Tensor, gates: torch.Tensor, network: SortingNetwork, tape: "Tape") -> torch.Tensor:
    """Adjoint of :func:`mix`: from the gradient at the permutation matrices to that at the gates.

    Parameters
    ----------
    gradient : Tensor (n, n, rows)
        Overwritten.

    Returns
    -------
    Tensor (comparators, rows)
    """
    at_gates = torch.empty_like(gates)
    rows = gates.shape[1]
    for comparators, span in reversed(list(_comparators_by_span(network))):
        a, b = span.split(gradient)
        exchanged = a - b
        difference = tape.previous(a.shape).mul_(exchanged)
        at_gates[comparators] = difference.sum(2).neg_().view(-1, rows)
        share = gates[comparators].view(span.blocks, span.width, 1, rows)
        a.addcmul_(exchanged, share, value=-1)
        b.addcmul_(exchanged, share)
    return at_gates


class Tape:
    """Column differences of every comparator, written by :func:`mix` and read backwards by :func:`pull_back`.

    One allocation that is reused from chunk to chunk.
    """

    def __init__(self, network: SortingNetwork, rows: int, like: torch.Tensor) -> None:
        length = sum(
            span.comparators * (span.support.stop - span.support.start)
            for layer in network.layers
            for span in layer.spans
        )
        self.rows = rows
        self._memory = like.new_empty(length * rows)
        self._position = 0

    def next(self, shape: torch.Size) -> torch.Tensor:
        start, self._position = self._position, self._position + shape.numel()
        return self._memory[start : self._position].view(shape)

    def previous(self, shape: torch.Size) -> torch.Tensor:
        stop, self._position = self._position, self._position - shape.numel()
        return self._memory[self._position : stop].view(shape)


class _SoftSort(torch.autograd.Function):
    """`open_gates` and `mix` with a backward pass that keeps two numbers per comparator and recomputes P."""

    @staticmethod
    def forward(
        ctx: Any, wires: torch.Tensor, network: SortingNetwork, steepness: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        gates, differences, ranked = open_gates(wires, network, steepness)
        ctx.save_for_backward(gates, differences)
        ctx.network, ctx.steepness = network, steepness
        return ranked, mix(gates, network)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, ranked_gradient: torch.Tensor, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        gates, differences = ctx.saved_tensors
        tape = Tape(ctx.network, gates.shape[1], gates)
        mix(gates, ctx.network, tape)
        at_gates = pull_back(gradient.clone(), gates, ctx.network, tape)
        wires = close_gates(at_gates, ranked_gradient, gates, differences, ctx.network, ctx.steepness)
        return wires, None, None


def _raised(values: torch.Tensor) -> torch.Tensor:
    return values if values.dtype == torch.float64 else values.float()


def _comparators_by_layer(network: SortingNetwork, device: torch.device) -> Iterator[tuple[slice, Layer]]:
    start = 0
    for layer in network.on(device):
        stop = start + len(layer.upper)
        yield slice(start, stop), layer
        start = stop


def _comparators_by_span(network: SortingNetwork) -> Iterator[tuple[slice, Span]]:
    start = 0
    for layer in network.layers:
        for span in layer.spans:
            yield slice(start, start + span.comparators), span
            start += span.comparators
