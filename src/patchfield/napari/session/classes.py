"""The classes: value, name, colour, how many pixels were painted."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from psygnal import Signal

from patchfield.errors import LabelError

PALETTE = (
    *("#4aa8ff", "#ffb000", "#2ee6a6", "#ff5c8a", "#b58cff"),
    *("#f4f06a", "#ff7a33", "#5be0ee", "#c6e86b", "#e08bd8"),
)
"""Colours that keep apart on grey micrographs, also for colour-blind eyes in the first four."""

FIRST_NAMES = ("background", "foreground")
MOST_CLASSES = 255
"""The labels layer holds uint8: a value beyond would wrap around to another class."""


@dataclass(frozen=True)
class PaintClass:
    """A class that can be painted.

    Attributes
    ----------
    value : int
        Its value in the labels layer, from 1.
    name, color : str
        Colour as "#rrggbb".
    pixels : int
        How many pixels carry it, in all images together.
    visible : bool
        Whether the segmentation shows it.
    """

    value: int
    name: str
    color: str
    pixels: int = 0
    visible: bool = True


def default_color(value: int) -> str:
    return PALETTE[(value - 1) % len(PALETTE)]


class ClassTable:
    """The classes of an annotation, ordered by value; the same for all images of a viewer."""

    changed = Signal()
    """Something about the classes changed: number, names, colours or visibility."""
    counted = Signal()
    """The numbers of painted pixels changed, nothing else."""

    def __init__(self) -> None:
        self._classes: dict[int, PaintClass] = {}
        self._removed: dict[int, PaintClass] = {}
        for value, name in enumerate(FIRST_NAMES, start=1):
            self._classes[value] = PaintClass(value, name, default_color(value))

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

    def add(self) -> PaintClass:
        """A new class with the smallest free value, under a name of its own.

        Raises
        ------
        LabelError
            When all 255 are taken.
        """
        value = next((v for v in range(1, MOST_CLASSES + 1) if v not in self._classes), None)
        if value is None:
            raise LabelError(f"All {MOST_CLASSES} classes are in use: remove one before adding another.")
        self._removed.pop(value, None)
        self.ensure([value])
        return self._classes[value]

    def ensure(self, values: Iterable[int]) -> None:
        """Add the classes among `values` that are not there: napari's M key paints a new one, undo a removed one."""
        missing = [int(value) for value in values if value and int(value) not in self._classes]
        if missing:
            new = {value: PaintClass(value, f"class {value}", default_color(value)) for value in missing}
            self._set(
                self._classes | new | {value: self._removed[value] for value in missing if value in self._removed}
            )

    def remove(self, value: int) -> None:
        self._removed[value] = replace(self._classes[value], pixels=0)
        self._set({v: entry for v, entry in self._classes.items() if v != value})

    def change(self, value: int, **fields: str | bool) -> None:
        """Give a class another `name`, `color` or `visible`."""
        changed = replace(self._classes[value], **fields)
        if changed != self._classes[value]:
            self._set({**self._classes, value: changed})

    def replace(self, classes: Mapping[int, tuple[str, str]]) -> None:
        """Take names and colours from elsewhere (a loaded probe); painted classes it lacks stay."""
        kept = {value: entry for value, entry in self._classes.items() if entry.pixels}
        new = {v: replace(kept.get(v, PaintClass(v, "", "")), name=n, color=c) for v, (n, c) in classes.items()}
        self._set(kept | new)

    def count(self, pixels: Mapping[int, int]) -> None:
        """Take over the numbers of painted pixels; values without a class get one."""
        self.ensure(pixels)
        counted = {v: replace(entry, pixels=pixels.get(v, 0)) for v, entry in self._classes.items()}
        if counted != self._classes:
            self._classes = counted
            self.counted.emit()

    def colors(self, *, only_visible: bool = False) -> dict[int, str]:
        return {entry.value: entry.color for entry in self if entry.visible or not only_visible}

    def _set(self, classes: dict[int, PaintClass]) -> None:
        self._classes = dict(sorted(classes.items()))
        self.changed.emit()
