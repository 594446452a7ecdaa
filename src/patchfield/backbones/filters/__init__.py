"""The embedded backbone: a multi-scale filter bank that needs no weights."""

from patchfield.backbones.filters.bank import LEVELS, VERSIONS, FilterBank, compute_channels
from patchfield.backbones.filters.statistics import ImageStatistics, mean_gradients, measure

__all__ = ["LEVELS", "VERSIONS", "FilterBank", "ImageStatistics", "compute_channels", "mean_gradients", "measure"]
