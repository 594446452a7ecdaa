"""Operations on neighbouring pixels of planes (..., h, w), written as sums of shifted slices.

On a CPU this beats PyTorch's convolutions of single planes by one to two orders of magnitude: a slice is a view, and a
plane stays in the cache. Beyond the edge the edge's value goes on, so that any size will do.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

_TRUNCATE = 3.0
"""Gaussians end at this many standard deviations."""


def smooth(planes: Tensor, sigma: float) -> Tensor:
    """Gaussian smoothing with standard deviation `sigma` in pixels of the plane."""
    radius = max(1, round(_TRUNCATE * sigma))
    offsets = torch.arange(1, radius + 1, dtype=torch.float64)
    side = torch.exp(-(offsets**2) / (2 * sigma**2))
    total = 1 + 2 * float(side.sum())
    weights = [float(weight) / total for weight in side]
    for axis in (-2, -1):
        padded = extend(planes, radius, axis)
        length = planes.shape[axis]
        planes = planes / total
        for offset, weight in enumerate(weights, 1):
            pair = padded.narrow(axis, radius - offset, length) + padded.narrow(axis, radius + offset, length)
            planes.add_(pair, alpha=weight)
    return planes


def gradient(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences along the rows' axis and the columns' axis, per pixel."""
    differences = []
    for axis in (-2, -1):
        padded = extend(planes, 1, axis)
        length = planes.shape[axis]
        differences.append((padded.narrow(axis, 2, length) - padded.narrow(axis, 0, length)) / 2)
    return differences[0], differences[1]


def hessian(planes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Second differences: along the rows' axis, mixed, along the columns' axis."""
    second = []
    for axis in (-2, -1):
        padded = extend(planes, 1, axis)
        length = planes.shape[axis]
        outer = padded.narrow(axis, 0, length) + padded.narrow(axis, 2, length)
        second.append(outer - 2 * planes)
    down, _ = gradient(planes)
    return second[0], gradient(down)[1], second[1]


def eigenvalues(rows: Tensor, mixed: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Larger and smaller eigenvalue of symmetric 2 x 2 matrices."""
    mean = (rows + columns) / 2
    half = (rows - columns) / 2
    deviation = torch.sqrt(half**2 + mixed**2)
    return mean + deviation, mean - deviation


def line_means(planes: Tensor, offsets: Sequence[Sequence[tuple[int, int]]]) -> Tensor:
    """Mean over each line of pixels, given by (row, column) offsets: (lines, ..., h, w)."""
    radius = max(abs(step) for line in offsets for point in line for step in point)
    padded = extend(extend(planes, radius, -2), radius, -1)
    height, width = planes.shape[-2:]
    means = []
    for line in offsets:
        total = torch.zeros_like(planes)
        for row, column in line:
            total += padded[..., radius + row : radius + row + height, radius + column : radius + column + width]
        means.append(total / len(line))
    return torch.stack(means)


def pool(planes: Tensor, factor: int) -> Tensor:
    """Means over squares of `factor` pixels: (..., h, w) to (..., h / factor, w / factor)."""
    if factor == 1:
        return planes
    rows = planes[..., 0::factor, :] + planes[..., 1::factor, :]
    for row in range(2, factor):
        rows += planes[..., row::factor, :]
    sums = rows[..., 0::factor] + rows[..., 1::factor]
    for column in range(2, factor):
        sums += rows[..., column::factor]
    return sums.div_(factor**2)


def enlarge(planes: Tensor, factor: int) -> Tensor:
    """Bilinear interpolation to a grid `factor` times finer, the inverse of :func:`pool` for smooth planes."""
    if factor == 1:
        return planes
    flat = planes.reshape(-1, 1, *planes.shape[-2:])
    finer = interpolate(flat, scale_factor=factor, mode="bilinear", align_corners=False)
    return finer.reshape(*planes.shape[:-2], *finer.shape[-2:])


def extend(planes: Tensor, pixels: int, axis: int) -> Tensor:
    """Repeat the edge's value beyond both ends of an axis (-2 or -1)."""
    amounts = (0, 0, pixels, pixels) if axis == -2 else (pixels, pixels, 0, 0)
    flat = planes.reshape(1, -1, *planes.shape[-2:])
    padded = pad(flat, amounts, mode="replicate")
    return padded.reshape(*planes.shape[:-2], *padded.shape[-2:])
