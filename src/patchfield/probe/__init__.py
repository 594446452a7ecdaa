"""The linear probe: painted strokes on some images become a segmentation of any image with such features."""

from patchfield.probe.classes import ClassInfo
from patchfield.probe.feature_cache import FeatureCache
from patchfield.probe.file import is_probe
from patchfield.probe.labels import LabelSamples, Strokes, choose_samples, find_strokes
from patchfield.probe.linear import LinearProbe
from patchfield.probe.trained import TrainingFacts
from patchfield.probe.validation import Agreement, stroke_agreement

__all__ = [
    "Agreement",
    "ClassInfo",
    "FeatureCache",
    "LabelSamples",
    "LinearProbe",
    "Strokes",
    "TrainingFacts",
    "choose_samples",
    "find_strokes",
    "is_probe",
    "stroke_agreement",
]
