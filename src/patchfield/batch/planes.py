"""Labels -> probe -> segmentation of the planes of image files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from patchfield.errors import LabelError
from patchfield.field import FeatureField
from patchfield.images import Micrograph, read_image
from patchfield.pipeline import Extractor, Progress


def chosen_planes(micrograph: Micrograph, plane: int | None) -> list[int]:
    """The planes that are used: all of them, or the one that was asked for."""
    return list(range(micrograph.planes)) if plane is None else [micrograph.at(plane).plane]


def training_fields(
    path: Path, labels: NDArray[Any], plane: int | None, extractor: Extractor, progress: Progress | None = None
) -> Iterator[tuple[int, FeatureField, NDArray[Any]]]:
    """Number, field and labels (H, W) of every painted plane; nothing is read when nothing is painted."""
    if not labels.any():
        return
    micrograph = read_image(path)
    for number, painted in _labels_of_planes(micrograph, labels, plane).items():
        if painted.any():
            yield number, extractor.field(micrograph, micrograph.at(number).index, progress), painted


def _labels_of_planes(micrograph: Micrograph, labels: NDArray[Any], plane: int | None) -> dict[int, NDArray[Any]]:
    planes = chosen_planes(micrograph, plane)
    if labels.shape == micrograph.shape and len(planes) == 1:
        return {planes[0]: labels}
    if labels.shape == (micrograph.planes, *micrograph.shape):
        return {number: labels[number] for number in planes}
    raise LabelError(
        f"The labels of {micrograph.path} have shape {labels.shape}, but the image has {micrograph.planes} plane(s) "
        f"of shape {micrograph.shape}: give labels of the same shape, or say which plane they belong to."
    )
