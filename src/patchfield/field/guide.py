"""Guided upsampling: pixels take the tokens that look like them, by weights that the image alone decides.

A pixel's feature is a mean of the 5 x 5 tokens around it, weighted by a softmax of how alike the pixel and the token's
cell look and of their distance: joint bilateral upsampling (Kopf et al., ACM Trans. Graph. 26, 96, 2007) with more than
grey to go by. The weights do not depend on the tokens, so they are as linear as bilinear interpolation: class maps are
upsampled instead of features, exactly. They are computed once per image, for a grid of nodes two pixels apart.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from patchfield.field.axis import Axis
from patchfield.field.grid import Grid, empty_tokens
from patchfield.field.lattice import Lattice, LatticeAxis
from patchfield.field.views import AxisView

GUIDE_VERSION = 1
"""Counts up whenever the weights of an image change: probes on features of another version are refused."""

NODE_PITCH = 2
"""Pixels between the nodes that have weights of their own; between them pixels interpolate."""

MIN_PITCH = 7
"""Tokens nearer to one another than this are interpolated as they are: they show borders themselves."""

_REACH = 2
_TAPS = (2 * _REACH + 1) ** 2

_DISTANCE = 1.0
"""Standard deviation of the weight that distance gives, in steps of the lattice."""

_LIKENESS = 0.5
"""How unlike a pixel and a cell may look, as a share of what neighbours differ by on average."""

_FLAT = 1e-4
"""Deviation below which a channel of the guide tells nothing."""

_STRIP_PIXELS = 1 << 16
_KEPT_BYTES = 1 << 27
"""Matrices of smaller images than this takes are kept between strokes (two megapixels)."""

Describe = Callable[[slice], NDArray[np.float32]]
"""What a strip of node rows looks like: (rows, columns, channels) float32."""


class GuidedGrid:
    """The nodes of an image, each a mixture of the tokens around it: stands where a grid of tokens could stand.

    Parameters
    ----------
    grids : sequence of Grid
        The views of one backbone level.
    weights : Tensor (h, w, 25) float16
        As :func:`guide_weights` makes them for the lattice of these views.
    """

    count = 1

    def __init__(self, grids: Sequence[Grid], weights: torch.Tensor) -> None:
        self._grids, self._weights = tuple(grids), weights
        self.rows, self.columns = (
            replace(node_axis(axis.size), pixels=axis.pixels) for axis in (grids[0].rows, grids[0].columns)
        )
        self._lattice = Lattice(grids)
        self._row_taps = _taps(self._lattice.rows, self.rows)
        self._column_taps = _taps(self._lattice.columns, self.columns)

    def maps(self, maps_of: Callable[[torch.Tensor], torch.Tensor], rows: slice, columns: slice) -> torch.Tensor:
        """Maps (K, rows, columns) of some nodes: the maps of the tokens, mixed."""
        height, width = len(self._row_taps[rows]), len(self._column_taps[columns])
        part = self._extents(rows, columns)
        whole = (height, width) == (self.rows.count, self.columns.count)
        mixture = self._whole if whole and self._is_kept else self._mixture(rows, columns, part)
        tokens = self._lattice.maps(maps_of, *part)
        mixed = mixture @ tokens.reshape(len(tokens), -1).T
        return torch.from_numpy(np.ascontiguousarray(mixed.T)).reshape(len(tokens), height, width)

    def gather(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features at pixels (rows[i], columns[i]): (n, C) float32, of the few tokens that they touch."""
        nodes, near = _pixel_mixture(self.rows, self.columns, rows, columns)
        node_rows, node_columns = np.divmod(nodes, self.columns.count)
        taps = self._row_taps[node_rows][:, :, None] * self._lattice.columns.count
        taps = (taps + self._column_taps[node_columns][:, None, :]).reshape(len(nodes), _TAPS)
        weights = self._weights[torch.from_numpy(node_rows), torch.from_numpy(node_columns)].float().numpy()
        mixture = near @ _csr(weights, taps, self._lattice.rows.count * self._lattice.columns.count)
        features = np.zeros((len(rows), self._grids[0].tokens.shape[2]), np.float32)
        for grid, tokens_of_nodes in zip(self._grids, self._lattice.mixtures, strict=True):
            of_tokens = csr_array(mixture @ tokens_of_nodes)
            touched, position = np.unique(of_tokens.indices, return_inverse=True)
            values = grid.tokens.reshape(-1, grid.tokens.shape[2])[torch.from_numpy(touched)].float().numpy()
            few = csr_array((of_tokens.data, position, of_tokens.indptr), shape=(len(rows), len(touched)))
            features += (few @ values).astype(np.float32)
        return features

    @property
    def _is_kept(self) -> bool:
        return self.rows.count * self.columns.count * _TAPS * 8 <= _KEPT_BYTES

    @cached_property
    def _whole(self) -> csr_array:
        rows, columns = slice(0, self.rows.count), slice(0, self.columns.count)
        return self._mixture(rows, columns, self._extents(rows, columns))

    def _extents(self, rows: slice, columns: slice) -> tuple[slice, slice]:
        """The rows and columns of the lattice that some nodes take from."""
        row_taps, column_taps = self._row_taps[rows], self._column_taps[columns]
        return (
            slice(int(row_taps.min()), int(row_taps.max()) + 1),
            slice(int(column_taps.min()), int(column_taps.max()) + 1),
        )

    def _mixture(self, rows: slice, columns: slice, part: tuple[slice, slice]) -> csr_array:
        """The matrix from a part of the lattice to some nodes."""
        height, width = (extent.stop - extent.start for extent in part)
        row_taps, column_taps = self._row_taps[rows] - part[0].start, self._column_taps[columns] - part[1].start
        taps = row_taps[:, None, :, None] * width + column_taps[None, :, None, :]
        weights = self._weights[rows, columns].float().numpy()
        return _csr(weights.reshape(-1, _TAPS), taps.reshape(-1, _TAPS), height * width)


