"""What the stroke benchmark is made of: sets of labelled micrographs, splits of them, strokes, and the pixels scored.

Everything here is decided by the images and fixed seeds alone, so that methods meet the same strokes and are scored on
the same pixels. What takes long is kept in a folder and read back the next time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.atomic import atomic_path
from patchfield.evaluate.micrographs import LabelledImage, LabelledSet, labelled_sets, labels_of
from patchfield.images import read_image
from patchfield.samples.strokes import numbered_strokes

MAX_IMAGES = 6
COUNTS = (1, 2, 4, 8)
"""Strokes of each class on each image that gives strokes."""

DRAWS = 3
"""How often strokes are drawn."""

SCORED_SIDE = 128
"""Images are scored on about this many rows and columns of single pixels, one drawn from each cell of a lattice, the
same for all methods: a forest takes minutes for all pixels of a set."""

Labels = NDArray[np.uint8]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Kept:
    """A folder of arrays that took long to make."""

    folder: Path

    def array(self, name: str, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """The array of that name: read where it was made before, made and written otherwise."""
        path = self.folder / f"{name}.npy"
        if not path.exists():
            with atomic_path(path) as unfinished, unfinished.open("wb") as file:
                np.save(file, make())
        made: NDArray[Any] = np.load(path)
        return made


@dataclass(frozen=True)
class Scored:
    """An image of the benchmark.

    Attributes
    ----------
    labelled : LabelledImage
    kept : Kept
    """

    labelled: LabelledImage
    kept: Kept

    @cached_property
    def digest(self) -> str:
        """Short hash of image and mask."""
        content = self.labelled.image.read_bytes() + self.labelled.truth.read_bytes()
        return sha256(content).hexdigest()[:16]

    @cached_property
    def mask(self) -> Labels:
        """(H, W): 0 is not scored."""
        return labels_of(self.labelled.truth, read_image(self.labelled.image).shape).astype(np.uint8)

    def strokes(self, draw: int, count: int) -> Labels:
        """So many strokes of each class, (H, W) labels: those of more strokes hold those of fewer."""
        pixels, numbers = self._numbers[0], self._numbers[1 + draw]
        chosen = pixels[(numbers > 0) & (numbers <= count)]
        labels = np.zeros_like(self.mask)
        labels.flat[chosen] = self.mask.flat[chosen]
        return labels

    @cached_property
    def _numbers(self) -> Indices:
        """Flat indices of the pixels that any draw paints, and the numbers of their strokes: (1 + draws, n)."""

        def drawn() -> Indices:
            draws = [numbered_strokes(self.mask, 1 + draw, max(COUNTS)).ravel() for draw in range(DRAWS)]
            pixels = np.flatnonzero(np.any(draws, axis=0))
            return np.stack([pixels, *(numbers[pixels] for numbers in draws)])

        return self.kept.array(f"strokes/{self.digest}", drawn)

    @cached_property
    def scored(self) -> Indices:
        """Flat indices of the pixels that are scored: one of each cell of a lattice, where it has a class."""
        height, width = self.mask.shape
        step = max(1, round((height * width) ** 0.5 / SCORED_SIDE))
        rng = np.random.default_rng(0)
        top, left = np.meshgrid(np.arange(0, height, step), np.arange(0, width, step), indexing="ij")
        rows = np.minimum(top + rng.integers(step, size=top.shape), height - 1)
        columns = np.minimum(left + rng.integers(step, size=left.shape), width - 1)
        pixels: Indices = np.unique(rows * width + columns)
        return pixels[self.mask.ravel()[pixels] > 0]

    @cached_property
    def painted(self) -> Indices:
        """Flat indices of all pixels that any draw of strokes paints."""
        pixels: Indices = self._numbers[0]
        return pixels

    @cached_property
    def truth(self) -> Labels:
        """Classes of the scored pixels."""
        return self.mask.ravel()[self.scored]


def find_sets(folders: Sequence[Path]) -> list[LabelledSet]:
    """The sets of some folders together."""
    return [labelled for folder in folders for labelled in labelled_sets(folder)]


def chosen(images: Sequence[LabelledImage]) -> list[LabelledImage]:
    """At most six images of a set, evenly spread."""
    return list(images[:: max(1, len(images) // MAX_IMAGES)][:MAX_IMAGES])


def thirds(count: int) -> list[tuple[list[int], list[int]]]:
    """Numbers of images that give strokes, and of the others: each third gives them once."""
    length = max(1, count // 3)
    starts = range(0, count - length + 1, length)
    return [
        (list(range(start, start + length)), [n for n in range(count) if not start <= n < start + length])
        for start in starts
    ]
