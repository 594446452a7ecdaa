"""HR-Dv2's evaluations without labels (arXiv 2410.19836): foreground segmentation and object localisation.

As published but for two things: attention is the softmax of the class token over all tokens, where the published code
takes products with the values, and no CRF refines the classes.
"""

from dataclasses import dataclass
from typing import ClassVar
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patchfield.backbones import ViT
from patchfield.backbones.base import Backbone
from patchfield.errors import BackboneError, LabelError
from patchfield.evaluate.published.crops import Track, silently
from patchfield.evaluate.published.datasets import Benchmark, Pair
from patchfield.explore import attention_field
from patchfield.explore.objects import Attended, Box, attended_objects, box_overlap, object_boxes
from patchfield.pipeline import Extractor

FOUND = 0.5
"""Intersection over union from which on an object counts as found."""


@dataclass(frozen=True)
class _Unlabelled:
    """What both protocols do with an image.

    Attributes
    ----------
    clusters : int
    scale : float
        Of the cut-off at which clusters are merged: 1.0 for DINOv2, 1.1 for DINO.
    shifts : int
        Largest shift of the views; 2 makes the 17 views of HR-Dv2, 0 one view.
    seed : int
        Of k-means.
    """

    clusters: int = 80
    scale: float = 1.0
    shifts: int = 2
    seed: int = 0

    def _look(self, backbone: Backbone, pair: Pair) -> Attended:
        if not isinstance(backbone, ViT):
            raise BackboneError(f"'{backbone.name}' has no attention: this protocol needs a vision transformer.")
        distances = ", ".join(map(str, range(1, self.shifts + 1)))
        with Image.open(pair.image) as opened:
            image = np.asarray(opened.convert("RGB"))
        field = Extractor.from_backbone(backbone, f"shifts({distances}, moore)" if self.shifts else "fast").field(image)
        maps = attention_field(image, field, backbone)
        return attended_objects(field, maps, self.clusters, self.scale, self.seed)


@dataclass(frozen=True)
class ForegroundSegmentation(_Unlabelled):
    """Published protocol "foreground": IoU of the attended classes with the object's mask, averaged over images."""

    name: ClassVar[str] = "foreground"
    needs: ClassVar[str] = "masks"

    def __call__(
        self, backbone: Backbone, benchmark: Benchmark, workers: int = 0, track: Track = silently
    ) -> "ForegroundResult":
        """Score every image of the test split.

        Raises
        ------
        BackboneError
            The backbone is no vision transformer with a class token.
        """
        scores = []
        for pair in track(benchmark.val, "images"):
            found, truth = self._look(backbone, pair).foreground, _mask(pair, benchmark)
            union = (found | truth).sum()
            scores.append(float((found & truth).sum() / union) if union else 1.0)
        return ForegroundResult(tuple(scores))


@dataclass(frozen=True)
class ForegroundResult:
    """IoU of each image.

    Attributes
    ----------
    iou_of_images : tuple of float
    """

    iou_of_images: tuple[float, ...]

    def figures(self) -> dict[str, float]:
        """What a table shows."""
        return {"IoU, mean over images": float(np.mean(self.iou_of_images)), "images": len(self.iou_of_images)}


@dataclass(frozen=True)
class Localisation(_Unlabelled):
    """Published protocol "localisation": the share of images in which a box has an IoU of 0.5 with one of the objects.

    Attributes
    ----------
    single : int
        1: only the box of the whole foreground; 0: those of its parts, too, as published.
    """

    name: ClassVar[str] = "localisation"
    needs: ClassVar[str] = "boxes"
    single: int = 0

    def __call__(
        self, backbone: Backbone, benchmark: Benchmark, workers: int = 0, track: Track = silently
    ) -> "LocalisationResult":
        """Find boxes in every image of the split.

        Raises
        ------
        BackboneError
            The backbone is no vision transformer with a class token.
        """
        found, count = [], 0
        for pair in track(benchmark.val, "images"):
            boxes = object_boxes(self._look(backbone, pair), single=bool(self.single))
            count += len(boxes)
            found.append(any(box_overlap(box, truth) >= FOUND for box in boxes for truth in boxes_of(pair)))
        return LocalisationResult(tuple(found), count / max(1, len(found)))


@dataclass(frozen=True)
class LocalisationResult:
    """Whether an object was found, for each image.

    Attributes
    ----------
    found : tuple of bool
    boxes_per_image : float
    """

    found: tuple[bool, ...]
    boxes_per_image: float

    def figures(self) -> dict[str, float]:
        """What a table shows."""
        return {
            "CorLoc": float(np.mean(self.found)),
            "boxes per image": self.boxes_per_image,
            "images": len(self.found),
        }


def boxes_of(pair: Pair) -> list[Box]:
    """The boxes of all objects in an annotation of PASCAL VOC, those that are marked difficult, too.

    Raises
    ------
    LabelError
        The file is no such annotation.
    """
    try:
        objects = ElementTree.parse(pair.mask).getroot().iter("bndbox")
        corners = [[int(float(box.findtext(name, ""))) for name in ("ymin", "xmin", "ymax", "xmax")] for box in objects]
    except (ElementTree.ParseError, ValueError) as error:
        raise LabelError(
            f"{pair.mask} is no annotation of PASCAL VOC ({error}): give its folder Annotations."
        ) from error
    # They are counted from 1, and include the last row and column.
    return [Box(top - 1, left - 1, bottom, right) for top, left, bottom, right in corners]


def _mask(pair: Pair, benchmark: Benchmark) -> NDArray[np.bool_]:
    with Image.open(pair.mask) as opened:
        values = np.asarray(opened.convert("L"))
    classes = values if benchmark.lookup is None else benchmark.lookup[values]
    found: NDArray[np.bool_] = classes == 1
    return found
