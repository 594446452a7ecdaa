"""Views: the shifted, flipped, rotated and sub-patch versions of an image whose features are averaged.

A view is a coordinate map, not a function on pixels: where each image axis goes (direction and circular
shift), whether the axes are exchanged, and where between two tokens its grid begins. Maps compose and invert
exactly, so the order of inverses of combined views cannot be wrong.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from patchfield.errors import FieldError

Pattern = Literal["moore", "neumann"]

_MAX_PHASES = 32
_MAX_VIEWS = 1024
_MAX_SHIFT = 10_000
"""Bounds of what a sampling may ask for: far beyond what helps, and short of what no machine can compute."""

_NAMED = {"fast": "identity()", "balanced": "phases(2)", "fine": "phases(4)", "hr-dv2": "shifts(1, 2, moore)"}


@dataclass(frozen=True)
class AxisView:
    """What a view does to one axis of the image: pixel x appears at ``(±x + shift) mod size``.

    Attributes
    ----------
    flip : bool
        Whether the axis runs backwards.
    shift : int
        Circular shift in pixels, applied after the flip.
    phase : Fraction
        Start of the token grid, as a fraction (0 <= phase < 1) of the distance of two tokens.
    """

    flip: bool = False
    shift: int = 0
    phase: Fraction = Fraction(0)

    def then(self, later: "AxisView") -> "AxisView":
        """This map followed by `later`; phases add up, since a grid is laid on the last frame."""
        shift = later.shift - self.shift if later.flip else later.shift + self.shift
        return AxisView(self.flip != later.flip, shift, (self.phase + later.phase) % 1)

    def locate(self, pixels: NDArray[Any], size: int) -> NDArray[Any]:
        """Positions in the view (0 to size - 1) of image pixels along this axis."""
        positions: NDArray[Any] = ((size - 1 - pixels if self.flip else pixels) + self.shift) % size
        return positions

    def source(self, positions: NDArray[Any], size: int) -> NDArray[Any]:
        """Image pixels that stand at `positions` of the view, reflected where they lie outside 0 to size - 1."""
        pixels = (reflect(positions, size) - self.shift) % size
        return size - 1 - pixels if self.flip else pixels


def reflect(positions: NDArray[Any], size: int) -> NDArray[Any]:
    """Positions folded into 0 to size - 1 as in a mirror (the edge is not repeated), any number of times."""
    if size == 1:
        return np.zeros_like(positions)
    folded: NDArray[Any] = positions % (2 * size - 2)
    reflected: NDArray[Any] = np.minimum(folded, 2 * size - 2 - folded)
    return reflected


@dataclass(frozen=True)
class View:
    """One transformed version of an image.

    Attributes
    ----------
    rows, columns : AxisView
        What happens to the image's rows and to its columns.
    transpose : bool
        Whether the two axes are exchanged afterwards.
    """

    rows: AxisView = field(default_factory=AxisView)
    columns: AxisView = field(default_factory=AxisView)
    transpose: bool = False

    def then(self, later: "View") -> "View":
        """This view followed by `later`."""
        rows, columns = (later.columns, later.rows) if self.transpose else (later.rows, later.columns)
        return View(self.rows.then(rows), self.columns.then(columns), self.transpose != later.transpose)

    def apply(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """The image (H, W, ...) as this view shows it (phases, which only place the grid, aside)."""
        height, width = pixels.shape[:2]
        rows = self.rows.source(np.arange(height), height)
        columns = self.columns.source(np.arange(width), width)
        viewed: NDArray[Any] = pixels[rows][:, columns]
        return viewed.swapaxes(0, 1) if self.transpose else viewed

    def invert(self, viewed: NDArray[Any]) -> NDArray[Any]:
        """The image (H, W, ...) of which `viewed` is the view: ``invert(apply(x)) == x``."""
        pixels = viewed.swapaxes(0, 1) if self.transpose else viewed
        height, width = pixels.shape[:2]
        rows = self.rows.locate(np.arange(height), height)
        image: NDArray[Any] = pixels[rows][:, self.columns.locate(np.arange(width), width)]
        return image


@dataclass(frozen=True)
class Sampling:
    """Which views of an image a field averages, with equal weight.

    Made by the class methods below and combined by ``*``: every view of the left followed by every view of
    the right. ``str(sampling)`` and :meth:`parse` are inverse to each other.

    Examples
    --------
    >>> len(Sampling.shifts([1, 2], "moore").views)                      # HR-Dv2's usual choice
    17
    >>> sampling = Sampling.phases(2) * Sampling.mirrors()
    >>> len(sampling.views), str(sampling)
    (16, 'phases(2) * mirrors()')
    >>> Sampling.parse("phases(2) * mirrors()") == sampling
    True
    """

    views: tuple[View, ...]
    text: str = field(compare=False)

    def __post_init__(self) -> None:
        if len(self.views) > _MAX_VIEWS:
            raise FieldError(
                f"Sampling '{self.text}' makes {len(self.views)} views: at most {_MAX_VIEWS} are possible."
            )

    def __mul__(self, other: "Sampling") -> "Sampling":
        if len(self.views) * len(other.views) > _MAX_VIEWS:
            raise FieldError(
                f"Sampling '{self.text} * {other.text}' makes {len(self.views) * len(other.views)} views: at most "
                f"{_MAX_VIEWS} are possible."
            )
        views = tuple(first.then(second) for first, second in product(self.views, other.views))
        return Sampling(views, f"{self.text} * {other.text}")

    def __str__(self) -> str:
        return self.text

    def counted(self) -> dict[View, int]:
        """The distinct views in order, with how often each one occurs."""
        counts: dict[View, int] = {}
        for view in self.views:
            counts[view] = counts.get(view, 0) + 1
        return counts

    @classmethod
    def identity(cls) -> Self:
        """The image as it is."""
        return cls((View(),), "identity()")

    @classmethod
    def phases(cls, count: int) -> Self:
        """`count` x `count` grids that begin at equal fractions of the token pitch.

        The image is continued by reflection, nothing is wrapped. All `count` squared phases together are a
        token lattice `count` times finer. Ordered so that each further view fills the largest gap.
        """
        if not 1 <= count <= _MAX_PHASES:
            raise FieldError(f"phases({count}) is not possible: give a number of phases from 1 to {_MAX_PHASES}.")
        steps = list(product(range(count), range(count)))
        order = sorted(steps, key=lambda step: _refinement(step, count))
        views = tuple(
            View(AxisView(phase=Fraction(row, count)), AxisView(phase=Fraction(column, count))) for row, column in order
        )
        return cls(views, f"phases({count})")

    @classmethod
    def shifts(cls, distances: Iterable[int], pattern: Pattern = "moore") -> Self:
        """Circular shifts as HR-Dv2 makes them: identity, then for each distance the neighbours.

        Parameters
        ----------
        distances : iterable of int
            Shift lengths in pixels.
        pattern : {"moore", "neumann"}
            Eight neighbours in raster order, or up, left, right, down.
        """
        distances = [int(distance) for distance in distances]
        if len(distances) > _MAX_VIEWS or any(abs(distance) > _MAX_SHIFT for distance in distances):
            raise FieldError(f"Shifts are possible by at most {_MAX_SHIFT} pixels, and at most {_MAX_VIEWS} of them.")
        if pattern not in ("moore", "neumann"):
            raise FieldError(f"Unknown shift pattern '{pattern}': it is either 'moore' or 'neumann'.")
        steps = [(r, c) for r, c in product((-1, 0, 1), repeat=2) if (r, c) != (0, 0)]
        if pattern == "neumann":
            steps = [(r, c) for r, c in steps if r == 0 or c == 0]
        views = [View()]
        for distance, (row, column) in product(distances, steps):
            views.append(View(AxisView(shift=distance * row), AxisView(shift=distance * column)))
        return cls(tuple(views), f"shifts({', '.join([*map(str, distances), pattern])})")

    @classmethod
    def flips(cls) -> Self:
        """HR-Dv2's flip set: identity, left-right, identity again, up-down."""
        flipped = AxisView(flip=True)
        return cls((View(), View(columns=flipped), View(), View(rows=flipped)), "flips()")

    @classmethod
    def mirrors(cls) -> Self:
        """The whole group {identity, left-right, up-down, both}: features odd in x or y cancel exactly."""
        flipped = AxisView(flip=True)
        views = (View(), View(columns=flipped), View(rows=flipped), View(flipped, flipped))
        return cls(views, "mirrors()")

    @classmethod
    def rotations(cls) -> Self:
        """HR-Dv2's rotation set: quarter turns k = 0, -1, -2, -3, +1, +3 (as in :func:`numpy.rot90`)."""
        return cls(tuple(_quarter_turns(k) for k in (0, -1, -2, -3, 1, 3)), "rotations()")

    @classmethod
    def parse(cls, text: "str | Sampling") -> "Sampling":
        """A sampling from its name ('fast', 'balanced', 'fine', 'hr-dv2') or its text.

        Raises
        ------
        FieldError
            When the text is neither.

        Examples
        --------
        >>> Sampling.parse("shifts(1, 2, neumann)") == Sampling.shifts([1, 2], "neumann")
        True
        """
        if isinstance(text, Sampling):
            return text
        factors = [cls._parse_factor(part, text) for part in _NAMED.get(text, text).split("*")]
        whole = factors[0]
        for later in factors[1:]:
            whole = whole * later
        return replace(whole, text=text) if text in _NAMED else whole

    @classmethod
    def _parse_factor(cls, part: str, text: str) -> "Sampling":
        found = re.fullmatch(r"\s*(\w+)\s*(?:\(([\w\s,]*)\))?\s*", part)
        name = found[1] if found else ""
        arguments = [a.strip() for a in (found[2] or "").split(",") if a.strip()] if found else []
        numbers = [int(a) for a in arguments if a.isdecimal()]
        words = [a for a in arguments if not a.isdecimal()]
        if name == "phases" and len(numbers) == 1 and not words:
            return cls.phases(numbers[0])
        if name == "shifts" and numbers and words in ([], ["moore"], ["neumann"]):
            return cls.shifts(numbers, "neumann" if words == ["neumann"] else "moore")
        if name in ("identity", "flips", "mirrors", "rotations") and not arguments:
            made: Sampling = getattr(cls, name)()
            return made
        raise FieldError(
            f"Unknown sampling '{text}': use {', '.join(_NAMED)}, or a product such as 'phases(2) * mirrors()' of "
            "phases(n), shifts(distance, ..., moore|neumann), flips(), mirrors(), rotations()."
        )


def _refinement(step: tuple[int, int], count: int) -> tuple[int, float, tuple[int, int]]:
    """Sort key of a phase: coarse diagonal lattice points first, so that early averages are already even."""
    row, column = (Fraction(part, count) for part in step)
    depth = max(row.denominator, column.denominator)
    return depth, abs(float(row - column)), step


def _quarter_turns(k: int) -> View:
    flipped = AxisView(flip=True)
    turns = {
        0: View(),
        1: View(columns=flipped, transpose=True),
        2: View(flipped, flipped),
        3: View(rows=flipped, transpose=True),
    }
    return turns[k % 4]
