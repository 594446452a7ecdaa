"""The classes: value, name, colour, order, how many pixels were painted; and sets of them to begin with."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from psygnal import Signal

from patchfield.errors import LabelError
from patchfield.probe import ClassInfo

MAX_VALUE = 255
"""The labels layer holds uint8: a value beyond would wrap around to another class."""

SUGGESTED: Mapping[str, tuple[str, ...]] = {
    "Two phases": ("matrix", "precipitate"),
    "Pores and solid": ("solid", "pore"),
    "Grains": ("grain", "grain boundary"),
    "Cells": ("background", "cell"),
    "Nuclei": ("background", "cytoplasm", "nucleus"),
    "Tissue": ("background", "stroma", "epithelium"),
}
"""Sets of classes to begin with, by name."""


@dataclass(frozen=True)
class PaintClass:
    """A class that can be painted.

    Attributes
    ----------
    value : int
        Its value in the labels layer, 1 to 255.
    info : ClassInfo
        Its name and colour.
    pixels : int
        How many pixels carry it, in all images together.
    visible : bool
        Whether the segmentation shows it.
    """

    value: int
    info: ClassInfo
    pixels: int = 0
    visible: bool = True

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def color(self) -> str:
        """ "#rrggbb"."""
        return self.info.color


class ClassTable:
    """The classes of an annotation, in the order of the list; the same for all images of a viewer.

    Examples
    --------
    >>> table = ClassTable()
    >>> table.count({1: 10, 7: 5})
    >>> [(entry.name, entry.pixels) for entry in table]
    [('class 1', 10), ('class 2', 0), ('class 7', 5)]
    """

    changed = Signal()
    """Something about the classes changed: number, names, colours or visibility."""
    counted = Signal()
    """The numbers of painted pixels changed, nothing else."""

    def __init__(self) -> None:
        self._classes = {value: PaintClass(value, ClassInfo.default(value)) for value in (1, 2)}
        self._removed: dict[int, tuple[int, PaintClass]] = {}

    def __iter__(self) -> Iterator[PaintClass]:
        return iter(self._classes.values())

    def __len__(self) -> int:
        return len(self._classes)

    def __contains__(self, value: int) -> bool:
        return value in self._classes

    def __getitem__(self, value: int) -> PaintClass:
        return self._classes[value]

    @property
    def values(self) -> tuple[int, ...]:
        return tuple(self._classes)

    @property
    def painted(self) -> int:
        """Number of classes with strokes."""
        return sum(entry.pixels > 0 for entry in self)

    @property
    def infos(self) -> dict[int, ClassInfo]:
        """Name and colour by value."""
        return {entry.value: entry.info for entry in self}

    def add(self) -> PaintClass:
        """A new class with the smallest free value, under a name of its own.

        Values that undo may bring back are free only when there is no other.

        Raises
        ------
        LabelError
            When all 255 are taken.
        """
        free = [value for value in range(1, MAX_VALUE + 1) if value not in self._classes]
        if not free:
            raise LabelError(f"All {MAX_VALUE} classes are in use: remove one before adding another.")
        value = next((value for value in free if value not in self._removed), free[0])
        self._removed.pop(value, None)
        self.ensure([value])
        return self._classes[value]

    def ensure(self, values: Iterable[int]) -> None:
        """Add the classes among `values` that are not there: napari's M key paints a new one, undo a removed one."""
        missing = [int(value) for value in values if value and int(value) not in self._classes]
        if missing:
            entries = list(self)
            for value in missing:
                where, entry = self._removed.pop(value, (len(entries), PaintClass(value, ClassInfo.default(value))))
                entries.insert(where, entry)
            self._set(entries)

    def remove(self, value: int, *, returns: bool = False) -> None:
        """Remove a class.

        Parameters
        ----------
        value : int
        returns : bool
            Whether undo may bring its strokes back: it then comes back with them, as it was and where it was.
        """
        if returns:
            self._removed[value] = (self.values.index(value), replace(self._classes[value], pixels=0))
        self._set(entry for entry in self if entry.value != value)

    def move(self, value: int, by: int) -> None:
        """Move a class down the list, or up by a negative number."""
        entries = [entry for entry in self if entry.value != value]
        where = self.values.index(value) + by
        entries.insert(min(max(where, 0), len(entries)), self._classes[value])
        if tuple(entry.value for entry in entries) != self.values:
            self._set(entries)

    def rename(self, value: int, name: str) -> None:
        self._change(value, info=replace(self._classes[value].info, name=name))

    def recolor(self, value: int, color: str) -> None:
        """Give a class another colour, "#rrggbb"."""
        self._change(value, info=replace(self._classes[value].info, color=color))

    def set_visible(self, value: int, visible: bool) -> None:
        """Show or hide a class in segmentations."""
        self._change(value, visible=visible)

    def replace(self, classes: Mapping[int, ClassInfo]) -> None:
        """Take names and colours from elsewhere (a loaded probe); painted classes it lacks stay."""
        kept = {value: entry for value, entry in self._classes.items() if entry.pixels}
        known = self._classes
        new = {value: replace(known.get(value, PaintClass(value, info)), info=info) for value, info in classes.items()}
        self._set((new | {value: entry for value, entry in kept.items() if value not in new}).values())

    def restore(self, classes: Iterable[PaintClass]) -> None:
        """Take these classes in place of all others; the ones to begin with where there is none."""
        found = {entry.value: entry for entry in classes if 0 < entry.value <= MAX_VALUE}
        self._removed.clear()
        self._set((found or ClassTable()._classes).values())

    def count(self, pixels: Mapping[int, int]) -> None:
        """Take over the numbers of painted pixels; values without a class get one."""
        self.ensure(pixels)
        counted = {value: replace(entry, pixels=pixels.get(value, 0)) for value, entry in self._classes.items()}
        if counted != self._classes:
            self._classes = counted
            self.counted.emit()

    def colors(self, *, only_visible: bool = False) -> dict[int, str]:
        """Colour by value."""
        return {entry.value: entry.color for entry in self if entry.visible or not only_visible}

    def _change(self, value: int, *, info: ClassInfo | None = None, visible: bool | None = None) -> None:
        before = self._classes[value]
        after = replace(
            before,
            info=before.info if info is None else info,
            visible=before.visible if visible is None else visible,
        )
        if after != before:
            self._set((self._classes | {value: after}).values())

    def _set(self, entries: Iterable[PaintClass]) -> None:
        self._classes = {entry.value: entry for entry in entries}
        self.changed.emit()


def suggested(names: Iterable[str]) -> dict[int, ClassInfo]:
    """Classes of these names, from 1 on, in the colours of the palette.

    Examples
    --------
    >>> suggested(["solid", "pore"])[2].name
    'pore'
    """
    return {value: replace(ClassInfo.default(value), name=name) for value, name in enumerate(names, start=1)}
