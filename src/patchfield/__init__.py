"""Patchfield: a few brush strokes on a micrograph become a full segmentation, live.

>>> import patchfield as pf
>>> from patchfield.samples import load_sample
>>> sample = load_sample("alloy")
>>> field = pf.extract(sample.image, "filters")
>>> probe = pf.LinearProbe().fit([(field, sample.strokes)])
>>> segmentation = probe.segment(field)
>>> segmentation.shape == sample.image.shape
True

The names below are imported on first use, so that ``import patchfield`` itself is cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from patchfield.backbones import Backbone, load_backbone, models
    from patchfield.errors import PatchfieldError
    from patchfield.field import FeatureField, FeatureRecipe, Sampling
    from patchfield.images import ImageSettings, read_image
    from patchfield.objects import find_objects as objects
    from patchfield.pipeline import Extractor, extract, extraction
    from patchfield.probe import LinearProbe
    from patchfield.store import Project, ProjectClass

__version__ = "0.1.0"

_HOMES = {
    "Backbone": "backbones",
    "Extractor": "pipeline",
    "FeatureField": "field",
    "FeatureRecipe": "field",
    "ImageSettings": "images",
    "LinearProbe": "probe",
    "PatchfieldError": "errors",
    "Project": "store",
    "ProjectClass": "store",
    "Sampling": "field",
    "extract": "pipeline",
    "extraction": "pipeline",
    "load_backbone": "backbones",
    "models": "backbones",
    "read_image": "images",
}

__all__ = [
    "Backbone",
    "Extractor",
    "FeatureField",
    "FeatureRecipe",
    "ImageSettings",
    "LinearProbe",
    "PatchfieldError",
    "Project",
    "ProjectClass",
    "Sampling",
    "extract",
    "extraction",
    "load_backbone",
    "models",
    "objects",
    "read_image",
]


def __getattr__(name: str) -> object:
    if name == "objects":  # a package that can be called
        return import_module("patchfield.objects")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
