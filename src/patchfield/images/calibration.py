"""The size of a pixel, the distance of slices and the time between frames, in units of any spelling."""

import math
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Self

METRES = {"nm": 1e-9, "µm": 1e-6, "mm": 1e-3, "cm": 1e-2, "inch": 2.54e-2, "m": 1.0}
"""The units a calibration is kept in."""

_MICRO = ("\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}", "u", "\\u00b5", "\\u03bc", "Âµ")
_LENGTHS: dict[str, tuple[str, str]] = {
    # spelling: (unit it is kept in, how many of those it is)
    **dict.fromkeys(("am",), ("nm", "1e-9")),
    **dict.fromkeys(("fm",), ("nm", "1e-6")),
    **dict.fromkeys(("pm", "picometer", "picometre"), ("nm", "1e-3")),
    **dict.fromkeys(("Å", "\N{ANGSTROM SIGN}", "\\u00c5", "\\u212b", "Ã…", "a", "angstrom", "ångström"), ("nm", "0.1")),
    **dict.fromkeys(("nm", "nanometer", "nanometre", "nanon"), ("nm", "1")),
    **dict.fromkeys(
        (*(f"{micro}m" for micro in _MICRO), *_MICRO[:2], "micron", "micrometer", "micrometre"), ("µm", "1")
    ),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), ("mm", "1")),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), ("cm", "1")),
    **dict.fromkeys(("dm", "decimeter", "decimetre"), ("cm", "10")),
    **dict.fromkeys(("m", "meter", "metre"), ("m", "1")),
    **dict.fromkeys(("dam",), ("m", "10")),
    **dict.fromkeys(("hm",), ("m", "100")),
    **dict.fromkeys(("km", "kilometer", "kilometre"), ("m", "1000")),
    **dict.fromkeys(("in", "inch", "inche", '"'), ("inch", "1")),
    **dict.fromkeys(("thou", "mil"), ("inch", "0.001")),
    **dict.fromkeys(("li",), ("inch", "0.0833333333333333")),
    **dict.fromkeys(("pt",), ("inch", "0.0138888888888889")),
    **dict.fromkeys(("ft", "feet", "foot"), ("inch", "12")),
    **dict.fromkeys(("yd", "yard"), ("inch", "36")),
}
_SECONDS = {
    **dict.fromkeys(("fs",), "1e-15"),
    **dict.fromkeys(("ps",), "1e-12"),
    **dict.fromkeys(("ns", "nsec", "nanosecond"), "1e-9"),
    **dict.fromkeys((*(f"{micro}s" for micro in _MICRO), "usec", "microsecond"), "1e-6"),
    **dict.fromkeys(("ms", "msec", "millisecond"), "1e-3"),
    **dict.fromkeys(("s", "sec", "second"), "1"),
    **dict.fromkeys(("min", "minute"), "60"),
    **dict.fromkeys(("h", "hr", "hour"), "3600"),
    **dict.fromkeys(("d", "day"), "86400"),
}
_COARSEST_MICROGRAPH = 25e-6
"""Metres. A pixel of 25.4 µm is 1000 dpi: coarser values are a printer's setting, not a microscope's."""


