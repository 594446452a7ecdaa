"""What an episode asks for: that a linear classifier of the strokes segments the rest, and the next image."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from patchfield.backbones.micro.network import PITCH
from training.episodes.ridge import fit_ridge
from training.episodes.scene import Episodes

UNLABELLED = -1
_LEAST_DEVIATION = 1e-3


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
        measured = [self._episode(*each, row, column) for each in zip(features.float(), *episodes[1:], strict=True)]
        losses = torch.stack([losses for losses, _ in measured]).mean(0)
        share = self._settings.second_image
        return losses[0] * (1 - share) + losses[1] * share, torch.stack([each for _, each in measured]).mean(0)

    def _episode(
        self, features: Tensor, masks: Tensor, strokes: Tensor, row: int, column: int
    ) -> tuple[Tensor, Tensor]:
        count = int(masks.max()) + 1
        deviation, mean = torch.std_mean(features[0], dim=(1, 2))
        scale = 1 / (deviation + _LEAST_DEVIATION)
        rows, columns = torch.nonzero(strokes != UNLABELLED, as_tuple=True)
        samples = (features[0][:, rows // PITCH, columns // PITCH].T - mean) * scale
        weights, bias = fit_ridge(samples, strokes[rows, columns], count, self.log_penalty.exp())
        # Standardising the few weights instead of all features is the same map, for a fraction of the work.
        weights = scale[:, None] * weights
        scores = torch.einsum("ic...,ck->ik...", features, weights) + (bias - mean @ weights)[:, None, None]
        logits = self.log_sharpness.exp() * _at_pixels(scores, row, column)
        asked = torch.stack([masks[0].where(strokes == UNLABELLED, UNLABELLED), masks[1]])
        asked = asked[:, row::PITCH, column::PITCH]
        judged = [self._judge(*each, count) for each in zip(logits, asked, strict=True)]
        return torch.stack([loss for loss, _ in judged]), torch.stack([accuracy for _, accuracy in judged])

    def _judge(self, logits: Tensor, classes: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Loss and mean accuracy over the classes of one image."""
        known = classes != UNLABELLED
        classes, logits = classes[known], logits[:, known].T
        pixels = torch.bincount(classes, minlength=count).float()
        weight = (pixels.clamp(min=1) / len(classes)) ** -self._settings.balance * (pixels > 0)
        loss = functional.cross_entropy(logits, classes, weight)
        hits = torch.bincount(classes[logits.detach().argmax(1) == classes], minlength=count)
        return loss, (hits / pixels.clamp(min=1)).sum() / (pixels > 0).sum()


def _at_pixels(scores: Tensor, row: int, column: int) -> Tensor:
    """Bilinear scores (..., h, w) at one of the two by two pixels that a feature stands for."""
    for axis, place in ((-2, row), (-1, column)):
        count = scores.shape[axis]
        neighbour = torch.arange(count, device=scores.device).add(2 * place - 1).clamp(0, count - 1)
        scores = 0.75 * scores + 0.25 * scores.index_select(axis, neighbour)
    return scores
