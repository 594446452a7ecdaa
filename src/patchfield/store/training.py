"""From a project's strokes to its probe, and on to segmentations: the code of the window and of the command line."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from patchfield.errors import ProjectError
from patchfield.field import ExtractionStep, FeatureRecipe
from patchfield.images import ImageSettings, PlaneIndex, Stack, plane_indices, read_image
from patchfield.images.stack import checked_index
from patchfield.objects import Cleaning
from patchfield.pipeline import Extractor
from patchfield.probe import LinearProbe
from patchfield.probe.planes import LabelledPlane, PlaneTask, segment_planes, train_probe
from patchfield.store.description import ProjectClass
from patchfield.store.image import ProjectImage
from patchfield.store.moving import listed

if TYPE_CHECKING:
    from patchfield.store.project import Project


class Extractors:
    """The backbones that were loaded last, for they take seconds."""

    def __init__(self) -> None:
        self._last: tuple[tuple[FeatureRecipe, ...], str, Extractor] | None = None

    def load(
        self, recipes: tuple[FeatureRecipe, ...], device: str, download: Callable[[int, int], None] | None = None
    ) -> Extractor:
        """The extractor of some recipes.

        Raises
        ------
        BackboneError, ProbeError
            As :meth:`patchfield.Extractor.load`.
        """
        if self._last is not None and self._last[1] == device and recipes in (self._last[0], self._last[2].recipes):
            return self._last[2]
        extractor = Extractor.load(recipes, device, download)
        self._last = (recipes, device, extractor)
        return extractor


def labelled_planes(project: "Project") -> dict[LabelledPlane, ProjectImage]:
    """All planes that something is painted on, and their images.

    Raises
    ------
    ProjectError
        When an image is missing or is not the one that was painted on.
    ImageError
        When an image cannot be read.
    """
    painted = {image: planes for image in project.images if (planes := project.labels.planes(image))}
    missing = [image for image in painted if image.is_missing]
    changed = [] if missing else [image for image in project.changed if image.id in {each.id for each in painted}]
    if missing or changed:
        what = f"are missing: {listed(missing)}" if missing else f"have changed since: {listed(changed)}"
        raise ProjectError(
            f"Painted images of the project {project.path} {what}; relocate them (patchfield project relocate)."
        )
    found: dict[LabelledPlane, ProjectImage] = {}
    for image, planes in painted.items():
        stack = image.open()
        for index in planes:
            found[LabelledPlane(stack, index, project.labels[image, index], image.settings)] = image
    return found


def train(
    planes: Mapping[LabelledPlane, ProjectImage],
    extractor: Extractor,
    classes: Mapping[int, ProjectClass],
    progress: Callable[[ProjectImage, ExtractionStep], None] | None,
    finishing: Cleaning,
) -> LinearProbe:
    """A probe of labelled planes; its recipes see images as the first of these is seen.

    Raises
    ------
    LabelError
        When fewer than two classes are painted, or labels do not fit their image.
    """

    def report(plane: LabelledPlane, step: ExtractionStep) -> None:
        if progress is not None:
            progress(planes[plane], step)

    first = next(iter(planes), None)
    seen = extractor if first is None else extractor.seen_with(first.settings)
    named = {value: known.info for value, known in classes.items()}
    return train_probe(list(planes), seen, named, report, probe=LinearProbe(finishing=finishing))


def opened(
    project: "Project", image: ProjectImage | str | Path | Stack, axes: str | None
) -> tuple[Stack, ImageSettings | None]:
    """An image of the project with its settings, or any other one, seen as the probe's recipes say."""
    if not isinstance(image, ProjectImage | str | Path):
        return image, None
    try:
        known = project.image(image)
    except ProjectError:
        if isinstance(image, ProjectImage) or not os.path.lexists(image):
            raise
        return read_image(image, axes=axes), None
    return known.open(), known.settings


def segmentation(
    stack: Stack, settings: ImageSettings | None, plane: PlaneIndex | None, probe: LinearProbe, extractor: Extractor
) -> NDArray[np.unsignedinteger[Any]]:
    """One plane, (H, W), or all of them with the leading axes of the stack."""
    indices = plane_indices(stack) if plane is None else [checked_index(stack, plane)]
    tasks = [PlaneTask(stack, index, None, settings) for index in indices]
    labels = [step.labels for step in segment_planes(tasks, probe, extractor) if step.labels is not None]
    lengths = stack.lengths if plane is None else ()
    return np.stack(labels).reshape(*lengths, *labels[0].shape)
