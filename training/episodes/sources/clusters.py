"""Episodes from unlabelled micrographs: clusters of their pixels are the classes.

Hsu, Levine & Finn, "Unsupervised learning via meta-learning", ICLR 2019: clusterings of one description, each with
other random weights of its channels, are as many tasks.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.vq import ClusterError, kmeans2
from skimage.segmentation import felzenszwalb
from torch import Tensor
from torch.nn import functional

from patchfield.backbones.filters import LEVELS, describe, mean_gradients
from training.episodes.scene import Pair, Pixels, as_tensor
from training.episodes.sources.base import Magnification, Source, in_contrast
from training.episodes.sources.textures import Textures

_PITCH = 2
_SAMPLES = 1000
_CHANNELS = (3, 16)
_CLASSES = (2, 4)
_WEIGHT_DEVIATION = 0.5
"""Of the logarithm of a channel's weight."""


@dataclass(frozen=True)
class ClusterSource(Source):
    """Two crops of an unlabelled micrograph; their classes are clusters of a few channels of the filter bank.

    In half of the pairs the clusters are those of regions of even colour (Felzenszwalb & Huttenlocher, IJCV 59, 2004),
    whose edges are sharp, as those of phases are.

    Parameters
    ----------
    textures : Textures
    magnification : Magnification
    """

    textures: Textures
    magnification: Magnification

    def pair(self, side: int, rng: np.random.Generator) -> Pair:
        (kind,) = self.textures.draw_kinds(1, rng)
        plane = kind[rng.integers(len(kind))]
        first, second = (
            in_contrast(self.textures.crop(plane, side, factor, rng)) for factor in self.magnification.draw(rng)
        )
        scores = _cluster_scores(torch.stack([as_tensor(first), as_tensor(second)]), rng)
        if rng.random() < 0.5:
            scale, least = float(np.exp(rng.uniform(np.log(20), np.log(200)))), int(rng.integers(10, 60))
            scores = [
                _by_region(each, image, scale, least) for each, image in zip(scores, (first, second), strict=True)
            ]
        masks = [(each.argmax(0) + 1).astype(np.uint8) for each in scores]
        return Pair((first, second), (masks[0], masks[1]))


def _cluster_scores(images: Tensor, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """How near pixels are to the centres of clusters of the first of two images, (classes, side, side) for each."""
    channels = _some_channels(images, rng)
    deviation, mean = torch.std_mean(channels[0], dim=(1, 2), keepdim=True)
    weights = torch.from_numpy(np.exp(rng.normal(0, _WEIGHT_DEVIATION, len(mean))).astype(np.float32))
    channels = (channels - mean) / (deviation + 1e-3) * weights[:, None, None]
    samples = channels[0].flatten(1).T.numpy()
    samples = samples[rng.choice(len(samples), min(_SAMPLES, len(samples)), replace=False)]
    centres = torch.from_numpy(_centres(samples, int(rng.integers(_CLASSES[0], _CLASSES[1] + 1)), rng))
    scores = torch.einsum("kc,ichw->ikhw", centres, channels) - (centres**2).sum(1)[:, None, None] / 2
    return list(functional.interpolate(scores, scale_factor=_PITCH, mode="bilinear", align_corners=False).numpy())


def _some_channels(images: Tensor, rng: np.random.Generator) -> Tensor:
    """A few random channels of the filter bank that vary, (2, channels, side / 2, side / 2)."""
    described = describe(images, mean_gradients(images)[..., None, None])
    size = tuple(length // _PITCH for length in images.shape[-2:])
    counts = [level.channels for level in LEVELS]
    wanted = rng.choice(sum(counts), int(rng.integers(_CHANNELS[0], _CHANNELS[1] + 1)), replace=False)
    chosen = []
    for planes, first in zip(described, np.cumsum([0, *counts]), strict=False):
        some = planes[:, wanted[(wanted >= first) & (wanted < first + planes.shape[1])] - first]
        chosen.append(
            functional.interpolate(some, size=size, mode="bilinear", antialias=True)
            if some.numel()
            else some.new_empty(2, 0, *size)
        )
    return torch.cat(chosen, dim=1)


def _centres(samples: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    try:
        return kmeans2(samples, count, iter=8, minit="++", missing="raise", rng=rng)[0].astype(np.float32)
    except ClusterError:  # fewer different samples than clusters
        return samples[:count]


def _by_region(scores: NDArray[np.float32], image: Pixels, scale: float, least: int) -> NDArray[np.float32]:
    """Scores, each replaced by its mean over the region that it is in."""
    regions = felzenszwalb(image, scale=scale, sigma=0.8, min_size=least)
    sizes = np.bincount(regions.ravel())
    return np.stack([(np.bincount(regions.ravel(), plane.ravel()) / sizes)[regions] for plane in scores])
