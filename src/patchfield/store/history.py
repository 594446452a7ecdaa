"""What is painted on a plane, and the last changes of it: undo survives the window, and a crash."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from patchfield.images import PlaneIndex
from patchfield.store.sparse import Change, Integers, SparseLabels

Assignment = tuple[tuple[Integers, ...], Integers, Integers]
"""Indices along all axes, values before, values after: what napari's undo history is made of."""

MAX_EDITS = 100
"""Changes that are kept of a plane: as many as napari can undo."""

MAX_STRETCHES = 200_000
"""Of all kept changes of a plane together; older changes are forgotten."""


@dataclass(frozen=True, eq=False)
class PlaneEdit:
    """One change of one plane.

    Attributes
    ----------
    number : int
        When it was made, in nanoseconds since 1970; the parts of an edit on several planes share it.
    change : Change
    undone : bool
        Whether it was taken back, and can be made again.
    """

    number: int
    change: Change
    undone: bool = False


@dataclass(frozen=True, eq=False)
class PlaneRecord:
    """What is stored of a plane.

    Attributes
    ----------
    labels : SparseLabels
        What is painted.
    edits : tuple of PlaneEdit
        By their numbers; those that were undone come last.
    forgotten : int
        How many earlier edits are not kept any more.
    """

    labels: SparseLabels
    edits: tuple[PlaneEdit, ...] = ()
    forgotten: int = 0

    @property
    def strokes(self) -> int:
        """How many changes made the labels what they are: strokes, fills, erasures."""
        return self.forgotten + sum(not edit.undone for edit in self.edits)

    def painted(self, labels: SparseLabels, number: int) -> "PlaneRecord":
        """The plane after a change: a new edit, or the last one undone, or the next one made again.

        Examples
        --------
        >>> import numpy as np
        >>> blank, stroke = np.zeros((4, 4), int), np.eye(4, dtype=int)
        >>> record = PlaneRecord(SparseLabels.from_array(blank)).painted(SparseLabels.from_array(stroke), 1)
        >>> [edit.undone for edit in record.painted(SparseLabels.from_array(blank), 2).edits]
        [True]
        """
        change = self.labels.change_to(labels)
        if not len(change):
            return self
        done = tuple(edit for edit in self.edits if not edit.undone)
        undone = self.edits[len(done) :]
        if done and change.undoes(done[-1].change):
            edits = (*done[:-1], replace(done[-1], undone=True), *undone)
        elif undone and change.is_same_as(undone[0].change):
            edits = (*done, replace(undone[0], undone=False), *undone[1:])
        else:
            # The clock may have been set back since the last one.
            edits = (*done, PlaneEdit(max([number, *(edit.number + 1 for edit in done)]), change))
        return replace(self, labels=labels, edits=edits)._bounded()

    def _bounded(self) -> "PlaneRecord":
        dropped, stretches = 0, sum(len(edit.change) for edit in self.edits)
        for edit in self.edits:
            if len(self.edits) - dropped <= MAX_EDITS and stretches <= MAX_STRETCHES:
                break
            dropped, stretches = dropped + 1, stretches - len(edit.change)
        forgotten = self.forgotten + sum(not edit.undone for edit in self.edits[:dropped])
        return replace(self, edits=self.edits[dropped:], forgotten=forgotten)


@dataclass(frozen=True, eq=False)
class Edit:
    """One step of undo: what a stroke changed, on one plane or several.

    Attributes
    ----------
    number : int
        When it was made, in nanoseconds since 1970.
    changes : dict of plane index to Change
    """

    number: int
    changes: dict[PlaneIndex, Change] = field(default_factory=dict)

    def assignments(self, shape: tuple[int, int]) -> list[Assignment]:
        """The change as assignments to an array of all planes, (..., H, W): where, labels before, labels after.

        Examples
        --------
        >>> one, two = (SparseLabels.from_array(labels) for labels in ([[0, 0], [0, 0]], [[0, 4], [0, 0]]))
        >>> (((plane, rows, columns), before, after),) = Edit(1, {(7,): one.change_to(two)}).assignments((2, 2))
        >>> plane.tolist(), rows.tolist(), columns.tolist(), before.tolist(), after.tolist()
        ([7], [0], [1], [0], [4])
        """
        found: list[Assignment] = []
        for index, change in self.changes.items():
            flat, before, after = change.pixels()
            leading = tuple(np.full(len(flat), position) for position in index)
            found.append(((*leading, *np.unravel_index(flat, shape)), before, after))
        return found


@dataclass(frozen=True, eq=False)
class History:
    """The edits of an image that can be undone and made again.

    Attributes
    ----------
    done : tuple of Edit
        The next one to undo comes last.
    undone : tuple of Edit
        The next one to make again comes first.
    """

    done: tuple[Edit, ...] = ()
    undone: tuple[Edit, ...] = ()

    @classmethod
    def from_planes(cls, planes: Iterable[tuple[PlaneIndex, PlaneRecord]]) -> "History":
        """Put the edits of all planes of an image in order; what was undone before a newer edit is gone."""
        done: dict[int, Edit] = {}
        undone: dict[int, Edit] = {}
        for index, record in planes:
            for edit in record.edits:
                edits = undone if edit.undone else done
                edits.setdefault(edit.number, Edit(edit.number)).changes[index] = edit.change
        newest = max(done, default=0)
        return cls(_in_order(done), _in_order({number: edit for number, edit in undone.items() if number > newest}))


def _in_order(edits: Mapping[int, Edit]) -> tuple[Edit, ...]:
    return tuple(edits[number] for number in sorted(edits))
