"""Images: any array or file as what a model sees, and results written with the image's calibration."""

from patchfield.images.calibration import Calibration
from patchfield.images.model import ModelImage, model_image
from patchfield.images.reading import IMAGE_SUFFIXES, Micrograph, read_image, read_labels
from patchfield.images.settings import Contrast, ImageSettings
from patchfield.images.stack import ArrayStack, LazyArray, PlaneIndex, Stack, plane_indices
from patchfield.images.writing import write_image, write_labels, write_map, write_rgb

__all__ = [
    "IMAGE_SUFFIXES",
    "ArrayStack",
    "Calibration",
    "Contrast",
    "ImageSettings",
    "LazyArray",
    "Micrograph",
    "ModelImage",
    "PlaneIndex",
    "Stack",
    "model_image",
    "plane_indices",
    "read_image",
    "read_labels",
    "write_image",
    "write_labels",
    "write_map",
    "write_rgb",
]
