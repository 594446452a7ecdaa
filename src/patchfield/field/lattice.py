"""One regular lattice for the tokens of several views, as guided upsampling needs it.

Views place their tokens beside one another: the sub-patch phases of a sampling interleave to a finer lattice, shifted
views stand a pixel or two apart. A node of the lattice is the mean of the views, each interpolated there and weighted
by how near its tokens stand: of the phases of ``balanced``, which fill the lattice exactly, a node is one token.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, kron

from patchfield.field.axis import Axis
from patchfield.field.grid import Grid

_FAR = 1e-3
"""Weight of a view whose tokens stand a whole lattice step away: it counts only where no other view is."""


@dataclass(frozen=True)
class LatticeAxis:
    """Nodes of a lattice along one image axis.

    Attributes
    ----------
    origin, pitch : float
        Node i stands at pixel ``origin + i * pitch`` of the image; the outermost may lie outside of it.
    count : int
    size : int
        Pixels of the image along the axis.
    """

    origin: float
    pitch: float
    count: int
    size: int

    @property
    def positions(self) -> NDArray[np.float64]:
        """Where the nodes stand, in pixels of the image, (count,)."""
        return self.origin + np.arange(self.count, dtype=np.float64) * self.pitch

    def nearest(self, pixels: NDArray[np.floating]) -> NDArray[np.int64]:
        """The node nearest to each position, (n,)."""
        nodes: NDArray[np.int64] = np.rint((pixels - self.origin) / self.pitch).astype(np.int64)
        return np.clip(nodes, 0, self.count - 1)


@dataclass(frozen=True)
class _Share:
    """What the tokens of one axis of a view give to the nodes: ``taps @ tokens``, and how near they stand."""

    tokens: NDArray[np.int64]
    weights: NDArray[np.float64]
    nearness: NDArray[np.float64]


class Lattice:
    """The lattice of some views of one image.

    Parameters
    ----------
    grids : sequence of Grid
        Of one backbone level: they share their pitch.

    Attributes
    ----------
    rows, columns : LatticeAxis

    Examples
    --------
    >>> import numpy as np, patchfield as pf
    >>> field = pf.extract(np.eye(64), "filters", "fast")
    >>> lattice = Lattice(field.blocks[-1].grids)
    >>> lattice.rows.pitch, lattice.rows.count
    (8.0, 8)
    """

    def __init__(self, grids: Sequence[Grid]) -> None:
        self._grids = tuple(grids)
        self.rows = _lattice_axis([grid.rows for grid in grids])
        self.columns = _lattice_axis([grid.columns for grid in grids])
        self._shares = [(_share(grid.rows, self.rows), _share(grid.columns, self.columns)) for grid in grids]
        products = (
            grid.count * np.outer(rows.nearness, columns.nearness)
            for grid, (rows, columns) in zip(grids, self._shares, strict=True)
        )
        self._total = reduce(np.add, products)

    def maps(self, maps_of: Callable[[torch.Tensor], torch.Tensor], rows: slice, columns: slice) -> NDArray[np.float32]:
        """Maps of the tokens at some nodes.

        Parameters
        ----------
        maps_of : callable
            Turns tokens (h, w, C) into maps (K, h, w) float32.
        rows, columns : slice
            The nodes wanted.

        Returns
        -------
        (K, rows, columns) float32 array
        """
        height, width = self._total[rows, columns].shape
        total = np.zeros((1, height, width), np.float32)
        for grid, (row_share, column_share) in zip(self._grids, self._shares, strict=True):
            row_tokens, row_weights = _weighted(row_share, rows)
            column_tokens, column_weights = _weighted(column_share, columns)
            used = slice(row_tokens.min(), row_tokens.max() + 1), slice(column_tokens.min(), column_tokens.max() + 1)
            maps = maps_of(grid.tokens[used]).numpy()
            row_taps, column_taps = row_tokens - used[0].start, column_tokens - used[1].start
            along = _mixed(maps, row_taps, row_weights[:, :, None], 1)
            total = total + grid.count * _mixed(along, column_taps, column_weights, 2)
        mean: NDArray[np.float32] = (total / self._total[rows, columns]).astype(np.float32)
        return mean

    @cached_property
    def mixtures(self) -> list[csr_array]:
        """For each view the matrix (nodes, tokens) that, all added up, makes the nodes of the tokens."""
        scale = 1 / self._total.reshape(-1)
        mixtures = []
        for grid, (row_share, column_share) in zip(self._grids, self._shares, strict=True):
            rows = _matrix(row_share, grid.rows.count)
            columns = _matrix(column_share, grid.columns.count)
            mixtures.append(csr_array(kron(rows, columns, format="csr").multiply((grid.count * scale)[:, None])))
        return mixtures


def _mixed(
    maps: NDArray[np.float32], taps: NDArray[np.int64], weights: NDArray[np.float32], axis: int
) -> NDArray[np.float32]:
    """Maps (K, h, w) at the nodes of an axis: the sum over its taps, each with its weight."""
    parts = [maps.take(taps[:, tap], axis) * weights[:, tap] for tap in range(taps.shape[1])]
    mixed: NDArray[np.float32] = reduce(np.add, parts)
    return mixed


def _lattice_axis(axes: Sequence[Axis]) -> LatticeAxis:
    """The lattice that begins at the first view's tokens; twice as fine where other views' tokens stand between."""
    first, size = axes[0], axes[0].size
    starts = np.array([_first_token(axis) for axis in axes])
    beside = (starts - starts[0]) % first.pitch
    between = bool((np.minimum(beside, first.pitch - beside) > first.pitch / 4).any())
    pitch = first.pitch / 2 if between else float(first.pitch)
    origin = float(starts[0] % pitch)
    if origin - pitch / 2 > -0.5:  # every pixel lies in the cell of a node
        origin -= pitch
    count = int(np.ceil((size - 0.5 - pitch / 2 - origin) / pitch)) + 1
    return LatticeAxis(origin, pitch, max(1, count), size)


def _first_token(axis: Axis) -> float:
    """Where a token stands in the image, up to whole pitches."""
    position = axis.origin - axis.view.shift
    return axis.size - 1 - position if axis.view.flip else position


def _share(axis: Axis, nodes: LatticeAxis) -> _Share:
    inside = np.clip(nodes.positions, 0, axis.size - 1)
    # Nodes stand in the image that the tokens were made of, whatever image is asked for.
    tokens, weights = replace(axis, pixels=None).taps(inside, "bilinear")
    distance = np.abs(weights[:, 1]) if weights.shape[1] == 2 else np.zeros(len(tokens))
    distance = np.minimum(distance, 1 - distance) * axis.pitch
    return _Share(tokens, weights, np.clip(1 - distance / nodes.pitch, _FAR, 1))


def _weighted(share: _Share, nodes: slice) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    weights = (share.weights * share.nearness[:, None])[nodes].astype(np.float32)
    return share.tokens[nodes], weights


def _matrix(share: _Share, tokens: int) -> csr_array:
    nodes, taps = share.tokens.shape
    values = (share.weights * share.nearness[:, None]).reshape(-1)
    return csr_array((values, share.tokens.reshape(-1), np.arange(0, nodes * taps + 1, taps)), shape=(nodes, tokens))
