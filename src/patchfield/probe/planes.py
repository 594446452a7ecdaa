"""Labels -> probe -> segmentation, plane by plane: the one implementation behind the command line and the window."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.field import ExtractionStep, FeatureField
from patchfield.images import ImageSettings, PlaneIndex, Stack
from patchfield.pipeline import Extractor
from patchfield.probe.classes import ClassInfo
from patchfield.probe.labels import choose_samples, find_strokes
from patchfield.probe.linear import LinearProbe
from patchfield.probe.material import Material
from patchfield.probe.training_image import TrainingImage

KEPT_BYTES = 2**29
"""Fields of labelled planes are kept for segmenting the same planes up to this size, together."""


@dataclass(frozen=True, eq=False)
class PlaneTask:
    """A plane to segment.

    Attributes
    ----------
    stack : Stack
    index : tuple of int
    field : FeatureField or None
        Its features, where they are known already.
    settings : ImageSettings or None
        How the image is seen, where that is not as the extractor's recipes say.
    """

    stack: Stack
    index: PlaneIndex
    field: FeatureField | None = None
    settings: ImageSettings | None = None


@dataclass(frozen=True, eq=False)
class PlaneStep:
    """How far a plane is.

    Attributes
    ----------
    task : PlaneTask
    extraction : ExtractionStep or None
        How far its features are; None when they are whole.
    field : FeatureField or None
        The whole field; None before.
    labels : (H, W) array of label values, or None
        The segmentation, with the whole field.
    """

    task: PlaneTask
    extraction: ExtractionStep | None = None
    field: FeatureField | None = None
    labels: NDArray[np.unsignedinteger] | None = None


@dataclass(frozen=True, eq=False)
class LabelledPlane:
    """A plane and what is painted on it.

    Attributes
    ----------
    stack : Stack
    index : tuple of int
    labels : (H, W) array
        Integers, 0 = unlabelled.
    settings : ImageSettings or None
        How the image is seen, where that is not as the extractor's recipes say.
    """

    stack: Stack
    index: PlaneIndex
    labels: NDArray[Any]
    settings: ImageSettings | None = None


def segment_planes(tasks: Iterable[PlaneTask], probe: LinearProbe, extractor: Extractor) -> Iterator[PlaneStep]:
    """Segment planes one after the other; close the iterator (or just stop asking) to cancel.

    Parameters
    ----------
    tasks : iterable of PlaneTask
    probe : LinearProbe
    extractor : Extractor
        Of the probe's recipes.

    Yields
    ------
    PlaneStep
        While features are computed, and one with field and labels for every plane.

    Raises
    ------
    ImageError
        When an image cannot be used.
    ProbeError
        When the probe was trained on other features.

    Examples
    --------
    >>> import patchfield as pf
    >>> from patchfield.images import ArrayStack
    >>> image = np.zeros((3, 32, 48), np.uint8)
    >>> image[:, :, 24:] = 200
    >>> labels = np.zeros((32, 48), np.uint8)
    >>> labels[4:8, 4], labels[4:8, 40] = 1, 2
    >>> stack, extractor = ArrayStack(image, "TYX"), pf.Extractor.load(pf.FeatureRecipe("filters"))
    >>> probe = train_probe([LabelledPlane(stack, (0,), labels)], extractor)
    >>> *_, last = segment_planes([PlaneTask(stack, (2,))], probe, extractor)
    >>> last.labels[16, [4, 40]].tolist()
    [1, 2]
    """
    for task in tasks:
        whole = task.field
        if whole is None:
            for step in extractor.seen_with(task.settings).steps(task.stack, task.index):
                whole = step.field or whole
                yield PlaneStep(task, step)
        if whole is None:
            raise AssertionError("an extraction ends with a field")
        yield PlaneStep(task, None, whole, probe.segment(whole))


@dataclass
class KeptFields:
    """Fields of planes that will be needed once more, as many as fit into a number of bytes.

    Attributes
    ----------
    capacity : int
    """

    capacity: int = KEPT_BYTES
    _fields: dict[tuple[str, PlaneIndex], FeatureField] = field(default_factory=dict)
    _bytes: int = 0

    def add(self, stack: Stack, index: PlaneIndex, plane_field: FeatureField) -> None:
        """Keep a field if there is room for it."""
        if self._bytes + plane_field.nbytes <= self.capacity:
            self._fields[stack.name, index] = plane_field
            self._bytes += plane_field.nbytes

    def take(self, stack: Stack, index: PlaneIndex) -> FeatureField | None:
        """A field that was kept, which is forgotten here; None when there is none."""
        plane_field = self._fields.pop((stack.name, index), None)
        if plane_field is not None:
            self._bytes -= plane_field.nbytes
        return plane_field


def train_probe(
    planes: Sequence[LabelledPlane],
    extractor: Extractor,
    classes: Mapping[int, ClassInfo] | None = None,
    progress: Callable[[LabelledPlane, ExtractionStep], None] | None = None,
    kept: KeptFields | None = None,
    guard: Callable[[LabelledPlane], AbstractContextManager[None]] = lambda plane: nullcontext(),
    probe: LinearProbe | None = None,
) -> LinearProbe:
    """Train a probe on labelled planes, with the features of one plane in memory at a time.

    The result is that of :meth:`LinearProbe.fit` with the fields of all planes at once, and with each plane known by
    its content and pixel size.

    Parameters
    ----------
    planes : sequence of LabelledPlane
    extractor : Extractor
    classes : mapping of int to ClassInfo, optional
        Names and colours.
    progress : callable, optional
        Called with the plane and each :class:`patchfield.field.ExtractionStep`.
    kept : KeptFields, optional
        Keeps fields that fit into it.
    guard : callable, optional
        Gives a context for the work on a plane; a plane whose error it swallows is left out.
    probe : LinearProbe, optional
        One that is to learn on; a new one by default.

    Raises
    ------
    LabelError
        When labels do not fit their plane, or fewer than two classes are painted.
    """
    probe = LinearProbe() if probe is None else probe
    strokes = [find_strokes(plane.labels, plane.stack.shape, f"The labels of {plane.stack.name}") for plane in planes]
    samples = choose_samples(strokes, probe.samples_per_class, probe.seed)
    features: dict[int, NDArray[np.float32]] = {}
    images: dict[int, TrainingImage] = {}
    centres: dict[int, NDArray[np.float32]] = {}
    usable = np.zeros(len(samples.pixels), bool)
    for number, plane in enumerate(planes):
        with guard(plane):
            report = None if progress is None else partial(progress, plane)
            seen = plane.settings or extractor.recipes[0].image
            plane_field = extractor.seen_with(plane.settings).field(plane.stack, plane.index, report)
            images[number] = TrainingImage.from_plane(plane.stack, plane.index, seen.zoom)
            of_plane = samples.slice_of(number)
            pixels = samples.pixels[of_plane]
            known = np.ones(len(pixels), bool) if plane_field.missing is None else ~plane_field.missing.flat[pixels]
            features[number] = plane_field.sample(*np.divmod(pixels[known], plane_field.shape[1]))
            usable[of_plane], centres[number] = known, plane_field.centre
            if kept is not None:
                kept.add(plane.stack, plane.index, plane_field)
    used = [number for number in sorted(features) if len(features[number])]
    material = Material(
        tuple(strokes[number] for number in used),
        samples.subset(usable),
        tuple(features[number] for number in used),
        extractor.recipes,
        tuple(images[number] for number in used),
        tuple(centres[number] for number in used),
    )
    return probe.learn(material, classes)
