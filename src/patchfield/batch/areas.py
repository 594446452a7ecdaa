"""How much of an image every class covers, as a table."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from patchfield.atomic import atomic_path
from patchfield.errors import ImageError
from patchfield.images import Calibration


@dataclass(frozen=True)
class ClassArea:
    """What one class covers of one plane.

    Attributes
    ----------
    image : str
        What the results of the image are called: ``NAME`` of ``NAME_segmentation.tif``.
    plane : int
        Counted from 0.
    label, name : int, str
        The class.
    pixels, fraction : int, float
        Pixels of the class, and their share of the plane.
    area, unit : float or None, str
        The same in physical units where the file says how large a pixel is.
    """

    image: str
    plane: int
    label: int
    name: str
    pixels: int
    fraction: float
    area: float | None
    unit: str


def class_areas(
    image: str,
    plane: int,
    segmentation: NDArray[np.integer],
    class_names: Mapping[int, str],
    calibration: Calibration | None,
) -> list[ClassArea]:
    """The areas of all classes in a segmentation (H, W); classes that do not occur count 0 pixels."""
    physical = calibration if calibration is not None and calibration.is_physical else None
    rows = []
    for label, name in class_names.items():
        pixels = int(np.count_nonzero(segmentation == label))
        area = None if physical is None else pixels * physical.pixel_area
        unit = "" if physical is None else f"{physical.unit}²"
        rows.append(ClassArea(image, plane, label, name, pixels, pixels / segmentation.size, area, unit))
    return rows


def read_areas(path: Path) -> list[ClassArea]:
    """The areas that an earlier run wrote; none where there is no file.

    Raises
    ------
    ImageError
        When the file is no such table.
    """
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [_area(row) for row in csv.DictReader(file)]
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise ImageError(
            f"{path} is not a table of areas and stands in the way: move it, or write elsewhere."
        ) from error


def write_areas(path: Path, areas: Iterable[ClassArea]) -> None:
    """Write areas as CSV, one line per class and plane; UTF-8 with a byte order mark, as spreadsheets need it."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(ClassArea)])
        writer.writeheader()
        for row in areas:
            writer.writerow(asdict(row) | {"fraction": f"{row.fraction:.6f}"})


def _area(row: dict[str, str]) -> ClassArea:
    return ClassArea(
        image=row["image"],
        plane=int(row["plane"]),
        label=int(row["label"]),
        name=row["name"],
        pixels=int(row["pixels"]),
        fraction=float(row["fraction"]),
        area=float(row["area"]) if row["area"] else None,
        unit=row["unit"],
    )
