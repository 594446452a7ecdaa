"""Images and masks of a benchmark as square crops, and the tokens of a frozen backbone at them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from patchfield.backbones.base import Backbone
from patchfield.errors import BackboneError
from patchfield.evaluate.published.datasets import Benchmark, Pair

Transform = Callable[[tv_tensors.Image, tv_tensors.Mask], tuple[Tensor, Tensor]]


class Track(Protocol):
    """Shows progress while something is iterated over, as :func:`rich.progress.track` does."""

    def __call__(self, sequence: Iterable[Any], description: str) -> Iterable[Any]: ...


def silently(sequence: Iterable[Any], description: str) -> Iterable[Any]:
    """A :class:`Track` that shows nothing."""
    return sequence


class Crops(Dataset[tuple[Tensor, Tensor]]):
    """Pairs of a benchmark as (3, S, S) float32 images 0 to 1 and (S, S) int64 masks.

    Parameters
    ----------
    pairs : sequence of Pair
    benchmark : Benchmark
    transform : callable
        From image and mask to crops of one size.
    """

    def __init__(self, pairs: Sequence[Pair], benchmark: Benchmark, transform: Transform) -> None:
        self._pairs, self._benchmark, self._transform = pairs, benchmark, transform

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        pair = self._pairs[index]
        with Image.open(pair.image) as image, Image.open(pair.mask) as mask:
            pixels, values = np.array(image.convert("RGB")), np.array(mask)
        if self._benchmark.lookup is not None:
            values = self._benchmark.lookup[values]
        crop, labels = self._transform(
            tv_tensors.Image(torch.from_numpy(pixels).permute(2, 0, 1)), tv_tensors.Mask(torch.from_numpy(values)[None])
        )
        return v2.functional.to_dtype(crop, torch.float32, scale=True).as_subclass(Tensor), labels[0].long()


def squashed(size: int) -> Transform:
    """Resize to a square whatever the aspect: images bilinear and antialiased, masks to the nearest."""
    transform: Transform = v2.Resize((size, size), antialias=True)
    return transform


def batches(crops: Crops, size: int, workers: int, shuffle_seed: int | None = None) -> DataLoader[Any]:
    """Batches of crops; shuffled, and without an incomplete last batch, where a seed is given.

    Parameters
    ----------
    crops : Crops
    size : int
        Of a batch, at most.
    workers : int
        Processes that decode images.
    shuffle_seed : int, optional
    """
    shuffle = shuffle_seed is not None
    generator = torch.Generator().manual_seed(shuffle_seed or 0)
    return DataLoader(
        crops,
        batch_size=min(size, len(crops)),
        shuffle=shuffle,
        drop_last=shuffle,
        num_workers=workers,
        generator=generator,
        persistent_workers=workers > 0,
    )


def labels_at(masks: Tensor, side: int) -> Tensor:
    """Masks (B, h, w) at another size, (B, side, side) int64 by the nearest pixel."""
    return interpolate(masks[:, None].float(), (side, side), mode="nearest")[:, 0].long()


def patch_of(backbone: Backbone) -> int:
    """Side of the backbone's patches.

    Raises
    ------
    BackboneError
        The backbone has several grids of tokens, or overlapping patches: the published protocols are not defined then.
    """
    if len(backbone.levels) != 1 or backbone.levels[0].pitch != backbone.levels[0].patch:
        raise BackboneError(
            f"'{backbone.name}' has {len(backbone.levels)} grids of tokens at {backbone.levels[0].pitch} px: the "
            "published protocols need a plain ViT, whose patches tile the image once."
        )
    return backbone.levels[0].patch


@torch.no_grad()
def tokens(backbone: Backbone, images: Tensor) -> Tensor:
    """Tokens (B, C, h, w) float32 of images (B, 3, S, S), on the backbone's device."""
    encoded = backbone.encode(images.to(backbone.device))[0]
    return encoded.to(backbone.device, torch.float32)


def encoded_batches(backbone: Backbone, loader: Iterable[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    """Tokens and masks of each batch."""
    for images, masks in loader:
        yield tokens(backbone, images), masks
