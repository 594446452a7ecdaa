"""Strokes as a hurried user paints them: a few short marks inside each class."""

import math
from dataclasses import dataclass

import numpy as np

from training.episodes.scene import Mask
from training.errors import require


@dataclass(frozen=True)
class StrokeSettings:
    """How much is painted on the first image of an episode.

    Attributes
    ----------
    most : int
        Strokes per class, at most; at least one.
    length : (float, float)
        Of a stroke in pixels.
    thickness : int
        Of the thickest stroke in pixels.
    """

    most: int = 5
    length: tuple[float, float] = (4.0, 40.0)
    thickness: int = 3

    def __post_init__(self) -> None:
        low, high = self.length
        require(self.most >= 1, "strokes.most must be at least 1")
        require(1 <= low <= high < math.inf, "strokes.length must be two numbers of at least 1, the smaller first")
        require(self.thickness >= 1, "strokes.thickness must be at least 1")


def paint(mask: Mask, settings: StrokeSettings, rng: np.random.Generator) -> Mask:
    """Strokes inside the classes of a mask; every class of the mask gets at least one pixel.

    Examples
    --------
    >>> mask = np.repeat(np.uint8([1, 2]), 32)[:, None].repeat(64, 1)
    >>> strokes = paint(mask, StrokeSettings(), np.random.default_rng(0))
    >>> set(np.unique(strokes).tolist()), bool((strokes[strokes > 0] == mask[strokes > 0]).all())
    ({0, 1, 2}, True)
    """
    strokes = np.zeros_like(mask)
    for value in np.unique(mask[mask > 0]):
        candidates = np.argwhere(mask == value)
        for start in candidates[rng.integers(len(candidates), size=rng.integers(1, settings.most + 1))]:
            rows, columns = _mark(start, mask.shape, settings, rng)
            inside = mask[rows, columns] == value
            strokes[rows[inside], columns[inside]] = value
    return strokes


def _mark(
    start: np.ndarray, shape: tuple[int, ...], settings: StrokeSettings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of a curved line that starts at a pixel."""
    low, high = np.log(settings.length)
    count = round(float(np.exp(rng.uniform(low, high))))
    bend = rng.normal(0, 1.0) / count
    angle = rng.uniform(0, 2 * math.pi) + bend * np.arange(count)
    path = start + np.cumsum(np.stack([np.sin(angle), np.cos(angle)], -1), axis=0) * (count > 1)
    brush = np.arange(int(rng.integers(1, settings.thickness + 1)))
    offsets = np.stack(np.meshgrid(brush, brush, indexing="ij"), -1).reshape(-1, 1, 2)
    pixels = (np.concatenate([start[None], path]) + offsets).reshape(-1, 2).round().astype(int)
    pixels = pixels[((pixels >= 0) & (pixels < shape)).all(1)]
    return pixels[:, 0], pixels[:, 1]
