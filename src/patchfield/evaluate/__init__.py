"""How good a segmentation or a backbone is: metrics, and the protocols that apply them to labelled images."""

from patchfield.evaluate.metrics import (
    class_iou,
    confusion_matrix,
    contingency_table,
    mean_iou,
    mean_iou_of_image,
    mean_iou_of_set,
    pixel_accuracy,
)

__all__ = [
    "class_iou",
    "confusion_matrix",
    "contingency_table",
    "mean_iou",
    "mean_iou_of_image",
    "mean_iou_of_set",
    "pixel_accuracy",
]
