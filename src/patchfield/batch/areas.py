"""How much of an image every class covers, as a table that many runs add to."""

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock
import numpy as np
from numpy.typing import NDArray

from patchfield.atomic import TEMPORARY_PREFIX, atomic_path
from patchfield.batch.cells import text_cell
from patchfield.errors import OutputError
from patchfield.images import Calibration

COLUMNS = ("image", "path", "plane", "label", "name", "pixels", "fraction", "area", "unit")

_PATIENCE = 120
"""Seconds that another run may hold the table."""


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

    def cells(self) -> list[str]:
        """A row of the table."""
        return [
            text_cell(self.image),
            text_cell(str(self.path)),
            self.plane,
            str(self.label),
            text_cell(self.name),
            str(self.pixels),
            f"{self.fraction:.6f}",
            "" if self.area is None else repr(self.area),
            self.unit,
        ]


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
    """A CSV file of areas, one line per image, plane and class; runs that write at the same time keep all their rows.

    UTF-8 with a byte order mark, as spreadsheets need it, and no cell that a spreadsheet would take for a formula.

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
        self.path = path
        self._images = {row["image"] for row in self.rows()}
        self._size = self._current_size()

    def rows(self) -> list[dict[str, str]]:
        """The rows as they are written, by column; none where there is no file."""
        return [dict(zip(COLUMNS, row, strict=True)) for row in self._cells()]

    def has(self, image: str) -> bool:
        """Whether the table held areas of an image when it was last read or written."""
        return text_cell(image) in self._images

    def replace(self, image: str, areas: Iterable[ClassArea]) -> None:
        """Write the areas of one image, in place of those that it had."""
        rows = [area.cells() for area in areas]
        with self._alone():
            if self._current_size() != self._size:  # another run wrote meanwhile
                self._images = {row[0] for row in self._cells()}
            if text_cell(image) in self._images:
                kept = [row for row in self._cells() if row[0] != text_cell(image)]
                with atomic_path(self.path) as temporary:
                    temporary.write_bytes(_encoded([COLUMNS, *kept, *rows], first=True))
            else:
                self._append(rows)
            self._images.add(text_cell(image))
            self._size = self._current_size()

    def _current_size(self) -> int:
        """Bytes of the table, which grows with whatever is written; 0 where there is none."""
        return self.path.stat().st_size if self.path.exists() else 0

    def _append(self, rows: list[list[str]]) -> None:
        """Add rows in one write, so that a run that is killed leaves whole rows."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab", buffering=0) as file:
            size = file.seek(0, io.SEEK_END)
            data = _encoded(rows, first=False) if size else _encoded([COLUMNS, *rows], first=True)
            written = file.write(data)
            if written != len(data):  # a full disk takes a part
                file.truncate(size)
                raise OutputError(f"{self.path}: the disk is full: make room, or write elsewhere.")

    def _cells(self) -> list[list[str]]:
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                header, *rows = [row for row in csv.reader(file) if row] or [[]]
        except FileNotFoundError:
            return []
        except (ValueError, csv.Error):
            header, rows = [], []
        if tuple(header) != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
            raise OutputError(
                f"{self.path} is not a table of areas of this version and stands in the way: move it, or write "
                "elsewhere."
            )
        return rows

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the table against other processes; the lock's file is gone when nobody holds it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock_file = self.path.with_name(f"{TEMPORARY_PREFIX}{self.path.name}.lock")
        try:
            with filelock.FileLock(lock_file, timeout=_PATIENCE):
                try:
                    yield
                finally:
                    if os.name != "nt":  # there, filelock removes it
                        lock_file.unlink(missing_ok=True)
        except filelock.Timeout:
            raise OutputError(f"{self.path} is held by another run: wait for it, or write elsewhere.") from None


def _encoded(rows: Iterable[Iterable[str]], first: bool) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8-sig" if first else "utf-8")
