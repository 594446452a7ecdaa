"""Where the phases lie: level sets, grains, particles, networks and layers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import cos, pi, sin
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import spatial

from patchfield.samples.microstructure.fields import Floats, Spectrum


class Layout(NamedTuple):
    """Where things are in one image.

    Attributes
    ----------
    phase : ndarray (H, W) uint8
        Index of the phase of every pixel.
    unit : ndarray (H, W) int
        Number of the grain or particle that a pixel belongs to; 0 is none.
    """

    phase: NDArray[np.uint8]
    unit: NDArray[np.intp]


class Geometry(ABC):
    """A kind of arrangement with its parameters; all lengths in pixels.

    Attributes
    ----------
    phases : int
        Number of phases.
    """

    phases: int

    @classmethod
    @abstractmethod
    def from_rng(cls, rng: np.random.Generator) -> Self:
        """Random parameters."""

    @abstractmethod
    def layout(self, shape: tuple[int, int], rng: np.random.Generator, scale: float) -> Layout:
        """One random image of this arrangement, magnified by `scale`."""


@dataclass(frozen=True)
class LevelSets(Geometry):
    """Phases between the level sets of a Gaussian random field: spinodal decomposition, pores, blends."""

    spectrum: Spectrum
    quantiles: tuple[float, ...]

    @classmethod
    def from_rng(cls, rng: np.random.Generator) -> Self:
        phases = int(rng.choice([2, 2, 3, 4]))
        shares = np.cumsum(rng.dirichlet([2.0] * phases))[:-1]
        return cls(Spectrum.from_rng(rng, 14, 110), tuple(shares.tolist()))

    @property
    def phases(self) -> int:  # type: ignore[override]
        return len(self.quantiles) + 1

    def layout(self, shape: tuple[int, int], rng: np.random.Generator, scale: float) -> Layout:
        field = self.spectrum.scaled(scale).field(shape, rng)
        jittered = np.sort(np.clip(np.array(self.quantiles) + rng.normal(0, 0.04, len(self.quantiles)), 0.03, 0.97))
        phase = np.digitize(field, np.quantile(field, jittered)).astype(np.uint8)
        return Layout(phase, np.zeros(shape, np.intp))


@dataclass(frozen=True)
class Grains(Geometry):
    """Voronoi grains of one or several phases, with or without a boundary phase between them."""

    spacing: float
    waviness: float
    boundary: float
    shares: tuple[float, ...]

    @classmethod
    def from_rng(cls, rng: np.random.Generator) -> Self:
        boundary = float(rng.uniform(1.0, 3.5)) if rng.random() < 0.6 else 0.0
        grain_phases = int(rng.choice([1, 2, 3])) if boundary else int(rng.choice([2, 3]))
        shares = rng.dirichlet([3.0] * grain_phases)
        return cls(float(rng.uniform(14, 70)), float(rng.uniform(0, 5)), boundary, tuple(shares.tolist()))

    @property
    def phases(self) -> int:  # type: ignore[override]
        return len(self.shares) + (self.boundary > 0)

    def layout(self, shape: tuple[int, int], rng: np.random.Generator, scale: float) -> Layout:
        seeds = _jittered_lattice(shape, self.spacing * scale, rng)
        grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).astype(np.float32)
        bend = Spectrum(24 * scale, 0.6)
        for axis in range(2):
            grid[..., axis] += self.waviness * scale * bend.field(shape, rng)
        distances, nearest = spatial.KDTree(seeds).query(grid, k=2)
        grain = nearest[..., 0]
        phase = rng.choice(len(self.shares), len(seeds), p=self.shares)[grain].astype(np.uint8)
        if self.boundary:
            span = np.linalg.norm(seeds[nearest[..., 1]] - seeds[grain], axis=-1)
            wall = (distances[..., 1] ** 2 - distances[..., 0] ** 2) / (2 * span)
            phase[wall < self.boundary * max(scale, 0.6)] = len(self.shares)
        return Layout(phase, grain + 1)


@dataclass(frozen=True)
class Particles(Geometry):
    """Ellipses or polygons in a matrix, of one kind, of two sizes, or each in a shell (axons, coated fibres)."""

    spacing: float
    radius: float
    spread: float
    flatness: float
    angle: float
    aligned: bool
    corners: float
    small: float
    shell: float

    @classmethod
    def from_rng(cls, rng: np.random.Generator) -> Self:
        radius = float(np.exp(rng.uniform(np.log(4), np.log(24))))
        kind = rng.random()
        return cls(
            spacing=radius * float(rng.uniform(2.0, 4.5)),
            radius=radius,
            spread=float(rng.uniform(0.05, 0.4)),
            flatness=1.0 if rng.random() < 0.4 else float(rng.uniform(0.25, 1)),
            angle=float(rng.uniform(0, pi)),
            aligned=bool(rng.random() < 0.4),
            corners=float(rng.choice([2.0, 2.0, 4.0])),
            small=float(rng.uniform(0.2, 0.4)) if kind < 0.25 and radius > 8 else 0.0,
            shell=float(rng.uniform(0.2, 0.5)) if kind > 0.75 and radius > 7 else 0.0,
        )

    @property
    def phases(self) -> int:  # type: ignore[override]
        return 2 + (self.small > 0) + (self.shell > 0)

    def layout(self, shape: tuple[int, int], rng: np.random.Generator, scale: float) -> Layout:
        phase, unit = np.zeros(shape, np.uint8), np.zeros(shape, np.intp)
        if self.small:
            self._scatter(phase, unit, rng, scale, self.small, value=2)
        self._scatter(phase, unit, rng, scale, 1.0, value=1)
        return Layout(phase, unit)

    def _scatter(
        self, phase: NDArray[np.uint8], unit: NDArray[np.intp], rng: np.random.Generator, scale: float, size: float,
        value: int,
    ) -> None:  # fmt: skip
        for centre in _jittered_lattice(phase.shape, self.spacing * scale * size, rng):
            radius = self.radius * scale * size * float(np.exp(rng.normal(0, self.spread)))
            angle = self.angle + (rng.normal(0, 0.1) if self.aligned else rng.uniform(0, pi))
            box, level = _ellipse_level(phase.shape, centre, radius, self.flatness, angle, self.corners)
            inside = level < 1
            if not inside.any() or (value == 2 and rng.random() < 0.2):
                continue
            phase[box][inside] = value
            if self.shell:
                phase[box][inside & (level > (1 - self.shell) ** self.corners)] = self.phases - 1
            unit[box][inside] = unit.max() + 1


@dataclass(frozen=True)
class Network(Geometry):
    """Thin connected structure in a matrix: membranes, cracks, films, carbide networks."""

    spectrum: Spectrum
    width: float

    phases = 2

    @classmethod
    def from_rng(cls, rng: np.random.Generator) -> Self:
        return cls(Spectrum.from_rng(rng, 30, 160), float(rng.uniform(1.0, 4.0)))

    def layout(self, shape: tuple[int, int], rng: np.random.Generator, scale: float) -> Layout:
        field = self.spectrum.scaled(scale).field(shape, rng)
        slope = np.hypot(*np.gradient(field)) + 1e-3
        phase = np.abs(field) / slope < self.width * max(scale, 0.6)
        return Layout(phase.astype(np.uint8), np.zeros(shape, np.intp))


@dataclass(frozen=True)
class Layers(Geometry):
    """Wavy bands, as in coatings, laminates and sediments."""

    thicknesses: tuple[float, ...]
    angle: float
    waviness: float
    roughness: float

    @classmethod
    def from_rng(cls, rng: np.random.Generator) -> Self:
        thicknesses = np.exp(rng.uniform(np.log(8), np.log(70), int(rng.choice([2, 3]))))
        return cls(
            tuple(thicknesses.tolist()), float(rng.uniform(0, pi)), float(rng.uniform(0, 12)), float(rng.uniform(0, 2))
        )

    @property
    def phases(self) -> int:  # type: ignore[override]
        return len(self.thicknesses)

    def layout(self, shape: tuple[int, int], rng: np.random.Generator, scale: float) -> Layout:
        rows, columns = np.ogrid[: shape[0], : shape[1]]
        depth = rows * cos(self.angle) + columns * sin(self.angle) + rng.uniform(0, 1000)
        depth = depth + self.waviness * scale * Spectrum(90 * scale, 0.5).field(shape, rng)
        depth = depth + self.roughness * scale * Spectrum(8 * scale, 0.5).field(shape, rng)
        edges = np.cumsum(self.thicknesses) * scale
        phase = np.digitize(np.mod(depth, edges[-1]), edges[:-1]).astype(np.uint8)
        return Layout(phase, np.zeros(shape, np.intp))


KINDS: tuple[type[Geometry], ...] = (LevelSets, Grains, Particles, Network, Layers)


def draw_geometry(rng: np.random.Generator) -> Geometry:
    """A random kind with random parameters."""
    return KINDS[rng.choice(len(KINDS), p=(0.25, 0.25, 0.3, 0.1, 0.1))].from_rng(rng)


def _jittered_lattice(shape: tuple[int, ...], spacing: float, rng: np.random.Generator) -> Floats:
    """Points about `spacing` apart, some beyond the image's edge, (n, 2)."""
    counts = [max(2, int(np.ceil(side / spacing)) + 1) for side in shape]
    lattice = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), -1).reshape(-1, 2).astype(np.float32)
    shift = rng.uniform(-0.5, 0.5, 2)
    return ((lattice + shift + rng.uniform(-0.42, 0.42, lattice.shape)) * spacing).astype(np.float32)


def _ellipse_level(
    shape: tuple[int, ...], centre: Floats, radius: float, flatness: float, angle: float, corners: float
) -> tuple[tuple[slice, slice], Floats]:
    """The box of a superellipse (4 corners make a rounded square), and its level there: below 1 is inside."""
    low = np.maximum(np.floor(centre - 1.3 * radius).astype(int), 0)
    high = np.minimum(np.ceil(centre + 1.3 * radius).astype(int) + 1, shape)
    box = (slice(low[0], max(high[0], low[0])), slice(low[1], max(high[1], low[1])))
    rows = np.arange(box[0].start, box[0].stop)[:, None] - centre[0]
    columns = np.arange(box[1].start, box[1].stop) - centre[1]
    along = (rows * cos(angle) + columns * sin(angle)) / radius
    across = (columns * cos(angle) - rows * sin(angle)) / (radius * flatness)
    return box, np.abs(along) ** corners + np.abs(across) ** corners
