"""Files of painted labels and segmentations, and which of their planes belongs to which plane of an image."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.errors import LabelError
from patchfield.images.calibration import Calibration
from patchfield.images.colors import NamedColor
from patchfield.images.readers.axes import UNKNOWN_AXES
from patchfield.images.readers.formats import read_contents
from patchfield.images.readers.orientation import UPRIGHT
from patchfield.images.readers.outlines import is_outlines, read_outlines
from patchfield.images.reading import Micrograph
from patchfield.images.stack import PlaneIndex, Stack

MAX_CLASSES = 255
MAX_LABEL = 2**32 - 1


@dataclass(frozen=True, eq=False)
class LabelStack:
    """Labels with named axes: whole numbers, 0 where nothing is painted.

    Attributes
    ----------
    name : str
        For messages: the path.
    values : ndarray (..., H, W) of int
    axes : str
        One letter for each leading axis, as `Stack.axes`.
    calibration : Calibration or None
    classes : mapping of label value to NamedColor
        Names and colours, where the file has them.
    """

    name: str
    values: NDArray[Any]
    axes: str = ""
    calibration: Calibration | None = None
    classes: Mapping[int, NamedColor] = field(default_factory=dict)

    @property
    def lengths(self) -> tuple[int, ...]:
        """Of the leading axes."""
        return tuple(int(length) for length in self.values.shape[:-2])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.values.shape[-2]), int(self.values.shape[-1])


def read_labels(path: str | Path, max_classes: int | None = None) -> NDArray[Any]:
    """Read a file of painted labels or of a segmentation: whole numbers, 0 where nothing is painted.

    A palette image gives its indices, not its colours; three or four planes are planes, not colours.

    Parameters
    ----------
    path : str or Path
    max_classes : int, optional
        How many different labels there may be; any number when left out.

    Returns
    -------
    ndarray (H, W), or (N, H, W) for a stack of several planes
        Of an integer dtype.

    Raises
    ------
    LabelError
        When the values are colours, fractions, negative, too large or too many, or come from a lossy format.
    ImageError
        When the file cannot be read.
    """
    if is_outlines(Path(path)):
        raise LabelError(f"{path} holds outlines: they are drawn on the image that they belong to, so give it as well.")
    labels = read_label_stack(path, max_classes=max_classes)
    return labels.values if not labels.axes else labels.values.reshape(-1, *labels.shape)


def read_label_stack(
    path: str | Path,
    stack: Stack | None = None,
    class_values: MutableMapping[str, int] | None = None,
    max_classes: int | None = MAX_CLASSES,
) -> LabelStack:
    """Read a file of labels with what it says about its axes and classes.

    Parameters
    ----------
    path : str or Path
        TIFF, PNG and other lossless pictures, NumPy, HDF5 or OME-Zarr; or outlines (GeoJSON, as QuPath exports it).
    stack : Stack, optional
        The image that outlines were drawn on.
    class_values : mapping of class name to label value, optional
        The numbers of the classes of outlines so far; new names are added. Share it among the files of one training,
        so that a name has the same number in all of them.
    max_classes : int or None
        How many different labels there may be; any number when None.

    Raises
    ------
    LabelError
        When the values are colours, fractions, negative, too large or too many, or come from a lossy format.
    ImageError
        When the file cannot be read.
    """
    path = Path(path)
    if is_outlines(path) and path.is_file():
        if stack is None:
            raise LabelError(f"{path} holds outlines: give the image that they were drawn on as well.")
        drawn, classes = read_outlines(path, stack, {} if class_values is None else class_values)
        return LabelStack(str(path), drawn, stack.axes, stack.calibration, classes)
    contents = read_contents(path, as_labels=True)
    if contents.lossy:
        raise LabelError(
            f"{path} is {contents.lossy}, which changes values: save labels as PNG or TIFF without lossy compression."
        )
    labels = _whole_numbers(_single_channel(np.asarray(contents.planes.array), path), path)
    if max_classes is not None:
        _check_number_of_classes(labels, path, max_classes)
    values = labels.reshape(*contents.planes.lengths, *labels.shape[-2:])
    classes_said = {} if contents.notes is None else contents.notes.classes
    return LabelStack(str(path), values, contents.planes.axes, contents.calibration, classes_said)


def labels_of_planes(
    labels: LabelStack, stack: Stack, plane: PlaneIndex | None = None
) -> dict[PlaneIndex, NDArray[Any]]:
    """Labels for the planes of an image, matched by the names of the axes.

    Axes that the label file does not name (unknown, or a single one of another name) are matched by their length.

    Parameters
    ----------
    labels : LabelStack
    stack : Stack
        The image.
    plane : tuple of int, optional
        The only plane that is wanted; labels of a single plane belong to it.

    Returns
    -------
    dict of PlaneIndex to ndarray (H, W)

    Raises
    ------
    LabelError
        When the labels do not fit the image, or it cannot be known which plane they belong to.

    Examples
    --------
    >>> from patchfield.images.stack import ArrayStack
    >>> image = ArrayStack(np.zeros((3, 2, 8, 9)), "ZTYX")
    >>> painted = LabelStack("labels.tif", np.arange(6).reshape(2, 3, 1, 1) + np.zeros((8, 9), int), "TZ")
    >>> {index: int(plane[0, 0]) for index, plane in labels_of_planes(painted, image).items() if index[0] == 2}
    {(2, 0): 2, (2, 1): 5}
    """
    if labels.shape != tuple(stack.shape):
        raise LabelError(_misfit(labels, stack))
    squeezed = _without_single_planes(labels)
    lengths = tuple(int(length) for length in stack.lengths)
    if not squeezed.axes:
        if plane is None and any(length > 1 for length in lengths):
            raise LabelError(
                f"{labels.name} is a single plane, but {stack.name} has {_named(stack.axes, lengths)}: say which plane "
                "the labels belong to (--plane), or give labels of all planes."
            )
        return {(0,) * len(lengths) if plane is None else plane: squeezed.values}
    order = _matched_axes(squeezed, stack)
    ordered = squeezed.values.transpose([*(axis for axis in order if axis is not None), -2, -1])
    spread = ordered.reshape(*lengths, *labels.shape)
    chosen = np.ndindex(*lengths) if plane is None else [plane]
    return {tuple(index): spread[tuple(index)] for index in chosen}


def _matched_axes(labels: LabelStack, stack: Stack) -> list[int | None]:
    """For every leading axis of the image the axis of the labels that belongs to it; None where it has one entry."""
    lengths = [int(length) for length in stack.lengths]
    wanted = [axis for axis, length in enumerate(lengths) if length > 1]
    match: dict[int, int] = {}
    for axis in wanted:
        if stack.axes[axis] in labels.axes and stack.axes[axis] not in UNKNOWN_AXES:
            match[axis] = labels.axes.index(stack.axes[axis])
    open_axes = [axis for axis in wanted if axis not in match]
    free = [axis for axis in range(len(labels.axes)) if axis not in match.values()]
    unnamed = all(
        stack.axes[axis] in UNKNOWN_AXES or labels.axes[other] in UNKNOWN_AXES
        for axis, other in zip(open_axes, free, strict=False)
    )
    if len(open_axes) == len(free) and (unnamed or len(free) == 1):
        match.update(zip(open_axes, free, strict=True))
    fits = len(match) == len(wanted) == len(labels.axes) and all(
        lengths[axis] == labels.lengths[other] for axis, other in match.items()
    )
    if not fits:
        raise LabelError(
            f"{labels.name} has {_named(labels.axes, labels.lengths)}, but {stack.name} has "
            f"{_named(stack.axes, stack.lengths)}: give labels with the planes and axes of the image."
        )
    return [match.get(axis) for axis in range(len(lengths))]


def _without_single_planes(labels: LabelStack) -> LabelStack:
    """The labels without leading axes of one entry."""
    kept = [axis for axis, length in enumerate(labels.lengths) if length != 1]
    values = labels.values.reshape(*(labels.lengths[axis] for axis in kept), *labels.shape)
    return replace(labels, values=values, axes="".join(labels.axes[axis] for axis in kept))


def _named(axes: str, lengths: tuple[int, ...]) -> str:
    if not axes:
        return "one plane"
    return "planes " + " x ".join(f"{axis} {length}" for axis, length in zip(axes, lengths, strict=True))


def _misfit(labels: LabelStack, stack: Stack) -> str:
    sizes = f"{labels.shape[0]} x {labels.shape[1]} pixels, but {stack.name} has {stack.shape[0]} x {stack.shape[1]}"
    if labels.shape == tuple(stack.shape)[::-1] and isinstance(stack, Micrograph) and stack.orientation != UPRIGHT:
        return (
            f"{labels.name} has {sizes}: the image says that it lies on its side (EXIF orientation "
            f"{stack.orientation}) and is read upright, so give labels that were painted on the upright image."
        )
    return f"{labels.name} has {sizes}: give the labels that were painted on this image."


def _single_channel(stack: NDArray[Any], path: Path) -> NDArray[Any]:
    if stack.ndim == 4 and (stack == stack[..., :1]).all():
        stack = stack[..., 0]
    if stack.ndim == 4:
        raise LabelError(f"{path} holds colours: labels are one channel of whole numbers, 0 where unlabelled.")
    return stack


def _whole_numbers(labels: NDArray[Any], path: Path) -> NDArray[Any]:
    if labels.dtype.kind == "b":
        return labels.astype(np.uint8)
    if labels.dtype.kind not in "uif":
        raise LabelError(f"{path} holds {labels.dtype} values: labels are whole numbers, 0 where unlabelled.")
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and (labels == np.round(labels)).all()):
        raise LabelError(f"{path} holds fractions or NaN: labels are whole numbers, 0 where unlabelled.")
    if labels.min() < 0:
        raise LabelError(f"{path} holds negative labels: use whole numbers from 1, and 0 where unlabelled.")
    if labels.max() > MAX_LABEL:
        largest = labels.max()
        shown = f"{largest:g}" if labels.dtype.kind == "f" else str(largest)
        raise LabelError(f"{path} holds the label {shown}: labels go up to {MAX_LABEL}.")
    if labels.dtype.kind == "f":
        return labels.astype(np.int64)
    return labels.astype(labels.dtype.newbyteorder("="), copy=False)


def _check_number_of_classes(labels: NDArray[Any], path: Path, limit: int) -> None:
    """Refuse masks of single objects before anything is computed for thousands of classes."""
    count = _distinct(labels)
    if count > limit:
        raise LabelError(
            f"{path} holds {count} different labels, and there can be {limit} classes: this seems to be a mask of "
            "single objects; give masks of classes."
        )


def _distinct(labels: NDArray[Any]) -> int:
    """Number of different labels other than 0."""
    if labels.dtype.itemsize == 1:
        return 0 if labels.dtype == np.bool_ else int((np.bincount(labels.ravel(), minlength=256)[1:] > 0).sum())
    found: set[int] = set()
    for plane in labels:
        found.update(np.unique(plane).tolist())
    return len(found - {0})
