"""Small networks of our own, trained on episodes of strokes; ``micro`` is the one that ships."""

from patchfield.backbones.micro.backbone import Micro, micro_fingerprint
from patchfield.backbones.micro.files import SHIPPED, read_micro, stated_reference, write_micro
from patchfield.backbones.micro.network import MicroNet, MicroSpec

__all__ = [
    "SHIPPED",
    "Micro",
    "MicroNet",
    "MicroSpec",
    "micro_fingerprint",
    "read_micro",
    "stated_reference",
    "write_micro",
]
