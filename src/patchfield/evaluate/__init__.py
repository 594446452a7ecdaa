"""How good a segmentation or a backbone is: metrics, and the protocols that apply them to labelled images."""

from patchfield.evaluate.bootstrap import Difference, paired_bootstrap
from patchfield.evaluate.boundary import boundary_f, mean_boundary_f
from patchfield.evaluate.labelled import LabelledImage, LabelledSet, labelled_sets
from patchfield.evaluate.matching import match_by_precision, match_one_to_one, matched_confusion
from patchfield.evaluate.metrics import (
    class_iou,
    confusion_matrix,
    contingency_table,
    mean_iou,
    mean_iou_of_image,
    mean_iou_of_set,
    pixel_accuracy,
)
from patchfield.evaluate.overclustering import PixelClusters
from patchfield.evaluate.position import position_predictability
from patchfield.evaluate.retrieval import DenseRetrieval

__all__ = [
    "DenseRetrieval",
    "Difference",
    "LabelledImage",
    "LabelledSet",
    "PixelClusters",
    "boundary_f",
    "class_iou",
    "confusion_matrix",
    "contingency_table",
    "labelled_sets",
    "match_by_precision",
    "match_one_to_one",
    "matched_confusion",
    "mean_boundary_f",
    "mean_iou",
    "mean_iou_of_image",
    "mean_iou_of_set",
    "paired_bootstrap",
    "pixel_accuracy",
    "position_predictability",
]
