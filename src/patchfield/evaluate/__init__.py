"""How good a segmentation or a backbone is.

``metrics`` holds what is computed from arrays alone, ``micrographs`` the protocols on labelled images of one's own,
``published`` those of the papers on natural images, ``report`` the comparison of backbones that ends in a verdict.
"""

from patchfield.evaluate.metrics import (
    boundary_f,
    class_iou,
    confusion_matrix,
    mean_iou,
    mean_iou_of_image,
    mean_iou_of_set,
    paired_bootstrap,
    pixel_accuracy,
)

__all__ = [
    "boundary_f",
    "class_iou",
    "confusion_matrix",
    "mean_iou",
    "mean_iou_of_image",
    "mean_iou_of_set",
    "paired_bootstrap",
    "pixel_accuracy",
]
