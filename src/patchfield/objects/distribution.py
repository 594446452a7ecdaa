"""How large objects are, and how much there is of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.errors import LabelError
from patchfield.objects.table import ObjectTable


@dataclass(frozen=True, eq=False)
class SizeDistribution:
    """How the equivalent diameters of objects are distributed.

    Attributes
    ----------
    edges : ndarray (B + 1,)
        Of the bins, in `unit`.
    number_fraction, size_fraction : ndarray (B,)
        Share of the objects in each bin, and of their whole area (of volumes: volume). Both add up to 1.
    count : int
        Number of objects.
    mean, median : float
        Of the diameters; NaN without objects.
    median_by_size : float
        Half of the whole area (volume) is in objects of this diameter or less; NaN without objects.
    unit : str
        "µm", ..., or "px".
    by : "area" or "volume"
    """

    edges: NDArray[np.float64]
    number_fraction: NDArray[np.float64]
    size_fraction: NDArray[np.float64]
    count: int
    mean: float
    median: float
    median_by_size: float
    unit: str
    by: str


def size_distribution(table: ObjectTable, bins: int = 20, exclude_border: bool = False) -> SizeDistribution:
    """The distribution of the equivalent diameters in a table, in physical units where it has them.

    Parameters
    ----------
    table : ObjectTable
    bins : int
        Of equal width, from 0 to the largest diameter.
    exclude_border : bool
        Whether objects at the edge of the image, whose size is only known to be at least this, are left out.

    Raises
    ------
    LabelError
        When there are less than one bin.

    Examples
    --------
    >>> from patchfield.objects.measure import measure
    >>> found = size_distribution(measure(np.array([[1, 0, 2, 2], [0, 0, 2, 2]])), bins=2)
    >>> found.number_fraction.tolist(), found.size_fraction.tolist(), found.unit
    ([0.0, 1.0], [0.0, 1.0], 'px')
    """
    if bins < 1:
        raise LabelError(f"A distribution has at least one bin, and not {bins}.")
    by = "volume" if "volume (px)" in table else "area"
    column = table.best("equivalent diameter")
    kept = ~table["border"] if exclude_border else np.ones(table.rows, bool)
    diameters, sizes = table[column][kept], table[table.best(by)][kept].astype(float)
    edges = np.linspace(0, diameters.max(initial=0) or 1, bins + 1)
    numbers, _ = np.histogram(diameters, edges)
    amounts, _ = np.histogram(diameters, edges, weights=sizes)
    count = len(diameters)
    order = np.argsort(diameters, kind="stable")
    half = int(np.searchsorted(sizes[order].cumsum(), sizes.sum() / 2)) if count else 0
    return SizeDistribution(
        edges=edges,
        number_fraction=numbers / max(count, 1),
        size_fraction=amounts / (sizes.sum() or 1),
        count=count,
        mean=float(diameters.mean()) if count else np.nan,
        median=float(np.median(diameters)) if count else np.nan,
        median_by_size=float(diameters[order][half]) if count else np.nan,
        unit=column.rpartition("(")[2].rstrip(")"),
        by=by,
    )


def class_fractions(segmentation: NDArray[Any], classes: Mapping[int, object] | None = None) -> dict[int, float]:
    """The share of all pixels that each class covers, as `areas.csv` counts it: unlabelled ones belong to the whole.

    Parameters
    ----------
    segmentation : ndarray of int
        Of any shape, 0 where unlabelled.
    classes : mapping or collection of label values, optional
        Classes that are listed even if they do not occur.

    Examples
    --------
    >>> class_fractions(np.array([[0, 1], [2, 2]]), {1: "pore", 2: "solid", 3: "gone"})
    {1: 0.25, 2: 0.5, 3: 0.0}
    """
    values, counts = np.unique(segmentation, return_counts=True)
    found = {int(value): int(count) / segmentation.size for value, count in zip(values, counts, strict=True) if value}
    return {value: found.get(value, 0.0) for value in sorted({*found, *(classes or ())})}
