"""Results as OME-TIFF, which microscopy programs open with axes and scale."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray

from patchfield.errors import ImageError
from patchfield.images.calibration import Calibration
from patchfield.images.notes import KEY, Notes

SUFFIXES = (".ome.tif", ".ome.tiff")
_FREE = "ZTC"
"""What unknown axes are called, the first free one: OME knows no others."""

_UNITS = {"inch": "in"}


def write_ome_tiff(
    path: Path, pixels: NDArray[Any], axes: str, notes: Notes, software: str, colormap: NDArray[np.uint16] | None = None
) -> None:
    """Write an array as OME-TIFF.

    Parameters
    ----------
    path : Path
    pixels : ndarray
    axes : str
        One letter for each of its axes.
    notes : Notes
        Calibration, classes and provenance.
    software : str
        The name of this program.
    colormap : (3, 256) uint16 ndarray, optional
        Colours of 8-bit values.

    Raises
    ------
    ImageError
        When it has more axes than OME knows.
    """
    options: dict[str, Any] = {"photometric": "rgb" if axes.endswith("S") else "minisblack"}
    if colormap is not None and pixels.dtype == np.uint8:
        options |= {"photometric": "palette", "colormap": colormap}
    metadata = {"axes": _named(path, axes), "MapAnnotation": {KEY: notes.to_text()}, **_sizes(notes.calibration)}
    tifffile.imwrite(path, pixels, ome=True, compression="zlib", software=software, metadata=metadata, **options)


def ome_notes(description: str) -> Notes | None:
    """What :func:`write_ome_tiff` noted in an OME description; None when there is nothing."""
    try:
        root = ElementTree.fromstring(description)
    except ElementTree.ParseError:
        return None
    for element in root.iter():
        if element.tag.endswith("}M") and element.attrib.get("K") == KEY:
            return Notes.from_text(element.text or "")
    return None


def _named(path: Path, axes: str) -> str:
    """Axes as OME has them: T, Z and C mean themselves, unknown ones take the letters that are left."""
    free = iter([letter for letter in _FREE if letter not in axes])
    named = ""
    for letter in axes:
        known = letter if letter in "TZCYXS" else next(free, "")
        if not known:
            raise ImageError(f"{path}: OME-TIFF has T, Z and C beside rows and columns, not {axes}: write .tif.")
        named += known
    return named


def _sizes(calibration: Calibration | None) -> dict[str, Any]:
    if calibration is None:
        return {}
    unit = _UNITS.get(calibration.unit, calibration.unit)
    sizes: dict[str, Any] = {"PhysicalSizeX": calibration.width, "PhysicalSizeXUnit": unit}
    sizes |= {"PhysicalSizeY": calibration.height, "PhysicalSizeYUnit": unit}
    if calibration.depth is not None:
        sizes |= {"PhysicalSizeZ": calibration.depth, "PhysicalSizeZUnit": unit}
    if calibration.interval is not None:
        sizes |= {"TimeIncrement": calibration.interval, "TimeIncrementUnit": "s"}
    return sizes
