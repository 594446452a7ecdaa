"""Where pairs of images come from: labelled sets, generated microstructures, collages of unlabelled textures."""

from training.episodes.sources.base import Magnification, Source, paintable
from training.episodes.sources.collages import CollageSource
from training.episodes.sources.labelled import LabelledSource
from training.episodes.sources.synthetic import SyntheticSource
from training.episodes.sources.textures import Textures

__all__ = [
    "CollageSource",
    "LabelledSource",
    "Magnification",
    "Source",
    "SyntheticSource",
    "Textures",
    "paintable",
]
