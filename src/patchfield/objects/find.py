"""From a segmentation to its objects and their measurements, plane by plane or in volumes."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.errors import LabelError
from patchfield.images import Calibration, LabelStack
from patchfield.images.colors import NamedColor
from patchfield.objects.cleaning import Cleaning, clean
from patchfield.objects.instances import DEFAULT_NECK, at_border, connected_objects, keep_objects
from patchfield.objects.measure import measure
from patchfield.objects.table import ObjectTable, joined

_UNKNOWN_AXES = "QI"
"""Letters of axes that may be anything."""


def find_objects(
    segmentation: NDArray[Any] | LabelStack,
    value: int | str,
    *,
    cleaning: Cleaning | None = None,
    split: bool = False,
    neck: float = DEFAULT_NECK,
    exclude_border: bool = False,
    volume: bool = False,
    intensity: NDArray[Any] | None = None,
    calibration: Calibration | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.int32], ObjectTable]:
    """The objects of one class of a segmentation, numbered, and a table of their measurements.

    Also called as ``patchfield.objects(segmentation, value, ...)``.

    Objects are connected pixels of the class, diagonal neighbours included. Planes of a stack are separate images,
    unless `volume` is set: then the slices along Z (of arrays the axis before the rows) are one body, and other axes,
    such as time, keep apart. Numbers go on from plane to plane, so that they are unique in the whole stack.

    Parameters
    ----------
    segmentation : ndarray (..., H, W) of int, or LabelStack
        0 where unlabelled. What :func:`patchfield.images.read_label_stack` gives has its own calibration and names.
    value : int or str
        The class; a name where `segmentation` has names of classes.
    cleaning : Cleaning, optional
        What is done to the class map first; nothing when left out. Objects smaller than its `min_size` are left out.
    split : bool
        Whether objects that only touch are parted; :func:`patchfield.objects.connected_objects` says how.
    neck : float
        How narrow the neck must be, as part of the width of the narrower object.
    exclude_border : bool
        Whether objects at the edge of the image are left out. Otherwise the column "border" marks them.
    volume : bool
        Whether slices are one body.
    intensity : ndarray (..., H, W) or (..., H, W, C), optional
        The image, for mean intensities.
    calibration : Calibration, optional
        The size of a pixel; that of `segmentation` when left out.
    progress : callable, optional
        Called with the number of planes or volumes done, and of all.

    Returns
    -------
    instances : ndarray of int32
        Of the shape of the segmentation; 0 outside objects.
    table : ObjectTable
        A row for each, in their order; :func:`patchfield.objects.measure` lists the columns. Neighbours are objects of
        the same plane or volume, those at the edge included, also where they are left out of the table.

    Raises
    ------
    LabelError
        When there is no such class, a setting makes no sense, or the intensities or axes do not fit.

    Examples
    --------
    >>> segmentation = np.ones((8, 12), int)
    >>> segmentation[2:5, 2:5], segmentation[4:, 8:] = 2, 2
    >>> instances, table = find_objects(segmentation, 2, calibration=Calibration(0.5, 0.5, "µm"))
    >>> table["area (µm²)"].tolist(), table["border"].tolist()
    ([2.25, 4.0], [False, True])
    """
    labels = segmentation if isinstance(segmentation, LabelStack) else _as_stack(np.asarray(segmentation))
    value = class_value(value, labels.classes, labels.name)
    calibration = calibration or labels.calibration
    image = None if intensity is None else np.asarray(intensity)
    if image is not None and image.shape[: labels.values.ndim] != labels.values.shape:
        raise LabelError(
            f"The intensities have the shape {image.shape} and {labels.name} {labels.values.shape}: give the image "
            "that was segmented."
        )
    settings = cleaning or Cleaning()
    spacing = None if calibration is None else _pixel_size(calibration, volume)
    instances = np.zeros(labels.values.shape, np.int32)
    tables: list[ObjectTable] = []
    count = 0
    parts = list(_parts(labels, volume))
    for done, (index, where) in enumerate(parts, start=1):
        cleaned = clean(labels.values[where], settings)
        found = connected_objects(cleaned == value, split, neck, spacing)
        found = keep_objects(found, np.bincount(found.ravel())[1:] >= settings.min_size)
        table = measure(found, calibration, None if image is None else image[where], index)
        if exclude_border:
            kept = ~at_border(found)
            found = keep_objects(found, kept)
            table = ObjectTable({name: table[name][kept] for name in table}, table.unit)
        numbers = np.arange(1, table.rows + 1) + count
        tables.append(ObjectTable({**table, "object": numbers}, table.unit))
        instances[where] = np.where(found > 0, found + count, 0)
        count += table.rows
        if progress is not None:
            progress(done, len(parts))
    return instances, joined(tables)


def class_value(value: int | str, classes: Mapping[int, NamedColor], name: str = "The segmentation") -> int:
    """The number of a class that is given by its name, its number, or its number as text.

    Raises
    ------
    LabelError
        When there is no such class, or several of that name.

    Examples
    --------
    >>> from patchfield.images.colors import LabelClass
    >>> class_value("pore", {1: LabelClass("solid", "#000000"), 2: LabelClass("pore", "#ffffff")})
    2
    """
    listed = ", ".join(f"{number} ({known.name})" for number, known in sorted(classes.items()))
    if isinstance(value, str):
        named = [number for number, known in classes.items() if known.name == value]
        named = named or [number for number, known in classes.items() if known.name.casefold() == value.casefold()]
        if len(named) > 1:
            raise LabelError(f"{name} has several classes called '{value}': give the number of one: {listed}.")
        if not named and not value.isdecimal():
            known_classes = f"its classes are {listed}" if listed else "it names no classes, so give a number"
            raise LabelError(f"{name} has no class '{value}': {known_classes}.")
        value = named[0] if named else int(value)
    if value < 1:
        raise LabelError(f"{value} is no class: classes are numbered from 1, and 0 is unlabelled.")
    if classes and value not in classes:
        raise LabelError(f"{name} has no class {value}: its classes are {listed}.")
    return value


def _as_stack(values: NDArray[Any]) -> LabelStack:
    if values.ndim < 2 or values.size == 0 or values.dtype.kind not in "bui":
        raise LabelError(
            f"A segmentation is an array (..., rows, columns) of whole numbers, and not {values.dtype} of shape "
            f"{values.shape}."
        )
    values = values.astype(np.uint8) if values.dtype.kind == "b" else values
    return LabelStack("The segmentation", values, "Q" * (values.ndim - 2))


def _pixel_size(calibration: Calibration, volume: bool) -> tuple[float, ...] | None:
    """Along every axis of what is worked on; unknown slices count as far apart as pixels are wide."""
    plane = (calibration.height, calibration.width)
    return (calibration.depth or calibration.width, *plane) if volume else plane


def _parts(labels: LabelStack, volume: bool) -> Iterator[tuple[str, tuple[int | slice, ...]]]:
    """What is worked on at once, a plane or a volume: its index as text, and where it lies."""
    body = _slice_axis(labels) if volume else None
    apart = [length for axis, length in enumerate(labels.lengths) if axis != body]
    for index in np.ndindex(*apart):
        where: list[int | slice] = list(index)
        if body is not None:
            where.insert(body, slice(None))
        yield " ".join(map(str, index)) or "0", tuple(where)


def _slice_axis(labels: LabelStack) -> int:
    """Which leading axis holds slices."""
    if "Z" in labels.axes:
        return labels.axes.index("Z")
    if labels.axes and labels.axes[-1] in _UNKNOWN_AXES:
        return len(labels.axes) - 1
    raise LabelError(
        f"{labels.name} has no axis of slices (Z): its planes ({labels.axes or 'a single one'}) are separate images."
    )
