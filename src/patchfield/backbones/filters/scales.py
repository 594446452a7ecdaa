"""Scale space: an image smoothed by Gaussians of doubling width, each on a grid that just holds it.

See Lindeberg, *Scale-Space Theory in Computer Vision* (1994). Derivatives are multiplied by the width to their order,
which makes them comparable between scales. Grids of pitch p stand as those of p x p pixels' means do: sample (i, j) is
centred at pixel (i p + (p - 1) / 2, j p + (p - 1) / 2).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from patchfield.backbones.filters.neighbourhood import eigenvalues, enlarge, gradient, hessian, pool, smooth

SIGMAS = (1, 2, 4, 8, 16, 32)
"""Standard deviations of the Gaussians, in pixels."""

EDGE_SIGMAS = SIGMAS[:5]
"""Those of which derivatives are taken."""

COARSEST = 8
"""Largest pitch of a grid, in pixels."""


def stored_pitch(sigma: int) -> int:
    """Pitch of the grid that keeps a channel of width `sigma`."""
    return min(sigma, COARSEST)


def working_pitch(sigma: int) -> int:
    """Pitch of the grid that it is computed on: fine enough for squares and products."""
    return max(1, min(sigma // 2, COARSEST))


@dataclass(frozen=True, eq=False)
class Scale:
    """An image at one scale.

    Attributes
    ----------
    sigma : int
        Standard deviation of the Gaussian in pixels.
    pitch : int
        Of the grid, in pixels.
    plane : Tensor (B, h, w)
        The smoothed image.
    """

    sigma: int
    pitch: int
    plane: Tensor

    def gradient(self) -> tuple[Tensor, Tensor]:
        """Scale-normalised derivatives down and to the right."""
        unit = self.sigma / self.pitch
        down, right = gradient(self.plane)
        return down * unit, right * unit

    def curvatures(self) -> tuple[Tensor, Tensor]:
        """Larger and smaller scale-normalised eigenvalue of the Hessian."""
        larger, smaller = eigenvalues(*hessian(self.plane))
        unit = (self.sigma / self.pitch) ** 2
        return larger * unit, smaller * unit

    def on(self, pitch: int) -> Tensor:
        """The smoothed image on another grid."""
        return resampled(self.plane, self.pitch, pitch)


def scale_space(image: Tensor) -> dict[int, Scale]:
    """An image (B, h, w) at all `SIGMAS`; both sides must be multiples of `COARSEST`."""
    scales = {}
    for sigma in SIGMAS:
        pitch = working_pitch(sigma)
        scales[sigma] = Scale(sigma, pitch, smooth(pool(image, pitch), _remaining(sigma, pitch)))
    return scales


def resampled(plane: Tensor, pitch: int, wanted: int) -> Tensor:
    """A plane on a grid of another pitch."""
    return pool(plane, wanted // pitch) if wanted >= pitch else enlarge(plane, pitch // wanted)


def average(plane: Tensor, pitch: int, sigma: int) -> Tensor:
    """Gaussian mean of a plane on a grid of `pitch`, on the working grid of `sigma`."""
    working = max(pitch, working_pitch(sigma))
    return smooth(pool(plane, working // pitch), sigma / working)


def gradient_magnitude(scale: Scale) -> Tensor:
    """Length of the scale-normalised gradient."""
    return torch.hypot(*scale.gradient())


def _remaining(sigma: int, pitch: int) -> float:
    """What a Gaussian must add, in samples, to the width that means over pitch x pixels have."""
    return float((sigma**2 - (pitch**2 - 1) / 12) ** 0.5 / pitch)
