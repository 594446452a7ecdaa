"""A material: an arrangement of phases, the look of each, and the instrument; two images of one share all of it."""

from dataclasses import dataclass
from math import pi
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from patchfield.samples.imaging import imaged
from patchfield.samples.microstructure.fields import Floats, Spectrum
from patchfield.samples.microstructure.geometry import Geometry, Layout, Network, Particles, draw_geometry

Pattern = Literal["cloud", "ridges", "spots", "lamellae"]
_PATTERNS: tuple[Pattern, ...] = ("cloud", "ridges", "spots", "lamellae")


@dataclass(frozen=True)
class Texture:
    """How a phase looks.

    Attributes
    ----------
    level : float
        Mean grey value, 0 to 1.
    amplitude : float
        Deviation of the texture.
    spectrum : Spectrum
    pattern : {"cloud", "ridges", "spots", "lamellae"}
        A random field as it is, its ridges, its rare peaks, or parallel plates that turn from unit to unit.
    unit_spread : float
        Deviation of the mean from one grain or particle to the next.
    """

    level: float
    amplitude: float
    spectrum: Spectrum
    pattern: Pattern
    unit_spread: float

    def render(self, layout: Layout, rng: np.random.Generator, scale: float) -> Floats:
        """Grey values of an image full of this phase, (H, W)."""
        shape = (layout.phase.shape[0], layout.phase.shape[1])
        units = rng.standard_normal(layout.unit.max() + 1).astype(np.float32)
        values = self.level + self.unit_spread * units[layout.unit] * (layout.unit > 0)
        if self.amplitude:
            values = values + self.amplitude * self._pattern(layout, shape, rng, scale)
        return np.asarray(values, np.float32)

    def _pattern(self, layout: Layout, shape: tuple[int, int], rng: np.random.Generator, scale: float) -> Floats:
        spectrum = self.spectrum.scaled(scale)
        if self.pattern == "lamellae":
            angle = rng.uniform(0, pi, layout.unit.max() + 1)[layout.unit] if layout.unit.any() else spectrum.angle
            rows, columns = np.ogrid[: shape[0], : shape[1]]
            phase = 2 * pi / max(spectrum.wavelength, 3) * (rows * np.sin(angle) + columns * np.cos(angle))
            waves = np.sin(phase + 0.7 * Spectrum(30 * scale).field(shape, rng)).astype(np.float32)
            return np.asarray(np.sqrt(2) * waves)
        field = spectrum.field(shape, rng)
        if self.pattern == "ridges":
            return ((np.abs(field) - 0.8) / 0.6).astype(np.float32)
        if self.pattern == "spots":
            return np.where(field > 1.3, 2.0, -0.2).astype(np.float32)
        return field


@dataclass(frozen=True)
class Instrument:
    """How the scene is recorded: blur in pixels, noise, shading, lines of the scan, charging of edges, tint."""

    blur: float
    noise: float
    drift: float
    scan_lines: float
    edge: float
    grain: float
    tint: NDArray[np.float32] | None


