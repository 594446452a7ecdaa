"""Dense nearest-neighbour retrieval ("hummingbird", Balazevic et al., NeurIPS 2023) as open-hummingbird-eval does it.

Two things differ on purpose: the search is exact, and predicted classes are not re-matched to the true ones.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate, normalize
from torchvision.transforms import v2

from patchfield.backbones.base import Backbone
from patchfield.evaluate.metrics import confusion_matrix, mean_iou_of_set
from patchfield.evaluate.metrics.patches import PatchGrid
from patchfield.evaluate.metrics.search import vote
from patchfield.evaluate.published.crops import Crops, Track, batches, encoded_batches, patch_of, silently, squashed
from patchfield.evaluate.published.datasets import IGNORED, Benchmark


@dataclass(frozen=True)
class DenseRetrieval:
    """Published protocol "dense retrieval"; the defaults are the published values.

    Attributes
    ----------
    size : int
        Crops have the largest side up to this that holds whole patches: 504 px for patches of 14, 512 for 16.
    neighbours : int
        How many patches vote.
    temperature : float
        Of their weights; small values trust the nearest only.
    memory : int or None
        Number of patches remembered, the same from each image, those with rare classes first; None for all.
    passes : int
        Augmented passes over the training images.
    batch : int
        Images encoded together.
    seed : int
        Of the augmentation and of the choice of patches.
    """

    name: ClassVar[str] = "dense-retrieval"
    needs: ClassVar[str] = "classes"
    size: int = 512
    neighbours: int = 30
    temperature: float = 0.02
    memory: int | None = None
    passes: int = 1
    batch: int = 64
    seed: int = 0

    def __call__(
        self, backbone: Backbone, benchmark: Benchmark, workers: int = 0, track: Track = silently
    ) -> "DenseRetrievalResult":
        """Remember the patches of the training images, and label those of the validation images by their neighbours.

        Returns
        -------
        DenseRetrievalResult
        """
        patch = patch_of(backbone)
        size = self.size // patch * patch
        grid = PatchGrid((size, size), patch)
        memory, labels = self._remember(backbone, benchmark, grid, workers, track)
        val = batches(Crops(benchmark.val, benchmark, squashed(size)), self.batch, workers)
        confusion = np.zeros((benchmark.classes, benchmark.classes), np.int64)
        for features, truth in encoded_batches(backbone, track(val, "queries")):
            rows, columns = features.shape[2:]
            votes = vote(_flat(features), memory, labels, self.neighbours, self.temperature)
            maps = votes.reshape(len(truth), rows, columns, -1).permute(0, 3, 1, 2)
            prediction = interpolate(maps, (size, size), mode="bilinear", align_corners=False).argmax(1)
            confusion += confusion_matrix(
                prediction.cpu().numpy(), truth.numpy(), range(benchmark.classes), benchmark.ignore
            )
        return DenseRetrievalResult(float(mean_iou_of_set(confusion)), len(memory))

    def _remember(
        self, backbone: Backbone, benchmark: Benchmark, grid: PatchGrid, workers: int, track: Track
    ) -> tuple[Tensor, Tensor]:
        torch.manual_seed(self.seed)
        generator = np.random.default_rng(self.seed)
        train = batches(Crops(benchmark.train, benchmark, _augmentation(grid.shape[0])), self.batch, workers)
        kept = None if self.memory is None else max(1, self.memory // (len(benchmark.train) * self.passes))
        memory, labels = [], []
        for part in range(self.passes):
            for features, masks in encoded_batches(backbone, track(train, f"memory, pass {part + 1}")):
                for image, mask in zip(features, masks.numpy(), strict=True):
                    folded = np.where(mask == IGNORED, 0, mask)
                    soft = grid.soft_labels(folded, range(benchmark.classes))
                    chosen = rarest_first(soft, generator)[:kept]
                    memory.append(_flat(image[None])[chosen].half())
                    labels.append(torch.from_numpy(soft[chosen]).half().to(backbone.device))
        return torch.cat(memory), torch.cat(labels)


@dataclass(frozen=True)
class DenseRetrievalResult:
    """Mean IoU over all classes of the validation set, and the number of patches that were remembered."""

    miou: float
    memory: int

    def figures(self) -> dict[str, float]:
        """What a table shows."""
        return {"mIoU": self.miou, "patches remembered": self.memory}


def rarest_first(soft_labels: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.int64]:
    """Patches of an image in the order in which a bounded memory takes them.

    The score of a patch is the sum, over the classes in it, of the number of patches with that class, times a uniform
    random number; small scores come first.

    Parameters
    ----------
    soft_labels : (patches, K)
    generator : numpy Generator

    Returns
    -------
    (patches,) int64
    """
    present = soft_labels > 0
    score = present @ present.sum(0) * generator.random(len(present))
    return np.argsort(score, kind="stable")


def _augmentation(size: int) -> v2.Transform:
    jitter = ("brightness", "contrast", "saturation", "hue")
    return v2.Compose(
        [
            v2.RandomResizedCrop(size, scale=(0.5, 2.0)),
            *(v2.RandomApply([v2.ColorJitter(**{name: 0.1})], p=0.5) for name in jitter),
        ]
    )


def _flat(features: Tensor) -> Tensor:
    """(B, C, h, w) as (B h w, C) of unit length."""
    return normalize(features.permute(0, 2, 3, 1).reshape(-1, features.shape[1]), dim=1)
