"""Band-limited Gaussian random fields: the raw material of shapes and textures."""

from dataclasses import dataclass, replace
from math import cos, pi, sin
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Spectrum:
    """A band of spatial frequencies.

    Attributes
    ----------
    wavelength : float
        The dominant one, in pixels, across the direction of elongation.
    bandwidth : float
        Deviation of the logarithm of the wavelength: 0.2 is nearly periodic, 1 is a cloud.
    elongation : float
        How many times longer structures are along `angle` than across it.
    angle : float
        In radians, from the rows' axis.
    """

    wavelength: float
    bandwidth: float = 0.5
    elongation: float = 1.0
    angle: float = 0.0

    @classmethod
    def from_rng(cls, rng: np.random.Generator, shortest: float, longest: float) -> Self:
        """A random spectrum with its wavelength in a range; half of them isotropic."""
        elongation = 1.0 if rng.random() < 0.5 else float(rng.uniform(1.2, 6))
        wavelength = float(np.exp(rng.uniform(np.log(shortest), np.log(longest))))
        return cls(wavelength, float(rng.uniform(0.15, 0.9)), elongation, float(rng.uniform(0, pi)))

    def scaled(self, factor: float) -> Self:
        """The same structure at another magnification."""
        return replace(self, wavelength=self.wavelength * factor)

    def field(self, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
        """A random field with mean 0 and deviation 1, (H, W) float32."""
        noise = fft.rfft2(rng.standard_normal(shape, np.float32))
        down = np.fft.fftfreq(shape[0]).astype(np.float32)[:, None]
        right = np.fft.rfftfreq(shape[1]).astype(np.float32)
        along = (down * cos(self.angle) + right * sin(self.angle)) * self.elongation
        across = right * cos(self.angle) - down * sin(self.angle)
        frequency = np.hypot(along, across) * self.wavelength
        noise *= np.exp(-0.5 * (np.log(np.maximum(frequency, 1e-6)) / self.bandwidth) ** 2)
        field = fft.irfft2(noise, shape)
        standardised: Floats = (field - field.mean()) / (field.std() + 1e-6)
        return standardised
