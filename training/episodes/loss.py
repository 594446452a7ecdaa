"""What an episode asks for: that a linear classifier of the strokes segments the rest, and the next image."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from patchfield.backbones.micro.network import PITCH
from training.episodes.ridge import fit_ridge
from training.episodes.scene import Episodes
from training.errors import require

UNLABELLED = -1
_MIN_DEVIATION = 1e-3


@dataclass(frozen=True)
class EpisodeLossSettings:
    """How the classifier's predictions are judged.

    Attributes
    ----------
    second_image : float
        Share of the loss that is on the image without strokes.
    balance : float
        0 weighs all pixels alike, 1 all classes.
    penalty : float
        Ridge penalty at the start; it is learned.
    sharpness : float
        Factor between predictions and logits at the start; it is learned.
    """

    second_image: float = 0.5
    balance: float = 0.7
    penalty: float = 0.05
    sharpness: float = 8.0

    def __post_init__(self) -> None:
        require(0 <= self.second_image <= 1, "loss.second_image must lie between 0 and 1")
        require(0 <= self.balance <= 1, "loss.balance must lie between 0 and 1")
        require(0 < self.penalty < math.inf, "loss.penalty must be positive")
        require(0 < self.sharpness < math.inf, "loss.sharpness must be positive")


class Judgement(NamedTuple):
    """Of one episode, for its first and its second image.

    Attributes
    ----------
    loss : Tensor (2,)
    accuracy : Tensor (2,)
    counts : Tensor (2,) bool
        Whether any pixel of the image was asked for: of a partly labelled one there may be none.
    """

    loss: Tensor
    accuracy: Tensor
    counts: Tensor


class EpisodeLoss(nn.Module):
    """Cross-entropy of a classifier that was fitted to the strokes, over the pixels that were not painted.

    Features are standardised over the first image, the second image's with the statistics of the first: as a probe
    meets the next image.
    """

    def __init__(self, settings: EpisodeLossSettings) -> None:
        super().__init__()
        self._settings = settings
        self.log_penalty = nn.Parameter(torch.tensor(math.log(settings.penalty)))
        self.log_sharpness = nn.Parameter(torch.tensor(math.log(settings.sharpness)))

    def forward(self, features: Tensor, episodes: Episodes, phase: int) -> tuple[Tensor, Tensor]:
        """Loss and accuracy on the first and on the second images.

        Parameters
        ----------
        features : Tensor (B, 2, C, side / 2, side / 2)
            Of both images of the episodes.
        phase : int
            Which of the four pixels of every feature is asked for, modulo 4: a quarter of the work, and after four
            steps all pixels had their turn.

        Returns
        -------
        loss : Tensor ()
        accuracy : Tensor (2,)
            Mean over classes; without gradient.
        """
        row, column = divmod(phase % PITCH**2, PITCH)
        judged = [self._episode(*episode, row, column) for episode in zip(features.float(), *episodes[1:], strict=True)]
        losses = torch.stack([judgement.loss for judgement in judged])
        counts = torch.stack([judgement.counts for judgement in judged])
        accuracy = torch.stack([judgement.accuracy for judgement in judged])
        first, second = _mean_where(losses, counts)
        share = self._settings.second_image
        return first * (1 - share) + second * share, _mean_where(accuracy, counts)

    def _episode(self, features: Tensor, masks: Tensor, strokes: Tensor, row: int, column: int) -> "Judgement":
        count = int(masks.max()) + 1
        deviation, mean = torch.std_mean(features[0], dim=(1, 2))
        scale = 1 / (deviation + _MIN_DEVIATION)
        rows, columns = torch.nonzero(strokes != UNLABELLED, as_tuple=True)
        samples = (features[0][:, rows // PITCH, columns // PITCH].T - mean) * scale
        weights, bias = fit_ridge(samples, strokes[rows, columns], count, self.log_penalty.exp())
        # Standardising the few weights instead of all features is the same map, for a fraction of the work.
        weights = scale[:, None] * weights
        scores = torch.einsum("ic...,ck->ik...", features, weights) + (bias - mean @ weights)[:, None, None]
        logits = self.log_sharpness.exp() * _at_pixels(scores, row, column)
        asked = torch.stack([masks[0].where(strokes == UNLABELLED, UNLABELLED), masks[1]])
        asked = asked[:, row::PITCH, column::PITCH]
        judged = [self._judge(*image, count) for image in zip(logits, asked, strict=True)]
        loss, accuracy = (torch.stack(values) for values in zip(*judged, strict=True))
        return Judgement(loss, accuracy, (asked != UNLABELLED).flatten(1).any(1))

    def _judge(self, logits: Tensor, classes: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Loss and mean accuracy over the classes of one image; 0 where no pixel of it is asked for."""
        known = classes != UNLABELLED
        if not known.any():
            return 0 * logits.sum(), logits.new_zeros(())
        classes, logits = classes[known], logits[:, known].T
        pixels = torch.bincount(classes, minlength=count).float()
        weight = (pixels.clamp(min=1) / len(classes)) ** -self._settings.balance * (pixels > 0)
        loss = functional.cross_entropy(logits, classes, weight)
        hits = torch.bincount(classes[logits.detach().argmax(1) == classes], minlength=count)
        return loss, (hits / pixels.clamp(min=1)).sum() / (pixels > 0).sum()


def _mean_where(values: Tensor, counts: Tensor) -> Tensor:
    """The mean over episodes (B, 2) of each image where it counts; 0 where it never does."""
    if counts.all():
        return values.mean(0)
    return values.where(counts, 0).sum(0) / counts.sum(0).clamp(min=1)


def _at_pixels(scores: Tensor, row: int, column: int) -> Tensor:
    """Bilinear scores (..., h, w) at one of the two by two pixels that a feature stands for."""
    for axis, offset in ((-2, row), (-1, column)):
        count = scores.shape[axis]
        neighbour = torch.arange(count, device=scores.device).add(2 * offset - 1).clamp(0, count - 1)
        scores = 0.75 * scores + 0.25 * scores.index_select(axis, neighbour)
    return scores
