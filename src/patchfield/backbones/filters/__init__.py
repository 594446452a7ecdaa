"""The embedded backbone: a multi-scale filter bank that needs no weights."""

from patchfield.backbones.filters.bank import LEVELS, FilterBank, describe
from patchfield.backbones.filters.statistics import ImageStatistics, mean_gradients, measure

__all__ = ["LEVELS", "FilterBank", "ImageStatistics", "describe", "mean_gradients", "measure"]
