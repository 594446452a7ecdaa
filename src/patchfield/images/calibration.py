"""The size of a pixel, read from a file and written back with every result."""

from dataclasses import dataclass
from typing import Any, Self

import tifffile

METRES = {"nm": 1e-9, "µm": 1e-6, "mm": 1e-3, "cm": 1e-2, "inch": 2.54e-2, "m": 1.0}
_SPELLINGS = {
    **dict.fromkeys(
        ("um", "micron", "microns", "micrometer", "\\u00B5m", "\N{MICRO SIGN}m", "\N{GREEK SMALL LETTER MU}m"), "µm"
    ),
    **dict.fromkeys(("nanometer", "nanometers"), "nm"),
    **dict.fromkeys(("in", "inches", '"'), "inch"),
    **{unit: unit for unit in METRES},
}
_TIFF_UNITS = {2: "inch", 3: "cm"}
_COARSEST_MICROGRAPH = 25e-6
"""Metres. A pixel of 25.4 µm is 1000 dpi: coarser values are a printer's setting, not a microscope's."""


@dataclass(frozen=True)
class Calibration:
    """The height and width of one pixel in `unit` (nm, µm, mm, cm, inch or m).

    Examples
    --------
    >>> Calibration(0.5, 0.5, "µm").pixel_area
    0.25
    """

    height: float
    width: float
    unit: str

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

    @classmethod
    def of(cls, height: Any, width: Any, unit: str | None) -> Self | None:
        """A calibration, or None when the numbers or the unit say nothing."""
        spelled = _SPELLINGS.get(str(unit).strip())
        try:
            height, width = float(height), float(width)
        except (TypeError, ValueError):
            return None
        if spelled is None or not (0 < height < float("inf") and 0 < width < float("inf")):
            return None
        return cls(height, width, spelled)


def tiff_calibration(file: tifffile.TiffFile) -> Calibration | None:
    """What a TIFF file says about its pixels: OME, ImageJ, FEI and Zeiss metadata, then the baseline tags."""
    for read in (_ome, _imagej, _fei, _zeiss, _baseline):
        calibration = read(file)
        if calibration is not None:
            return calibration
    return None


def _ome(file: tifffile.TiffFile) -> Calibration | None:
    if not file.is_ome or file.ome_metadata is None:
        return None
    images = tifffile.xml2dict(file.ome_metadata).get("OME", {}).get("Image", {})
    pixels = (images[0] if isinstance(images, list) else images).get("Pixels", {})
    unit = pixels.get("PhysicalSizeXUnit", "µm")
    if pixels.get("PhysicalSizeYUnit", "µm") != unit:
        return None
    return Calibration.of(pixels.get("PhysicalSizeY"), pixels.get("PhysicalSizeX"), unit)


def _imagej(file: tifffile.TiffFile) -> Calibration | None:
    return _per_pixel(file, (file.imagej_metadata or {}).get("unit"))


def _fei(file: tifffile.TiffFile) -> Calibration | None:
    scan = (file.fei_metadata or {}).get("Scan", {})
    return Calibration.of(scan.get("PixelHeight"), scan.get("PixelWidth"), "m")


def _zeiss(file: tifffile.TiffFile) -> Calibration | None:
    metadata = file.sem_metadata or {}
    entry = metadata.get("ap_image_pixel_size") or metadata.get("ap_pixel_size")
    return Calibration.of(entry[1], entry[1], entry[2]) if entry and len(entry) == 3 else None


def _baseline(file: tifffile.TiffFile) -> Calibration | None:
    unit = file.pages.first.tags.get("ResolutionUnit")
    return _per_pixel(file, _TIFF_UNITS.get(int(unit.value)) if unit is not None else None)


def _per_pixel(file: tifffile.TiffFile, unit: str | None) -> Calibration | None:
    """From the resolution tags, which count pixels per `unit` as a fraction."""
    tags = file.pages.first.tags
    vertical, horizontal = tags.get("YResolution"), tags.get("XResolution")
    if vertical is None or horizontal is None or 0 in (*vertical.value, *horizontal.value):
        return None
    (rows, per_rows), (columns, per_columns) = vertical.value, horizontal.value
    return Calibration.of(per_rows / rows, per_columns / columns, unit)
