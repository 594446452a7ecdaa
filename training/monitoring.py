"""Measurements of the student's features on a few fixed windows while it trains."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from patchfield.backbones import Transformer, ViT
from patchfield.evaluate.position import position_predictability
from patchfield.field import extract
from training.collection import Collection
from training.config import RunSettings
from training.model import Start
from training.monitors import drift, effective_rank, has_collapsed, neighbour_consistency
from training.tiles import Batch, Tiles

_WINDOWS = 16
_POSITION_WINDOWS = 3
_REFERENCES = 49


@dataclass(frozen=True)
class Measured:
    """Effective rank, cosine to the original features, agreement of two views' nearest neighbours, and R2 of the
    position of a patch as read from its features."""

    effective_rank: float
    drift: float
    neighbour_consistency: float
    position: float

    def named(self) -> dict[str, float]:
        return {f"features/{name}": value for name, value in vars(self).items()}


class FeatureMonitor:
    """Compare the features of a backbone in training with those it started from.

    Parameters
    ----------
    settings : RunSettings
    start : Start
    collection : Collection
        Where the windows are drawn from, by a seed of their own.
    device : torch.device
    """

    def __init__(self, settings: RunSettings, start: Start, collection: Collection, device: torch.device) -> None:
        tiles = Tiles(
            collection,
            replace(settings.crops, locals=1, flips=False, quarter_turns=False),
            settings.augmentation,
            settings.tiles,
            clean_teacher=True,
            seed=settings.seed + 1,
        )
        samples = [tiles[index] for index in range(min(_WINDOWS, 2 * len(collection.planes)))]
        self._clean = _first_globals(samples, "teacher_globals").to(device)
        self._changed = _first_globals(samples, "student_globals").to(device)
        original = Transformer(start.spec, start.state).to(device).eval()
        self._original = _features(original, self._clean)
        picked = np.random.default_rng(settings.seed).choice(
            len(self._original), min(_REFERENCES, len(self._original)), replace=False
        )
        self._picked = torch.from_numpy(picked).to(device)
        self.initial = self.measure(original)

    def measure(self, backbone: Transformer) -> Measured:
        """Measure a backbone; it is left in the mode it was in."""
        was_training = backbone.training
        backbone.eval()
        clean, changed = _features(backbone, self._clean), _features(backbone, self._changed)
        measured = Measured(
            effective_rank(clean),
            drift(clean, self._original),
            neighbour_consistency(clean, changed, clean[self._picked]),
            self._position(backbone),
        )
        backbone.train(was_training)
        return measured

    def has_collapsed(self, measured: Measured) -> bool:
        """Whether the features use far fewer directions than at the start."""
        return has_collapsed(measured.effective_rank, self.initial.effective_rank)

    def _position(self, backbone: Transformer) -> float:
        state = {key: value.detach() for key, value in backbone.vit.state_dict().items()}
        vit = ViT(backbone.spec, state, "in training", device=self._clean.device, precision="fp32")
        windows = [window.movedim(0, -1).cpu().numpy() for window in self._clean[:_POSITION_WINDOWS]]
        fields = [extract(window, vit, sampling="fast", contrast="none") for window in windows]
        return float(np.mean([position_predictability(field, backbone.spec.patch) for field in fields]))


@torch.no_grad()
def _features(backbone: Transformer, crops: torch.Tensor) -> torch.Tensor:
    """Tokens (patches of all crops, channels) float32."""
    return torch.cat([backbone(crop[None]).grid.flatten(2)[0].T.float() for crop in crops])


def _first_globals(samples: Sequence[Batch], kind: str) -> torch.Tensor:
    return torch.stack([getattr(sample, kind)[0] for sample in samples])
