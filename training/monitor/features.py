"""Measurements of a transformer's features on a few fixed windows while it trains."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from patchfield.backbones import Transformer
from training.data.collection import Collection
from training.data.windows import CropDataset, SampleSettings
from training.engine.objective import Health
from training.monitor.measures import drift, effective_rank, has_collapsed, neighbour_consistency
from training.networks.start import Start

_WINDOWS = 16
_REFERENCES = 49


@dataclass(frozen=True)
class WatchedCrops:
    """Crops (n, 3, side, side) float32 with values 0 to 1, and the same with changed pixel values."""

    clean: Tensor
    changed: Tensor

    @classmethod
    def from_collection(cls, collection: Collection, samples: SampleSettings) -> "WatchedCrops":
        """One global crop of each of 16 windows, by a seed of their own, neither turned nor mirrored."""
        crops = replace(samples.crops, local_crops=1, flips=False, quarter_turns=False)
        dataset = CropDataset(collection, replace(samples, crops=crops, seed=samples.seed + 1, clean_teacher=True))
        drawn = [dataset[index] for index in range(_WINDOWS)]
        return cls(
            torch.stack([sample.teacher_globals[0] for sample in drawn]),
            torch.stack([sample.student_globals[0] for sample in drawn]),
        )


class FeatureMonitor:
    """Compare the features of a transformer in training with those it started from.

    What it measures, as ``features/NAME``:

    effective_rank
        Directions that the features use; far fewer than at the start is a collapse.
    drift
        Mean cosine to the original features.
    neighbour_consistency
        Share of patches that keep their nearest reference when pixel values change.
    position
        R2 of the position of a patch in its crop, read linearly from its features on one half of the crops and scored
        on the other: 0 cannot be read, 1 dominates.

    Parameters
    ----------
    backbone : Transformer
        The one in training.
    start : Start
        Where it started from.
    crops : WatchedCrops
    every : int
        Steps between two measurements.
    seed : int
    device : torch.device
    """

    def __init__(
        self, backbone: Transformer, start: Start, crops: WatchedCrops, every: int, seed: int, device: torch.device
    ) -> None:
        self.every = every
        self._backbone = backbone
        self._clean = crops.clean.to(device)
        self._changed = crops.changed.to(device)
        original = Transformer(start.spec, start.state).to(device).eval()
        self._original = _patches(_grids(original, self._clean))
        count = min(_REFERENCES, len(self._original))
        picked = np.random.default_rng(seed).choice(len(self._original), count, replace=False)
        self._picked = torch.from_numpy(picked).to(device)
        self._initial_rank = effective_rank(self._original)
        self.initial = self._measure(original)

    def measure(self) -> Health:
        """Measure the transformer in training; it is left in the mode it was in."""
        was_training = self._backbone.training
        self._backbone.eval()
        health = self._measure(self._backbone)
        self._backbone.train(was_training)
        return health

    def _measure(self, backbone: Transformer) -> Health:
        grids = _grids(backbone, self._clean)
        clean, changed = _patches(grids), _patches(_grids(backbone, self._changed))
        rank = effective_rank(clean)
        measures = {
            "effective_rank": rank,
            "drift": drift(clean, self._original),
            "neighbour_consistency": neighbour_consistency(clean, changed, clean[self._picked]),
            "position": position_read_out(grids),
        }
        named = {f"features/{name}": value for name, value in measures.items()}
        return Health(named, has_collapsed(rank, self._initial_rank))


def position_read_out(features: Tensor) -> float:
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
def _grids(backbone: Transformer, crops: Tensor) -> Tensor:
    """Tokens (crops, channels, n, n) float32."""
    return torch.cat([backbone(crop[None]).grid.float() for crop in crops])


def _patches(grids: Tensor) -> Tensor:
    """(crops, channels, n, n) as (patches of all crops, channels)."""
    return grids.flatten(2).transpose(1, 2).flatten(0, 1)
