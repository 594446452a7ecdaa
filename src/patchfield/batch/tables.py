"""A CSV file with rows of many images that many runs add to."""

import csv
import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import filelock

from patchfield.atomic import TEMPORARY_PREFIX, atomic_path
from patchfield.batch.cells import text_cell
from patchfield.errors import OutputError

_PATIENCE = 120
"""Seconds that another run may hold the table."""

_Row = list[str]


class SharedTable:
    """A CSV file of rows that belong to images; runs that write at the same time keep all their rows.

    UTF-8 with a byte order mark, as spreadsheets need it, and no cell that a spreadsheet would take for a formula.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        The first ones of the table; "image" is the very first.
    what : str
        What messages call it a table of.
    grows : bool
        Whether rows may bring further columns, of numbers; earlier rows have empty cells there.

    Raises
    ------
    OutputError
        When the file exists and is no such table.

    Examples
    --------
    >>> import tempfile
    >>> table = SharedTable(Path(tempfile.mkdtemp()) / "objects.csv", ("image",), "objects", grows=True)
    >>> table.replace("a", [{"image": "a", "area (px)": "4"}])
    >>> table.replace("b", [{"image": "b", "area (µm²)": "0.5"}])
    >>> table.rows()
    [{'image': 'a', 'area (px)': '4', 'area (µm²)': ''}, {'image': 'b', 'area (px)': '', 'area (µm²)': '0.5'}]
    """

    def __init__(self, path: Path, columns: Sequence[str], what: str, grows: bool = False) -> None:
        self.path, self._first, self._what, self._grows = path, list(columns), what, grows
        self._header: _Row = self._first
        self._images: set[str] = set()
        self._size = 0
        self._read()

    def rows(self) -> list[dict[str, str]]:
        """The rows as they are written, by column; none where there is no file."""
        rows = self._read()
        return [dict(zip(self._header, row, strict=True)) for row in rows]

    def has(self, image: str) -> bool:
        """Whether the table held rows of an image when it was last read or written."""
        return text_cell(image) in self._images

    def replace(self, image: str, rows: Iterable[Mapping[str, str]]) -> None:
        """Write the rows of one image, by column, in place of those that it had."""
        rows = list(rows)
        with self._alone():
            if self._current_size() != self._size:  # another run wrote meanwhile
                self._read()
            new = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in self._header]
            if self.has(image) or new:
                kept = [row + [""] * len(new) for row in self._read() if row[0] != text_cell(image)]
                self._header = [*self._header, *new]
                with atomic_path(self.path) as temporary:
                    temporary.write_bytes(_encoded([self._header, *kept, *self._cells(rows)], first=True))
                self._images.discard(text_cell(image))
            else:
                self._append(self._cells(rows))
            self._images |= {text_cell(image)} if rows else set()
            self._size = self._current_size()

    def _cells(self, rows: Iterable[Mapping[str, str]]) -> list[_Row]:
        """Rows in the order of the columns; further columns hold numbers, which may begin with a minus."""
        text = set(self._first)
        return [
            [text_cell(row.get(name, "")) if name in text else row.get(name, "") for name in self._header]
            for row in rows
        ]

    def _current_size(self) -> int:
        """Bytes of the table, which grows with whatever is written; 0 where there is none."""
        return self.path.stat().st_size if self.path.exists() else 0

    def _append(self, rows: list[_Row]) -> None:
        """Add rows in one write, so that a run that is killed leaves whole rows."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab", buffering=0) as file:
            size = file.seek(0, io.SEEK_END)
            data = _encoded(rows, first=False) if size else _encoded([self._header, *rows], first=True)
            written = file.write(data)
            if written != len(data):  # a full disk takes a part
                file.truncate(size)
                raise OutputError(f"{self.path}: the disk is full: make room, or write elsewhere.")

    def _read(self) -> list[_Row]:
        """The rows of the file; its header and its images are noted."""
        self._size = self._current_size()
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                header, *rows = [row for row in csv.reader(file) if row] or [[]]
        except FileNotFoundError:
            header, rows = self._first, []
        except (ValueError, csv.Error):
            header, rows = [], []
        begins = header[: len(self._first)] == self._first and (self._grows or len(header) == len(self._first))
        if not begins or any(len(row) != len(header) for row in rows):
            raise OutputError(
                f"{self.path} is not a table of {self._what} of this version and stands in the way: move it, or write "
                "elsewhere."
            )
        self._header, self._images = header, {row[0] for row in rows}
        return rows

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the table against other processes; the lock's file is gone when nobody holds it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock_file = self.path.with_name(f"{TEMPORARY_PREFIX}{self.path.name}.lock")
        with tempfile.TemporaryFile(dir=self.path.parent):
            pass  # raises at once where nothing can be written; the lock would wait
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
