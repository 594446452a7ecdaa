"""Unlabelled micrographs, read when they are needed."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from patchfield.images import ImageSettings
from training.data.cache import ImageCache
from training.data.collection import Plane
from training.episodes.scene import Pixels
from training.episodes.sources.squares import Square

_CACHE = 512 * 2**20
"""Bytes of decoded files that are kept."""

_TRIES = 2


class Textures:
    """Planes of unlabelled images by kind: those in one folder are of one kind.

    Parameters
    ----------
    planes : iterable of Plane
    settings : ImageSettings

    Attributes
    ----------
    kinds : list of list of Plane
    """

    def __init__(self, planes: Iterable[Plane], settings: ImageSettings) -> None:
        folders: dict[Path, list[Plane]] = {}
        for plane in planes:
            folders.setdefault(Path(plane.path).parent, []).append(plane)
        self.kinds = list(folders.values())
        self._cache = ImageCache(settings, _CACHE)

    def draw_kinds(self, count: int, rng: np.random.Generator) -> Sequence[Sequence[Plane]]:
        """Random kinds, each as likely as the others."""
        return [self.kinds[number] for number in rng.integers(len(self.kinds), size=count)]

    def crop(self, plane: Plane, side: int, factor: float, rng: np.random.Generator) -> Pixels:
        """A random square, (side, side, 3) with values 0 to 1, the livelier of two: an empty one has no texture."""
        image = self._cache.image(plane)
        tried = []
        for _ in range(_TRIES):
            square = Square.drawn(image.shape, side, factor, rng)
            tried.append((square, square.pixels(image)))
        square, pixels = max(tried, key=lambda crop: float(crop[1].std()))
        return square.magnified(pixels)
