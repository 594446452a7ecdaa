"""One row per object, with the unit in the name of every column that has one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ObjectTable(Mapping[str, NDArray[Any]]):
    """The measurements of objects: a mapping of column names to arrays of one length.

    ``dict(table)`` is what pandas and napari's features take.

    Attributes
    ----------
    columns : dict of str to ndarray (N,)
        "object" and "plane" say which object it is, and where; see :func:`patchfield.objects.measure` for the others.
    unit : str
        The physical unit, such as "µm"; "" where the size of a pixel is not known.

    Examples
    --------
    >>> table = ObjectTable({"object": np.array([1, 2]), "area (px)": np.array([9, 4])})
    >>> len(table), table.rows, table["area (px)"].tolist()
    (2, 2, [9, 4])
    >>> table.best("area")
    'area (px)'
    """

    columns: Mapping[str, NDArray[Any]]
    unit: str = ""

    def __getitem__(self, column: str) -> NDArray[Any]:
        return self.columns[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        """Number of columns, as of any mapping; `rows` is that of the objects."""
        return len(self.columns)

    @property
    def rows(self) -> int:
        """Number of objects."""
        return len(next(iter(self.columns.values()), ()))

    def best(self, quantity: str) -> str:
        """The column of a quantity ("area", "equivalent diameter", ...) in physical units, or in pixels without them.

        Raises
        ------
        KeyError
            When there is none.
        """
        fitting = [name for name in self.columns if name == quantity or name.startswith(f"{quantity} (")]
        if not fitting:
            raise KeyError(quantity)
        return fitting[-1]

    def cells(self) -> list[dict[str, str]]:
        """The rows as text for a CSV file: numbers with seven digits, 1 and 0 for yes and no, nothing for NaN."""
        return [{name: _cell(values[row]) for name, values in self.columns.items()} for row in range(self.rows)]


def joined(tables: Sequence[ObjectTable]) -> ObjectTable:
    """The rows of several tables of one image: they have the same columns and the same unit.

    Examples
    --------
    >>> joined([ObjectTable({"object": np.array([1])}), ObjectTable({"object": np.array([2])})])["object"].tolist()
    [1, 2]
    """
    first = tables[0]
    return ObjectTable({name: np.concatenate([table[name] for table in tables]) for name in first}, first.unit)


def _cell(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return "" if np.isnan(value) else f"{value:.7g}"
    return str(value)
