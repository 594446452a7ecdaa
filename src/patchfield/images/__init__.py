"""Images: any array or file as what a model sees, and results written with the image's calibration."""

from patchfield.images.model import ModelImage, model_image
from patchfield.images.settings import Contrast, ImageSettings

__all__ = ["Contrast", "ImageSettings", "ModelImage", "model_image"]
