"""Images: any array or file as what a model sees, and results written with the image's calibration."""

from patchfield.images.calibration import Calibration
from patchfield.images.labels import LabelStack, labels_of_planes, read_label_stack, read_labels
from patchfield.images.model import ModelImage, model_image
from patchfield.images.provenance import read_provenance
from patchfield.images.readers.arrays import ARRAY_SUFFIXES
from patchfield.images.readers.formats import IMAGE_SUFFIXES
from patchfield.images.readers.outlines import OUTLINE_SUFFIXES
from patchfield.images.reading import Micrograph, read_image
from patchfield.images.settings import Contrast, ImageSettings
from patchfield.images.stack import ArrayStack, LazyArray, PlaneIndex, Stack, plane_indices
from patchfield.images.writing import check_writable, write_image, write_labels, write_map, write_rgb

__all__ = [
    "ARRAY_SUFFIXES",
    "IMAGE_SUFFIXES",
    "OUTLINE_SUFFIXES",
    "ArrayStack",
    "Calibration",
    "Contrast",
    "ImageSettings",
    "LabelStack",
    "LazyArray",
    "Micrograph",
    "ModelImage",
    "PlaneIndex",
    "Stack",
    "check_writable",
    "labels_of_planes",
    "model_image",
    "plane_indices",
    "read_image",
    "read_label_stack",
    "read_labels",
    "read_provenance",
    "write_image",
    "write_labels",
    "write_map",
    "write_rgb",
]
