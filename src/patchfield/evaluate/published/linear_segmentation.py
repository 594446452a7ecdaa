"""Linear segmentation as in the tables of NeCo (section "linear segmentation", after Leopart): masks of 100 x 100.

Numbers of this protocol are not those of DINOv2's own linear probe, which works at full resolution.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate
from torch.optim.lr_scheduler import StepLR
from torchvision.transforms import v2

from patchfield.backbones.base import Backbone
from patchfield.evaluate.metrics import confusion_matrix, mean_iou_of_set
from patchfield.evaluate.published.crops import Crops, Track, batches, labels_at, patch_of, silently, squashed, tokens
from patchfield.evaluate.published.datasets import Benchmark


@dataclass(frozen=True)
class LinearSegmentation:
    """Published protocol "linear segmentation"; the defaults are the published values.

    Attributes
    ----------
    size : int
        Side of the crops in pixels.
    mask : int
        Side to which tokens (bilinear) and masks (nearest) are brought.
    epochs : int
        Passes over the training images.
    drop_at : int
        Epochs after which the learning rate falls to a tenth, and again after as many more.
    batch : int
        Images per step.
    learning_rate : float
    momentum : float
        Of SGD.
    weight_decay : float
    adam : int
        1: Adam instead of SGD, as FeatUp's probe of COCO-Stuff has it (learning rate 0.005).
    seed : int
        Of the first weights, the order of images and the augmentation.
    """

    name: ClassVar[str] = "linear-segmentation"
    needs: ClassVar[str] = "classes"
    size: int = 448
    mask: int = 100
    epochs: int = 25
    drop_at: int = 20
    batch: int = 128
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 1e-4
    adam: int = 0
    seed: int = 400

    def __call__(
        self, backbone: Backbone, benchmark: Benchmark, workers: int = 0, track: Track = silently
    ) -> "LinearSegmentationResult":
        """Train a 1 x 1 convolution on frozen tokens, and score it on the validation images after each epoch.

        Returns
        -------
        LinearSegmentationResult
        """
        patch_of(backbone)
        torch.manual_seed(self.seed)
        augmented = v2.Compose([v2.RandomResizedCrop(self.size, scale=(0.8, 1.0)), v2.RandomHorizontalFlip(0.5)])
        train = batches(Crops(benchmark.train, benchmark, augmented), self.batch, workers, shuffle_seed=self.seed)
        val = batches(Crops(benchmark.val, benchmark, squashed(self.size)), self.batch, workers)
        head = nn.Conv2d(backbone.channels, benchmark.classes, 1).to(backbone.device)
        optimiser = self._optimiser(head)
        schedule = StepLR(optimiser, self.drop_at, gamma=0.1)
        scores = []
        for epoch in range(self.epochs):
            for images, masks in track(train, f"epoch {epoch + 1} of {self.epochs}"):
                features, truth = self._at_mask_size(tokens(backbone, images), masks)
                if not (truth != benchmark.ignore).any():
                    continue
                loss = cross_entropy(head(features), truth, ignore_index=benchmark.ignore)
                optimiser.zero_grad()
                torch.autograd.backward(loss)
                optimiser.step()
            schedule.step()
            confusion = sum(
                self._confusion(head, tokens(backbone, images), masks, benchmark) for images, masks in track(val, "val")
            )
            scores.append(float(mean_iou_of_set(confusion)))
        return LinearSegmentationResult(tuple(scores))

    def _optimiser(self, head: nn.Module) -> torch.optim.Optimizer:
        if self.adam:
            return torch.optim.Adam(head.parameters(), self.learning_rate, weight_decay=self.weight_decay)
        return torch.optim.SGD(
            head.parameters(), self.learning_rate, momentum=self.momentum, weight_decay=self.weight_decay
        )

    def _at_mask_size(self, features: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        features = interpolate(features, (self.mask, self.mask), mode="bilinear", align_corners=False)
        return features, labels_at(masks, self.mask).to(features.device)

    @torch.no_grad()
    def _confusion(self, head: nn.Module, features: Tensor, masks: Tensor, benchmark: Benchmark) -> np.ndarray:
        features, truth = self._at_mask_size(features, masks)
        prediction = head(features).argmax(1)
        return confusion_matrix(
            prediction.cpu().numpy(), truth.cpu().numpy(), range(benchmark.classes), benchmark.ignore
        )


@dataclass(frozen=True)
class LinearSegmentationResult:
    """Mean IoU over all classes of the validation set after each epoch.

    Attributes
    ----------
    miou_of_epochs : tuple of float
    """

    miou_of_epochs: tuple[float, ...]

    @property
    def last(self) -> float:
        """After the last epoch."""
        return self.miou_of_epochs[-1]

    @property
    def best(self) -> float:
        """Of the best epoch, chosen on the validation set itself: optimistic, and what the published tables show."""
        return max(self.miou_of_epochs)

    def figures(self) -> dict[str, float]:
        """What a table shows."""
        return {"mIoU, best epoch": self.best, "mIoU, last epoch": self.last}
