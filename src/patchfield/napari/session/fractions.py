"""How much of an image each class covers, in the words of the window."""

from collections.abc import Mapping
from dataclasses import dataclass

from patchfield.images import Calibration


@dataclass(frozen=True)
class Fractions:
    """What each class covers of a segmentation.

    Attributes
    ----------
    pixels : dict of int to int
        Pixels of each class, by label value; classes that cover nothing may be missing.
    total : int
        All pixels, unlabelled ones included.
    planes : int
        How many planes were counted: one, the plane on view, or all of the image.
    whole : bool
        Whether these are all planes of the image.
    pixel_area : float or None
        Area of a pixel in `unit`; None where the size of a pixel is not known.
    unit : str
        "µm²", ...; "" without a pixel area.

    Examples
    --------
    >>> found = Fractions.from_counts({1: 30, 2: 10}, 40, 1, True, Calibration(0.5, 0.5, "µm"))
    >>> found.share(2), found.area(2), found.text(2), found.text(3)
    (0.25, 2.5, '25.0 %', '0 %')
    >>> found.sentence(2)
    '25.0 % of the image: 10 pixels, 2.5 µm²'
    """

    pixels: Mapping[int, int]
    total: int
    planes: int
    whole: bool
    pixel_area: float | None = None
    unit: str = ""

    @classmethod
    def from_counts(
        cls, pixels: Mapping[int, int], total: int, planes: int, whole: bool, calibration: Calibration | None
    ) -> "Fractions":
        """Fractions in the unit of a calibration, where that is one of a micrograph."""
        if calibration is None or not calibration.is_physical:
            return cls(pixels, total, planes, whole)
        return cls(pixels, total, planes, whole, calibration.pixel_area, f"{calibration.unit}²")

    def share(self, value: int) -> float:
        """The share of all pixels, 0 to 1."""
        return self.pixels.get(value, 0) / self.total

    def area(self, value: int) -> float | None:
        """The area in `unit`; None where the size of a pixel is not known."""
        return None if self.pixel_area is None else self.pixels.get(value, 0) * self.pixel_area

    def text(self, value: int) -> str:
        """The share in a few characters, for a row of a list."""
        percent = 100 * self.share(value)
        if percent == 0:
            return "0 %"
        return "< 0.1 %" if percent < 0.1 else f"{percent:.1f} %"

    def sentence(self, value: int) -> str:
        """What the share is of, in pixels and in the unit of the image."""
        of = "the plane on view" if not self.whole else f"all {self.planes} planes" if self.planes > 1 else "the image"
        area = self.area(value)
        physical = "" if area is None else f", {area:.4g} {self.unit}"
        return f"{self.text(value)} of {of}: {self.pixels.get(value, 0):,} pixels{physical}"
