"""Sorting networks: which wires are compared and exchanged, layer by layer.

Two classic constructions, for any number of wires: Batcher's bitonic network (few layers) and the odd-even
transposition network (neighbours only). The wire order and the direction of every comparator are those of
differentiable sorting networks as published (Petersen et al., ICML 2021), so that *soft* permutations agree
as well: for a number of wires that is no power of two, the bitonic network of the next power of two runs on
its last wires, and comparators that miss a wire are left out. For some numbers (22, 38, 42 to 46, 54, ...; not
for squares such as 49) what is left no longer sorts, in the published implementation too: those are refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch

from patchfield.errors import PatchfieldError

Topology = Literal["bitonic", "odd_even"]

SMALLEST_SUPPORT = 16
"""Early bitonic phases only mix wires inside aligned blocks, so most of the permutation matrix is still zero
and is skipped; below this block size, more but shorter operations would cost more than they save."""


@dataclass(frozen=True)
class Span:
    """A run of comparators of one layer that regular slicing reaches without gathering.

    Comparator ``(block, j)`` connects wire ``first + block * 2 * distance + j`` with the wire `distance`
    further, for ``block < blocks`` and ``j < width``. Only the items ``support`` can have reached these wires.
    """

    first: int
    distance: int
    blocks: int
    width: int
    support: slice

    @property
    def comparators(self) -> int:
        return self.blocks * self.width

    def uppers(self) -> list[int]:
        """The first wire of each comparator, in order."""
        starts = [self.first + 2 * self.distance * block for block in range(self.blocks)]
        return [start + j for start in starts for j in range(self.width)]

    def split(self, wires: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Views ``(blocks, width, support, ...)`` of the two ends in a tensor ``(wires, items, ...)``."""
        if self.blocks == 1:
            upper = wires[None, self.first : self.first + self.width, self.support]
            start = self.first + self.distance
            return upper, wires[None, start : start + self.width, self.support]
        run = wires[self.first : self.first + 2 * self.distance * self.blocks, self.support]
        run = run.unflatten(0, (self.blocks, 2, self.distance))
        return run[:, 0], run[:, 1]


@dataclass(frozen=True, eq=False)
class Layer:
    """Comparators that touch disjoint wires and so act at once.

    Attributes
    ----------
    upper, lower : Tensor (comparators,) int64
        The wires that each comparator connects.
    direction : Tensor (comparators, 1) float32
        +1 where the smaller value leaves on the upper wire, -1 where it leaves on the lower one.
    spans : tuple of Span
        The same comparators in the same order, as slices.
    """

    upper: torch.Tensor
    lower: torch.Tensor
    direction: torch.Tensor
    spans: tuple[Span, ...]

    def to(self, device: torch.device) -> "Layer":
        """The layer with its tensors on `device`."""
        return Layer(self.upper.to(device), self.lower.to(device), self.direction.to(device), self.spans)


@dataclass(frozen=True, eq=False)
class SortingNetwork:
    """A sorting network of `size` wires; see :func:`sorting_network`."""

    topology: Topology
    size: int
    layers: tuple[Layer, ...]

    @property
    def comparators(self) -> int:
        return sum(len(layer.upper) for layer in self.layers)

    @lru_cache(maxsize=4)  # noqa: B019 - networks are few and live as long as the process
    def on(self, device: torch.device) -> tuple[Layer, ...]:
        """The layers with their tensors on `device`, copied there once."""
        return tuple(layer.to(device) for layer in self.layers)


@lru_cache(maxsize=16)
def sorting_network(topology: Topology, size: int) -> SortingNetwork:
    """The network of the given topology that sorts `size` values in ascending order.

    Parameters
    ----------
    topology : {"bitonic", "odd_even"}
        ``bitonic`` has k (k + 1) / 2 layers with ``k = ceil(log2(size))``, ``odd_even`` has `size` layers.
    size : int
        Number of wires, at least 2.

    Raises
    ------
    PatchfieldError
        When there is no such network, or the bitonic one does not sort that many values.

    Examples
    --------
    >>> network = sorting_network("bitonic", 49)
    >>> len(network.layers), network.comparators
    (21, 483)
    """
    if size < 2:
        raise PatchfieldError(f"{size} reference(s) cannot be ranked: use at least 2.")
    layers = {"bitonic": _bitonic_layers, "odd_even": _odd_even_layers}[topology](size)
    network = SortingNetwork(topology, size, tuple(layers))
    if not _sorts(network):
        raise PatchfieldError(
            f"the bitonic network does not sort {size} references: use another number, such as "
            f"{2 ** (size.bit_length() - 1)}, or the odd_even network."
        )
    return network


def _sorts(network: SortingNetwork) -> bool:
    """Whether 500 random rows come out in order; a network that does not sort fails on every fifth."""
    wires = torch.rand(network.size, 500, generator=torch.Generator().manual_seed(0))
    expected = wires.sort(0).values
    for layer in network.layers:
        a, b = wires[layer.upper], wires[layer.lower]
        exchanged = (a - b) * layer.direction > 0
        wires[layer.upper] = torch.where(exchanged, b, a)
        wires[layer.lower] = torch.where(exchanged, a, b)
    return torch.equal(wires, expected)


def _odd_even_layers(size: int) -> Iterator[Layer]:
    for index in range(size):
        first = index % 2
        pairs = (size - first) // 2
        if pairs:
            span = Span(first, distance=1, blocks=pairs, width=1, support=slice(0, size))
            yield _layer((span,), [1.0] * pairs)


def _bitonic_layers(size: int) -> Iterator[Layer]:
    phases = (size - 1).bit_length()
    missing = 2**phases - size
    for phase in range(phases):
        for distance in (2**step for step in range(phase, -1, -1)):
            block = max(2 ** (phase + 1), min(SMALLEST_SUPPORT, 2**phases))
            spans = tuple(
                span for start in range(0, 2**phases, block) for span in _bitonic_spans(start, block, distance, missing)
            )
            uppers = [upper + missing for span in spans for upper in span.uppers()]
            directions = [-1.0 if (upper >> (phase + 1)) % 2 else 1.0 for upper in uppers]
            if spans:
                yield _layer(spans, directions)


def _bitonic_spans(start: int, block: int, distance: int, missing: int) -> Iterator[Span]:
    """The comparators at `distance` of one aligned block, without the `missing` first wires of the network."""
    support = slice(max(start - missing, 0), max(start + block - missing, 0))
    run = 2 * distance
    incomplete = min(-(-max(missing - start, 0) // run), block // run)
    width = start + incomplete * run - distance - missing
    if incomplete and width > 0:
        yield Span(0, distance, blocks=1, width=width, support=support)
    if incomplete < block // run:
        first = start + incomplete * run - missing
        yield Span(first, distance, block // run - incomplete, width=distance, support=support)


def _layer(spans: tuple[Span, ...], directions: list[float]) -> Layer:
    upper = torch.tensor([wire for span in spans for wire in span.uppers()])
    distance = torch.tensor([span.distance for span in spans for _ in range(span.comparators)])
    return Layer(upper, upper + distance, torch.tensor(directions)[:, None], spans)
