"""One axis of a token grid: where its tokens stand on the image, and how pixels interpolate between them."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from patchfield.errors import FieldError
from patchfield.field.views import AxisView

Interpolation = Literal["nearest", "bilinear", "bicubic", "guided"]
"""How pixels take the values of tokens. "guided" weighs the tokens by how alike image and token look
(:mod:`patchfield.field.guide`); what has no guide, fine grids above all, is bilinear then."""

_CUBIC = -0.75  # the coefficient of PyTorch's and OpenCV's bicubic interpolation (Keys 1981, eq. 4, a)


_BAND_PIXELS, _BAND_TOKENS = 64, 16
"""Size of a block of the interpolation matrix: large enough for a fast product, small enough to leave out zeros."""


def check_interpolation(name: str) -> None:
    """Raise :class:`~patchfield.errors.FieldError` unless `name` is an interpolation we know."""
    if name not in get_args(Interpolation):
        raise FieldError(f"Unknown interpolation '{name}': choose {', '.join(get_args(Interpolation))}.")


@dataclass(frozen=True)
class Axis:
    """Geometry of the tokens of one view along one image axis.

    Attributes
    ----------
    size : int
        Pixels along this axis of the image that the tokens were made of.
    view : AxisView
        Direction and circular shift of the view.
    origin : float
        Centre of token 0, in pixels of the view (it may lie outside of the image).
    pitch : int
        Distance of neighbouring tokens in pixels.
    count : int
        Number of tokens.
    pixels : int or None
        Pixels of the image that is asked for, where it was resampled before tokens were made of it.
    """

    size: int
    view: AxisView
    origin: float
    pitch: int
    count: int
    pixels: int | None = None

    def taps(self, pixels: np.ndarray, interpolation: Interpolation) -> tuple[np.ndarray, np.ndarray]:
        """Tokens and weights that make up the value at each pixel.

        Positions beyond the outermost token take the outermost token's value, as resizing does.

        Parameters
        ----------
        pixels : (n,) int array
            Image pixels along this axis.
        interpolation : {"nearest", "bilinear", "bicubic", "guided"}

        Returns
        -------
        tokens : (n, taps) int64 array
        weights : (n, taps) float64 array, each row sums to 1
        """
        if self.is_pixel_grid:
            return pixels[:, None].astype(np.int64), np.ones((len(pixels), 1))
        position = (self.view.locate(self._resampled(pixels), self.size) - self.origin) / self.pitch
        if interpolation == "nearest":
            offsets, weights = np.zeros(1, np.int64), np.ones((len(pixels), 1))
            base = np.floor(position + 0.5)
        else:
            base = np.floor(position)
            fraction = (position - base)[:, None]
            if interpolation in ("bilinear", "guided"):
                offsets, weights = np.array([0, 1]), np.hstack([1 - fraction, fraction])
            else:
                offsets = np.array([-1, 0, 1, 2])
                weights = _cubic_kernel(np.abs(fraction - offsets))
        tokens = np.clip(base.astype(np.int64)[:, None] + offsets, 0, self.count - 1)
        return tokens, weights

    def bands(self, pixels: np.ndarray, interpolation: Interpolation) -> "list[Band]":
        """The interpolation matrix, cut into the blocks along its diagonal that are not zero."""
        tokens, weights = self.taps(pixels, interpolation)
        zoom = 1.0 if self.pixels is None else self.size / self.pixels
        step = max(_BAND_PIXELS, round(_BAND_TOKENS * self.pitch / zoom))
        return [
            _band(tokens[start : start + step], weights[start : start + step], start)
            for start in range(0, len(pixels), step)
        ]

    @property
    def is_pixel_grid(self) -> bool:
        """Whether token i simply is pixel i, so that nothing is to interpolate."""
        plain = not self.view.flip and self.view.shift % self.size == 0
        same = self.pixels is None or self.pixels == self.size
        return plain and same and self.pitch == 1 and self.origin == 0 and self.count >= self.size

    def _resampled(self, pixels: np.ndarray) -> np.ndarray:
        """Where pixels lie in the image that the tokens were made of."""
        if self.pixels is None:
            return pixels
        positions: np.ndarray = (pixels + 0.5) * (self.size / self.pixels) - 0.5
        return positions.clip(0, self.size - 1)


@dataclass(frozen=True)
class Band:
    """A block of an interpolation matrix.

    Attributes
    ----------
    pixels : slice
        Rows of the matrix: positions in the array of pixels asked for.
    tokens : slice
        Columns of the matrix.
    matrix : (pixels, tokens) float32 array
    """

    pixels: slice
    tokens: slice
    matrix: np.ndarray


def _band(tokens: np.ndarray, weights: np.ndarray, start: int) -> Band:
    first, last = int(tokens.min()), int(tokens.max())
    matrix = np.zeros((len(tokens), last - first + 1))
    np.add.at(matrix, (np.arange(len(tokens))[:, None], tokens - first), weights)
    return Band(slice(start, start + len(tokens)), slice(first, last + 1), matrix.astype(np.float32))


def _cubic_kernel(distance: np.ndarray) -> np.ndarray:
    """Cubic convolution kernel at `distance` >= 0 (Keys 1981)."""
    a = _CUBIC
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