def node_axis(size: int) -> Axis:
    """Nodes along an image axis of `size` pixels: one for every two pixels, between them."""
    return Axis(size, AxisView(), (NODE_PITCH - 1) / 2, NODE_PITCH, -(-size // NODE_PITCH))


def guide_bytes(shape: tuple[int, int]) -> int:
    """Bytes of the weights of an image (H, W)."""
    rows, columns = (node_axis(size).count for size in shape)
    return rows * columns * _TAPS * torch.float16.itemsize


def guide_weights(lattice: Lattice, describe: Describe) -> torch.Tensor:
    """The weights of the lattice nodes around each node of an image.

    Parameters
    ----------
    lattice : Lattice
    describe : callable
        Gives what a strip of node rows looks like.

    Returns
    -------
    Tensor (h, w, 25) float16
        The weights of a node sum to one.
    """
    rows, columns = node_axis(lattice.rows.size), node_axis(lattice.columns.size)
    nearest = lattice.rows.nearest(_positions(rows)), lattice.columns.nearest(_positions(columns))
    strips = list(_strips(rows.count, columns.count))
    cells, deviation = _cells(strips, describe, nearest, (lattice.rows.count, lattice.columns.count))
    row_taps, column_taps = _taps(lattice.rows, rows), _taps(lattice.columns, columns)
    row_distance = _squared_distance(lattice.rows, rows, row_taps)
    column_distance = _squared_distance(lattice.columns, columns, column_taps)
    weights = empty_tokens(rows.count, columns.count, _TAPS)
    for strip in strips:
        distance = row_distance[strip][:, None, :, None] + column_distance[None, :, None, :]
        unlike = _unlikeness(describe(strip) / deviation, cells, row_taps[strip], column_taps)
        scores = -distance / (2 * _DISTANCE**2) - unlike / _LIKENESS
        flat = torch.from_numpy(scores.reshape(len(scores), columns.count, _TAPS).astype(np.float32))
        weights[strip] = torch.softmax(flat, -1).half()
    return weights


def _cells(
    strips: Sequence[slice],
    describe: Describe,
    nearest: tuple[NDArray[np.int64], NDArray[np.int64]],
    shape: tuple[int, int],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the cells of the lattice look like on average, in units of each channel's deviation, and that deviation."""
    total = squares = 0.0
    sums: NDArray[np.float64] | None = None
    for strip in strips:
        looks = describe(strip)
        total = total + looks.sum((0, 1), dtype=np.float64)
        squares = squares + np.square(looks).sum((0, 1), dtype=np.float64)
        if sums is None:
            sums = np.zeros((*shape, looks.shape[2]))
        touched = np.unique(nearest[0][strip])
        sums[touched] += _sums(_sums(looks, nearest[0][strip], 0), nearest[1], 1, shape[1])
    assert sums is not None
    count = len(nearest[0]) * len(nearest[1])
    deviation = np.sqrt(np.maximum(squares / count - np.square(total / count), 0)).astype(np.float32)
    deviation[deviation < _FLAT] = np.inf  # a channel that is the same everywhere tells nothing
    rows, columns = (np.bincount(part, minlength=length) for part, length in zip(nearest, shape, strict=True))
    means = sums / np.maximum(np.outer(rows, columns), 1)[:, :, None] / deviation
    return means[_filled(rows)][:, _filled(columns)].astype(np.float32), deviation


def _sums(
    looks: NDArray[np.float32], cells: NDArray[np.int64], axis: int, count: int | None = None
) -> NDArray[np.float32]:
    """Sums over the nodes of each cell along an axis; `cells` rises. For all `count` cells, or those that occur."""
    occurring, starts = np.unique(cells, return_index=True)
    sums: NDArray[np.float32] = np.add.reduceat(looks, starts, axis=axis)
    if count is None or len(occurring) == count:
        return sums
    shape = list(sums.shape)
    shape[axis] = count
    spread = np.zeros(shape, sums.dtype)
    spread[(slice(None),) * axis + (occurring,)] = sums
    return spread


def _filled(nodes: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each cell of an axis itself, or, where it has no node (a single pixel at the edge), its nearest that has."""
    having = np.flatnonzero(nodes)
    cells = np.arange(len(nodes))
    nearest: NDArray[np.int64] = having[np.abs(cells[:, None] - having).argmin(1)]
    return nearest


def _unlikeness(
    looks: NDArray[np.float32],
    cells: NDArray[np.float32],
    row_taps: NDArray[np.int64],
    column_taps: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Mean squared difference of nodes (h, w, channels) and the cells around them, (h, w, 5, 5)."""
    unlike = np.empty((*looks.shape[:2], row_taps.shape[1], column_taps.shape[1]), np.float32)
    for i in range(row_taps.shape[1]):
        for j in range(column_taps.shape[1]):
            difference = looks - cells[row_taps[:, i]][:, column_taps[:, j]]
            unlike[:, :, i, j] = np.einsum("hwk,hwk->hw", difference, difference)
    unlike /= looks.shape[2]
    return unlike


def _taps(lattice: LatticeAxis, nodes: Axis) -> NDArray[np.int64]:
    """The five lattice nodes around each node of an axis, (n, 5); at the edge the outermost one again."""
    around = lattice.nearest(_positions(nodes))[:, None] + np.arange(-_REACH, _REACH + 1)
    taps: NDArray[np.int64] = np.clip(around, 0, lattice.count - 1)
    return taps


def _squared_distance(lattice: LatticeAxis, nodes: Axis, taps: NDArray[np.int64]) -> NDArray[np.float64]:
    distance: NDArray[np.float64] = np.square((_positions(nodes)[:, None] - lattice.positions[taps]) / lattice.pitch)
    return distance


def _positions(nodes: Axis) -> NDArray[np.float64]:
    positions: NDArray[np.float64] = nodes.origin + nodes.pitch * np.arange(nodes.count, dtype=np.float64)
    return positions


def _strips(height: int, width: int) -> Iterator[slice]:
    step = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))


def _pixel_mixture(
    rows: Axis, columns: Axis, row_pixels: NDArray[np.int64], column_pixels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], csr_array]:
    """The nodes that some pixels touch, and the matrix (pixels, these nodes) of bilinear interpolation."""
    row_nodes, row_weights = rows.taps(row_pixels, "bilinear")
    column_nodes, column_weights = columns.taps(column_pixels, "bilinear")
    flat = (row_nodes[:, :, None] * columns.count + column_nodes[:, None, :]).reshape(len(row_pixels), -1)
    weights = (row_weights[:, :, None] * column_weights[:, None, :]).reshape(len(row_pixels), -1)
    nodes, position = np.unique(flat, return_inverse=True)
    return nodes, _csr(weights, position.reshape(flat.shape), len(nodes))


def _csr(weights: NDArray[np.floating], columns: NDArray[np.integer], width: int) -> csr_array:
    """The sparse matrix whose row i has `weights[i]` in `columns[i]` (which may repeat)."""
    count, taps = columns.shape
    starts = np.arange(0, count * taps + 1, taps, dtype=np.int32)
    values = weights.reshape(-1).astype(np.float32, copy=False)
    return csr_array((values, columns.reshape(-1).astype(np.int32), starts), shape=(count, width))
