"""Backbones measured on labelled micrographs: the images, what is done with their features, and all of it together."""

from patchfield.evaluate.micrographs.labelled import (
    LabelledImage,
    LabelledSet,
    labelled_images,
    labelled_sets,
    labels_of,
)
from patchfield.evaluate.micrographs.position import position_predictability
from patchfield.evaluate.micrographs.suite import Evaluation, EvaluationSettings, ImageScore, evaluate

__all__ = [
    "Evaluation",
    "EvaluationSettings",
    "ImageScore",
    "LabelledImage",
    "LabelledSet",
    "evaluate",
    "labelled_images",
    "labelled_sets",
    "labels_of",
    "position_predictability",
]
