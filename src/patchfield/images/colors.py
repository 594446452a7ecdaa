"""The colours of classes: one palette for strokes, segmentations, tables and files."""

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

PALETTE = (
    *("#4aa8ff", "#ffb000", "#2ee6a6", "#ff5c8a", "#b58cff"),
    *("#f4f06a", "#ff7a33", "#5be0ee", "#c6e86b", "#e08bd8"),
)
"""Colours that keep apart on grey micrographs, also for colour-blind eyes in the first four."""

_GOLDEN = 0.618033988749895
"""Steps of this part of the colour circle never come close to one another."""


class NamedColor(Protocol):
    """Anything that knows the name and the colour of a class."""

    @property
    def name(self) -> str: ...

    @property
    def color(self) -> str:
        """ "#rrggbb"."""
        ...


@dataclass(frozen=True)
class LabelClass:
    """Name and colour of a label value, as a file says them.

    Attributes
    ----------
    name : str
    color : str
        "#rrggbb".
    """

    name: str
    color: str


def default_color(value: int) -> str:
    """The colour of a label value that has none: from the palette, then around the colour circle.

    Examples
    --------
    >>> default_color(1), default_color(11) != default_color(12)
    ('#4aa8ff', True)
    """
    if 1 <= value <= len(PALETTE):
        return PALETTE[value - 1]
    red, green, blue = colorsys.hsv_to_rgb((value * _GOLDEN) % 1, 0.65, 0.85)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def color_table(classes: Mapping[int, NamedColor] | None, largest: int = 255) -> NDArray[np.uint8]:
    """The colours of the values 0 to `largest` in 256 rows of red, green and blue; 0 is black.

    Parameters
    ----------
    classes : mapping of label value to NamedColor, optional
        Values without an entry get their default colour.
    largest : int
        Above 255 a row stands for several values: for that of a class, if one is among them.

    Examples
    --------
    >>> color_table({2: LabelClass("pore", "#ff0000")})[[0, 2]].tolist()
    [[0, 0, 0], [255, 0, 0]]
    """
    scale = max(largest, 255) / 255
    colors = {round(value / scale): default_color(value) for value in np.rint(np.arange(256) * scale).astype(int)}
    for value, known in (classes or {}).items():
        if 0 < value <= max(largest, 255):
            colors[round(value / scale)] = known.color
    table = np.array([rgb(colors[row]) for row in range(256)], np.uint8)
    table[0] = 0
    return table


def rgb(color: str) -> tuple[int, int, int]:
    """Red, green and blue of "#rrggbb".

    Examples
    --------
    >>> rgb("#4477aa")
    (68, 119, 170)
    """
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