@dataclass(frozen=True)
class Material:
    """What the micrographs of one set share.

    Attributes
    ----------
    geometry : Geometry
    overlay : Geometry or None
        Particles or cracks on top of it, a phase of their own.
    textures : tuple of Texture
        One for each phase.
    instrument : Instrument
    """

    geometry: Geometry
    overlay: Geometry | None
    textures: tuple[Texture, ...]
    instrument: Instrument

    @property
    def phases(self) -> int:
        return len(self.textures)

    def layout(self, shape: tuple[int, int], rng: np.random.Generator, scale: float = 1.0) -> Layout:
        """Where the phases lie in one image."""
        layout = self.geometry.layout(shape, rng, scale)
        if self.overlay is not None:
            layout.phase[self.overlay.layout(shape, rng, scale).phase > 0] = self.geometry.phases
        return layout

    def micrograph(
        self, shape: tuple[int, int], rng: np.random.Generator, scale: float = 1.0
    ) -> tuple[Floats, NDArray[np.uint8]]:
        """One image of the material.

        Parameters
        ----------
        shape : (int, int)
            Rows and columns.
        rng : numpy.random.Generator
            What differs from one image to the next.
        scale : float
            Magnification.

        Returns
        -------
        image : ndarray (H, W) or (H, W, 3) float32
            Values 0 to 1.
        mask : ndarray (H, W) uint8
            Phases, counted from 1.
        """
        layout = self.layout(shape, rng, scale)
        scene, recorded = np.zeros(shape, np.float32), self.instrument
        for number in np.unique(layout.phase):
            inside = layout.phase == number
            scene[inside] = self.textures[number].render(layout, rng, scale)[inside]
        if recorded.edge:
            step = ndimage.gaussian_gradient_magnitude(layout.phase.astype(np.float32), 1.2)
            scene += recorded.edge * np.minimum(step, 0.5)
        if recorded.grain:
            scene += recorded.grain * Spectrum(3.5, 0.5).field(shape, rng)
        image = imaged(
            scene,
            rng,
            blur=recorded.blur,
            noise=recorded.noise,
            drift=recorded.drift * rng.uniform(-1, 1),
            scan_lines=recorded.scan_lines,
        )
        coloured = image if recorded.tint is None else _tinted(image, layout.phase, recorded.tint)
        return np.clip(coloured, 0, 1).astype(np.float32), (layout.phase + 1).astype(np.uint8)


def draw_material(rng: np.random.Generator) -> Material:
    """A random material: the same state of the generator gives the same one."""
    geometry = draw_geometry(rng)
    overlay = (Particles.from_rng(rng) if rng.random() < 0.6 else Network.from_rng(rng)) if rng.random() < 0.3 else None
    if isinstance(overlay, Particles) and overlay.phases > 2:
        overlay = None
    phases = geometry.phases + (overlay is not None)
    return Material(geometry, overlay, _draw_textures(phases, rng), _draw_instrument(phases, rng))


def _draw_textures(phases: int, rng: np.random.Generator) -> tuple[Texture, ...]:
    """Textures that can be told apart: by grey value, by texture alone (two in five materials), or both."""
    by_texture = rng.random() < 0.4
    separation = 0.0 if by_texture else float(rng.uniform(0.06, 0.35))
    centre = rng.uniform(0.35, 0.6)
    levels = centre + separation * (rng.permutation(phases) - (phases - 1) / 2)
    busiest = rng.uniform(0.08, 0.2) if by_texture else rng.uniform(0, 0.12)
    amplitudes = busiest * (rng.permutation(phases) + 1) / phases if by_texture else rng.uniform(0, busiest, phases)
    unit_spread = rng.uniform(0, 0.06) if rng.random() < 0.4 else 0.0
    return tuple(
        Texture(
            float(np.clip(level, 0.08, 0.92)),
            float(amplitude),
            Spectrum.from_rng(rng, 2.5, 18),
            _PATTERNS[rng.choice(4, p=(0.5, 0.2, 0.15, 0.15))],
            float(unit_spread),
        )
        for level, amplitude in zip(levels, amplitudes, strict=True)
    )


def _draw_instrument(phases: int, rng: np.random.Generator) -> Instrument:
    def sometimes(probability: float, low: float, high: float) -> float:
        return float(rng.uniform(low, high)) if rng.random() < probability else 0.0

    tint = rng.uniform(0.4, 1.0, (phases, 3)).astype(np.float32) if rng.random() < 0.15 else None
    return Instrument(
        blur=float(rng.uniform(0.3, 2.0)),
        noise=float(rng.uniform(0.0, 0.16) * rng.random()),
        drift=sometimes(0.4, 0.03, 0.15),
        scan_lines=sometimes(0.2, 0.005, 0.02),
        edge=sometimes(0.3, -0.3, 0.5),
        grain=sometimes(0.3, 0.01, 0.06),
        tint=tint,
    )


def _tinted(image: NDArray[np.floating], phase: NDArray[np.uint8], tint: Floats) -> NDArray[np.floating]:
    """Colours of stains, (H, W, 3)."""
    colours = np.stack([ndimage.gaussian_filter(channel[phase], 1.0) for channel in tint.T], -1)
    tinted: NDArray[np.floating] = image[..., None] * colours / colours.mean()
    return tinted
