"""Measurements of the student's features on a few fixed windows while it trains."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from patchfield.backbones import Transformer
from training.data.collection import Collection
from training.data.windows import Batch, Tiles
from training.monitor.measures import drift, effective_rank, has_collapsed, neighbour_consistency
from training.neco.settings import RunSettings
from training.networks.student_teacher import Start

_WINDOWS = 16
_REFERENCES = 49


@dataclass(frozen=True)
class Measured:
    """Features of a backbone on the windows.

    Attributes
    ----------
    effective_rank : float
        Directions that the features use.
    drift : float
        Mean cosine to the original features.
    neighbour_consistency : float
        Share of patches that keep their nearest reference when pixel values change.
    position : float
        R2 of the position of a patch in its crop, read linearly from its features on one half of the windows and
        scored on the other: 0 cannot be read, 1 dominates.
    """

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
        samples = [tiles[index] for index in range(_WINDOWS)]
        self._clean = _first_globals(samples, "teacher_globals").to(device)
        self._changed = _first_globals(samples, "student_globals").to(device)
        original = Transformer(start.spec, start.state).to(device).eval()
        self._original = _patches(_grids(original, self._clean))
        picked = np.random.default_rng(settings.seed).choice(
            len(self._original), min(_REFERENCES, len(self._original)), replace=False
        )
        self._picked = torch.from_numpy(picked).to(device)
        self.initial = self.measure(original)

    def measure(self, backbone: Transformer) -> Measured:
        """Measure a backbone; it is left in the mode it was in."""
        was_training = backbone.training
        backbone.eval()
        grids = _grids(backbone, self._clean)
        clean, changed = _patches(grids), _patches(_grids(backbone, self._changed))
        measured = Measured(
            effective_rank(clean),
            drift(clean, self._original),
            neighbour_consistency(clean, changed, clean[self._picked]),
            position_read_out(grids),
        )
        backbone.train(was_training)
        return measured

    def has_collapsed(self, measured: Measured) -> bool:
        """Whether the features use far fewer directions than at the start."""
        return has_collapsed(measured.effective_rank, self.initial.effective_rank)


def position_read_out(features: torch.Tensor) -> float:
    """R2 of row and column as a ridge regression reads them from features (crops, channels, n, n).

    It learns from every second crop and is scored on the others.
    """
    crops, _, side, _ = features.shape
    ramp = np.linspace(0, 1, side)
    positions = np.tile(np.stack(np.meshgrid(ramp, ramp, indexing="ij"), axis=-1).reshape(-1, 2), (crops, 1))
    rows = features.flatten(2).transpose(1, 2).flatten(0, 1).cpu().numpy()
    learned = np.arange(len(rows)) // side**2 % 2 == 0
    probe = make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(rows[learned], positions[learned])
    return float(r2_score(positions[~learned], probe.predict(rows[~learned])))


@torch.no_grad()
def _grids(backbone: Transformer, crops: torch.Tensor) -> torch.Tensor:
    """Tokens (crops, channels, n, n) float32."""
    return torch.cat([backbone(crop[None]).grid.float() for crop in crops])


def _patches(grids: torch.Tensor) -> torch.Tensor:
    """(crops, channels, n, n) as (patches of all crops, channels)."""
    return grids.flatten(2).transpose(1, 2).flatten(0, 1)


def _first_globals(samples: Sequence[Batch], kind: str) -> torch.Tensor:
    return torch.stack([getattr(sample, kind)[0] for sample in samples])
