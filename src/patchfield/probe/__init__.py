"""The linear probe: painted strokes on some images become a segmentation of any image with such features."""

from patchfield.probe.classes import ClassInfo
from patchfield.probe.feature_cache import FeatureCache
from patchfield.probe.file import is_probe
from patchfield.probe.importance import ChannelGroup, Importance, channel_groups, group_importance
from patchfield.probe.kept import KeptSamples
from patchfield.probe.labels import LabelSamples, PaintedPixels, Strokes, choose_samples, find_strokes
from patchfield.probe.linear import LinearProbe
from patchfield.probe.trained import TrainingFacts
from patchfield.probe.training_image import PixelSizeMismatch, TrainingImage, pixel_size
from patchfield.probe.validation import Agreement, StrokeResult, stroke_agreement

__all__ = [
    "Agreement",
    "ChannelGroup",
    "ClassInfo",
    "FeatureCache",
    "Importance",
    "KeptSamples",
    "LabelSamples",
    "LinearProbe",
    "PaintedPixels",
    "PixelSizeMismatch",
    "StrokeResult",
    "Strokes",
    "TrainingFacts",
    "TrainingImage",
    "channel_groups",
    "choose_samples",
    "find_strokes",
    "group_importance",
    "is_probe",
    "pixel_size",
    "stroke_agreement",
]
