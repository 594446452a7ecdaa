"""Feature fields: what the tokens of many views say about every pixel, without a dense map."""

from patchfield.field.axis import Interpolation
from patchfield.field.extract import Estimate, ExtractionStep, estimate, extract, extraction
from patchfield.field.field import FeatureField, Region
from patchfield.field.recipe import Recipe
from patchfield.field.views import Sampling, View

__all__ = [
    "Estimate",
    "ExtractionStep",
    "FeatureField",
    "Interpolation",
    "Recipe",
    "Region",
    "Sampling",
    "View",
    "estimate",
    "extract",
    "extraction",
]
