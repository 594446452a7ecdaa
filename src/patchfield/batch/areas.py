"""How much of an image every class covers, as a table that many runs add to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from patchfield.batch.tables import SharedTable
from patchfield.images import Calibration

COLUMNS = ("image", "path", "plane", "label", "name", "pixels", "fraction", "area", "unit")


@dataclass(frozen=True)
class ClassArea:
    """What one class covers of one plane.

    Attributes
    ----------
    image : str
        What the results of the image are called: ``NAME`` of ``NAME_segmentation.tif``.
    path : Path
        The image's file.
    plane : str
        Its index along each leading axis of the image, from 0: "3", or "0 3" for two axes; "0" for a single plane.
    label, name : int, str
        The class.
    pixels, fraction : int, float
        Pixels of the class, and their share of the plane.
    area, unit : float or None, str
        The same in physical units where the file says how large a pixel is.
    """

    image: str
    path: Path
    plane: str
    label: int
    name: str
    pixels: int
    fraction: float
    area: float | None
    unit: str

    def cells(self) -> dict[str, str]:
        """A row of the table."""
        area = "" if self.area is None else repr(self.area)
        numbers = (str(self.pixels), f"{self.fraction:.6f}", area, self.unit)
        row = (self.image, str(self.path), self.plane, str(self.label), self.name, *numbers)
        return dict(zip(COLUMNS, row, strict=True))


def class_areas(
    image: str,
    path: Path,
    plane: Sequence[int],
    segmentation: NDArray[np.integer],
    class_names: Mapping[int, str],
    calibration: Calibration | None,
) -> list[ClassArea]:
    """The areas of all classes in a segmentation (H, W); classes that do not occur count 0 pixels."""
    physical = calibration if calibration is not None and calibration.is_physical else None
    index = " ".join(map(str, plane)) or "0"
    rows = []
    for label, name in class_names.items():
        pixels = int(np.count_nonzero(segmentation == label))
        area = None if physical is None else pixels * physical.pixel_area
        unit = "" if physical is None else f"{physical.unit}²"
        rows.append(ClassArea(image, path, index, label, name, pixels, pixels / segmentation.size, area, unit))
    return rows


class AreaTable:
    """A CSV file of areas, one line per image, plane and class: a :class:`SharedTable`.

    Parameters
    ----------
    path : Path

    Raises
    ------
    OutputError
        When the file exists and is no such table.

    Examples
    --------
    >>> import tempfile
    >>> table = AreaTable(Path(tempfile.mkdtemp()) / "areas.csv")
    >>> table.replace("a", class_areas("a", Path("a.tif"), (), np.array([[1, 2]]), {1: "pore", 2: "solid"}, None))
    >>> [row["name"] for row in table.rows()]
    ['pore', 'solid']
    """

    def __init__(self, path: Path) -> None:
        self._table = SharedTable(path, COLUMNS, "areas")

    def rows(self) -> list[dict[str, str]]:
        """The rows as they are written, by column; none where there is no file."""
        return self._table.rows()

    def has(self, image: str) -> bool:
        """Whether the table held areas of an image when it was last read or written."""
        return self._table.has(image)

    def replace(self, image: str, areas: Iterable[ClassArea]) -> None:
        """Write the areas of one image, in place of those that it had."""
        self._table.replace(image, [area.cells() for area in areas])
