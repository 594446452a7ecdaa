"""How good a segmentation is: metrics of pure arrays, without images, backbones or torch."""

from patchfield.evaluate.metrics.agreement import (
    Ignored,
    class_iou,
    confusion_matrix,
    contingency_table,
    counted_pixels,
    mean_iou,
    mean_iou_of_image,
    mean_iou_of_set,
    pixel_accuracy,
)
from patchfield.evaluate.metrics.bootstrap import Difference, paired_bootstrap
from patchfield.evaluate.metrics.boundary import boundary_f, mean_boundary_f
from patchfield.evaluate.metrics.matching import (
    match_by_precision,
    match_clusters,
    match_one_to_one,
    matched_confusion,
)

__all__ = [
    "Difference",
    "Ignored",
    "boundary_f",
    "class_iou",
    "confusion_matrix",
    "contingency_table",
    "counted_pixels",
    "match_by_precision",
    "match_clusters",
    "match_one_to_one",
    "matched_confusion",
    "mean_boundary_f",
    "mean_iou",
    "mean_iou_of_image",
    "mean_iou_of_set",
    "paired_bootstrap",
    "pixel_accuracy",
]
