"""What a class is called and how it is painted."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from patchfield.errors import ProbeError
from patchfield.images.colors import default_color


@dataclass(frozen=True)
class ClassInfo:
    """Name and colour of a class.

    Attributes
    ----------
    name : str
    color : str
        "#rrggbb".

    Raises
    ------
    ProbeError
        When the colour is written otherwise, or the name is no text.

    Examples
    --------
    >>> ClassInfo("pore", "#4aa8ff").name
    'pore'
    """

    name: str
    color: str

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and isinstance(self.color, str)):
            raise ProbeError(f"A class has a text as name and one as colour, not {self.name!r} and {self.color!r}.")
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", self.color):
            raise ProbeError(f"The colour '{self.color}' of class '{self.name}' is not of the form #rrggbb.")

    @classmethod
    def default(cls, value: int) -> "ClassInfo":
        """ "class 3", in the third colour of the palette."""
        return cls(f"class {value}", default_color(value))


def complete_classes(
    values: Iterable[int], given: Mapping[int, ClassInfo] | None, before: Mapping[int, ClassInfo]
) -> dict[int, ClassInfo]:
    """Name and colour of each value: as given, else as before, else the default."""
    known = {**before, **(given or {})}
    return {int(value): known.get(int(value)) or ClassInfo.default(int(value)) for value in values}
