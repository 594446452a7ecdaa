"""The job that finds and measures objects, off the GUI thread."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.images import LabelStack, PlaneIndex, Stack
from patchfield.napari.jobs import reports
from patchfield.napari.objects.options import ObjectOptions
from patchfield.napari.session.status import Progress
from patchfield.objects import ObjectTable, class_fractions, find_objects

Pixels = Callable[[], NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Finding:
    """What is to be measured, taken on the GUI thread.

    Attributes
    ----------
    labels : LabelStack
        The segmentation: a plane, or all of them; a copy, for painting goes on.
    index : tuple of int or None
        Which plane it is; None for all of them.
    pixels : callable or None
        Reads the image of the same planes.
    options : ObjectOptions
    """

    labels: LabelStack
    index: PlaneIndex | None
    pixels: Pixels | None
    options: ObjectOptions


@dataclass(frozen=True, eq=False)
class Found:
    """Objects and what was measured.

    Attributes
    ----------
    instances : ndarray of int32
        Of the shape of the segmentation.
    table : ObjectTable
    fractions : dict of int to float
        Share of each class in what was measured, as segmented.
    """

    instances: NDArray[np.int32]
    table: ObjectTable
    fractions: dict[int, float]


def find(finding: Finding) -> Iterator[Progress | Found]:
    """Find and measure; every plane, or volume, is a step after which it can be cancelled."""
    options, labels = finding.options, finding.labels

    def call(report: Callable[[Progress], None]) -> Found:
        instances, table = find_objects(
            labels,
            options.value,
            cleaning=options.cleaning,
            split=options.split,
            neck=options.neck,
            exclude_border=options.exclude_border,
            volume=options.volume,
            intensity=None if finding.pixels is None else finding.pixels(),
            progress=lambda done, total: report(Progress(done, total, "volumes" if options.volume else "planes")),
        )
        if finding.index:
            plane = np.full(table.rows, " ".join(map(str, finding.index)))
            table = ObjectTable({**table, "plane": plane}, table.unit)
        return Found(instances, table, class_fractions(labels.values, labels.classes))

    for message in reports(call):
        yield message.value


def pixels_of(stack: Stack, indices: list[PlaneIndex], lengths: tuple[int, ...]) -> Pixels:
    """Reads the image of some planes, (*lengths, H, W) or (*lengths, H, W, C)."""

    def read() -> NDArray[Any]:
        planes = [np.asarray(stack.pixels_at(index)[...]) for index in indices]
        return np.stack(planes).reshape(*lengths, *planes[0].shape)

    return read
