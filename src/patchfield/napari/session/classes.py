"""The classes: value, name, colour, how many pixels were painted."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from psygnal import Signal

from patchfield.errors import LabelError
from patchfield.probe import ClassInfo

FIRST_NAMES = ("background", "foreground")
MAX_VALUE = 255
"""The labels layer holds uint8: a value beyond would wrap around to another class."""


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
    """The classes of an annotation, ordered by value; the same for all images of a viewer.

    Examples
    --------
    >>> table = ClassTable()
    >>> table.count({1: 10, 7: 5})
    >>> [(entry.name, entry.pixels) for entry in table]
    [('background', 10), ('foreground', 0), ('class 7', 5)]
    """

    changed = Signal()
    """Something about the classes changed: number, names, colours or visibility."""
    counted = Signal()
    """The numbers of painted pixels changed, nothing else."""

    def __init__(self) -> None:
        self._classes: dict[int, PaintClass] = {}
        self._removed: dict[int, PaintClass] = {}
        for value, name in enumerate(FIRST_NAMES, start=1):
            self._classes[value] = PaintClass(value, replace(ClassInfo.default(value), name=name))

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

        Raises
        ------
        LabelError
            When all 255 are taken.
        """
        value = next((v for v in range(1, MAX_VALUE + 1) if v not in self._classes), None)
        if value is None:
            raise LabelError(f"All {MAX_VALUE} classes are in use: remove one before adding another.")
        self._removed.pop(value, None)
        self.ensure([value])
        return self._classes[value]

    def ensure(self, values: Iterable[int]) -> None:
        """Add the classes among `values` that are not there: napari's M key paints a new one, undo a removed one."""
        missing = [int(value) for value in values if value and int(value) not in self._classes]
        if missing:
            new = {value: PaintClass(value, ClassInfo.default(value)) for value in missing}
            known = {value: self._removed[value] for value in missing if value in self._removed}
            self._set(self._classes | new | known)

    def remove(self, value: int) -> None:
        """Remove a class; it comes back as it was when its strokes do."""
        self._removed[value] = replace(self._classes[value], pixels=0)
        self._set({v: entry for v, entry in self._classes.items() if v != value})

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
        new = {value: replace(kept.get(value, PaintClass(value, info)), info=info) for value, info in classes.items()}
        self._set(kept | new)

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
            self._set({**self._classes, value: after})

    def _set(self, classes: dict[int, PaintClass]) -> None:
        self._classes = dict(sorted(classes.items()))
        self.changed.emit()
