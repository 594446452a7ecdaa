"""Feature fields: what the tokens of many views say about every pixel, without a dense map."""

from patchfield.field.axis import Interpolation
from patchfield.field.extract import (
    Estimate,
    ExtractionStep,
    LookedAt,
    estimate,
    extraction_steps,
    final_field,
    guide_fingerprint,
    is_alike,
    is_coarse,
)
from patchfield.field.field import FeatureField, Region
from patchfield.field.recipe import FeatureRecipe
from patchfield.field.store import load_field, save_field
from patchfield.field.views import Sampling, View

__all__ = [
    "Estimate",
    "ExtractionStep",
    "FeatureField",
    "FeatureRecipe",
    "Interpolation",
    "LookedAt",
    "Region",
    "Sampling",
    "View",
    "estimate",
    "extraction_steps",
    "final_field",
    "guide_fingerprint",
    "is_alike",
    "is_coarse",
    "load_field",
    "save_field",
]
