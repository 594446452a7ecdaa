"""Episode number i of a run, for any i."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from training.episodes.light import LightSettings, relight
from training.episodes.scene import Episodes, Mask, Pair, as_classes, as_tensor
from training.episodes.sources import Source, paintable
from training.episodes.strokes import StrokeSettings, paint
from training.errors import TrainingError

_PAIRS = 20
_ATTEMPTS = 25
"""A source is asked for this many pairs with two classes, and then another one is drawn, this many times."""

_ANOTHER = 2**40
"""Added to the number of an episode whose source found no two classes: beyond all numbers of a run."""

_MERGED = 0.25
"""Share of the episodes of more than two classes in which two are merged: more tasks from the same masks."""


class EpisodeDataset(Dataset[Episodes]):
    """Endless episodes; everything about number i follows from the seed and i alone, so that runs can be resumed.

    Parameters
    ----------
    sources : sequence of (Source, float)
        Where pairs of images come from, and each one's share.
    side : int
        Of the images in pixels.
    strokes, light : settings
    seed : int
    """

    def __init__(
        self,
        sources: Sequence[tuple[Source, float]],
        side: int,
        strokes: StrokeSettings,
        light: LightSettings,
        seed: int,
    ) -> None:
        self._sources = [source for source, _ in sources]
        shares = np.array([share for _, share in sources])
        self._shares = shares / shares.sum()
        self._side = side
        self._strokes = strokes
        self._light = light
        self._seed = seed

    def __getitem__(self, index: int) -> Episodes:
        tried: list[str] = []
        for attempt in range(_ATTEMPTS):
            rng = np.random.default_rng([self._seed, index + attempt * _ANOTHER])
            source = self._sources[rng.choice(len(self._sources), p=self._shares)]
            for _ in range(_PAIRS):
                pair = source.pair(self._side, rng)
                masks = _chosen_classes(pair.masks, rng)
                if masks is not None:
                    return self._episode(Pair(pair.images, masks), rng)
            tried.append(source.title)
        raise TrainingError(
            f"no crop of {self._side} pixels of {' or '.join(sorted(set(tried)))} shows two classes that could be "
            "painted: give images with more of them, or a larger --side."
        )

    def _episode(self, pair: Pair, rng: np.random.Generator) -> Episodes:
        images = relight(pair.images, self._light, rng)
        turned = [_turned(image, mask, rng) for image, mask in zip(images, pair.masks, strict=True)]
        strokes = paint(turned[0][1], self._strokes, rng)
        return Episodes(
            torch.stack([as_tensor(image) for image, _ in turned]),
            torch.stack([as_classes(mask) for _, mask in turned]),
            as_classes(strokes),
        )


def _chosen_classes(masks: tuple[Mask, Mask], rng: np.random.Generator) -> tuple[Mask, Mask] | None:
    """Masks with the classes that the first image can be painted with, counted from 1; None when there is only one."""
    values = paintable(masks[0])
    if len(values) < 2:
        return None
    numbers = np.arange(1, len(values) + 1)
    if len(values) > 2 and rng.random() < _MERGED:
        first, second = rng.choice(len(values), 2, replace=False)
        numbers[first] = numbers[second]
        numbers = np.unique(numbers, return_inverse=True)[1] + 1
    table = np.zeros(256, np.uint8)
    table[values] = numbers
    return table[masks[0]], table[masks[1]]


def _turned(image: np.ndarray, mask: Mask, rng: np.random.Generator) -> tuple[np.ndarray, Mask]:
    """A random one of the eight symmetries of the square."""
    turns = int(rng.integers(4))
    image, mask = np.rot90(image, turns), np.rot90(mask, turns)
    if rng.random() < 0.5:
        image, mask = image[::-1], mask[::-1]
    return image, np.ascontiguousarray(mask)