@dataclass(frozen=True)
class Calibration:
    """The height and width of one pixel, and what is known beyond the plane.

    Attributes
    ----------
    height, width : float
        Of a pixel, in `unit`.
    unit : str
        nm, µm, mm, cm, inch or m.
    depth : float or None
        Distance of two slices along Z, in `unit`.
    interval : float or None
        Time between two frames along T, in seconds.

    Examples
    --------
    >>> Calibration(0.5, 0.5, "µm").pixel_area
    0.25
    """

    height: float
    width: float
    unit: str
    depth: float | None = None
    interval: float | None = None

    @property
    def pixel_area(self) -> float:
        """Area of one pixel in unit²."""
        return self.height * self.width

    @property
    def is_physical(self) -> bool:
        """Whether this can be the scale of a micrograph: resolutions up to 1000 dpi are meant for printers."""
        return max(self.height, self.width) * METRES[self.unit] < _COARSEST_MICROGRAPH

    @property
    def dots_per_inch(self) -> tuple[float, float]:
        """Columns and rows per inch, as PNG writers want it."""
        inch = METRES["inch"] / METRES[self.unit]
        return inch / self.width, inch / self.height

    def in_unit(self, unit: str) -> "Calibration":
        """The same lengths counted in another of the units of METRES.

        Examples
        --------
        >>> Calibration(0.5, 0.25, "µm", depth=2.0).in_unit("nm")
        Calibration(height=500.0, width=250.0, unit='nm', depth=2000.0, interval=None)
        """
        factor = Decimal(repr(METRES[self.unit])) / Decimal(repr(METRES[unit]))
        depth = None if self.depth is None else _times(self.depth, factor)
        return Calibration(_times(self.height, factor), _times(self.width, factor), unit, depth, self.interval)

    def turned(self) -> "Calibration":
        """The calibration of the image lying on its side: rows are columns."""
        return replace(self, height=self.width, width=self.height)

    @classmethod
    def from_metadata(
        cls,
        height: Any,
        width: Any,
        unit: str | None,
        *,
        width_unit: str | None = None,
        depth: Any = None,
        depth_unit: str | None = None,
        interval: Any = None,
        interval_unit: str | None = "s",
    ) -> Self | None:
        """A calibration from what a file says, or None when the numbers or the unit say nothing.

        Parameters
        ----------
        height, width : number or str
            Of a pixel.
        unit : str or None
            In any spelling of OME or ImageJ: "Å", "um", "micron", "\\\\u00B5m", "inches", ...
        width_unit, depth_unit : str, optional
            Where they differ from `unit`; everything is converted to the unit of the width.
        depth, interval : number or str, optional
            Dropped when they are no positive numbers.
        interval_unit : str
            "s", "ms", "min", ...

        Examples
        --------
        >>> Calibration.from_metadata(250, "0.25", "nm", width_unit="um")
        Calibration(height=0.25, width=0.25, unit='µm', depth=None, interval=None)
        """
        wide, high = _length(width, width_unit or unit), _length(height, unit)
        if wide is None or high is None:
            return None
        deep = _length(depth, depth_unit or unit)
        rows = cls(high[0], high[0], high[1]).in_unit(wide[1]).height
        slices = None if deep is None else cls(deep[0], deep[0], deep[1]).in_unit(wide[1]).height
        return cls(rows, wide[0], wide[1], slices, _time(interval, interval_unit))


def _length(value: Any, unit: str | None) -> tuple[float, str] | None:
    """A length in one of the kept units, or None when it is none."""
    kept = _entry(_LENGTHS, unit)
    number = _positive(value)
    if kept is None or number is None:
        return None
    length = _times(number, Decimal(kept[1]))
    return (length, kept[0]) if 0 < length < math.inf else None


def _time(value: Any, unit: str | None) -> float | None:
    factor = _entry(_SECONDS, unit)
    number = _positive(value)
    return None if factor is None or number is None else _times(number, Decimal(factor))


def _entry(table: dict[str, Any], unit: str | None) -> Any:
    """What a table says about a unit: as it is spelled, else in lower case and singular ("Microns")."""
    spelled = str(unit).strip()
    if spelled in table:
        return table[spelled]
    lower = spelled.lower()
    # One or two letters mean what they say: "Mm" and "Pm" are not "mm" and "pm".
    if len(lower) < 3 and lower not in ("um", "nm", "in", "a"):
        return None
    return table.get(lower, table.get(lower.removesuffix("s")))


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < math.inf else None


def _times(value: float, factor: Decimal) -> float:
    """A product rounded once: 250 nm are 0.25 µm, not 0.25000000000000006."""
    return float(f"{Decimal(repr(value)) * factor:.15g}")
