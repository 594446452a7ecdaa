"""Results as OME-Zarr folders, which other programs open with axes, scale, and names and colours of the classes."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.atomic import atomic_folder
from patchfield.errors import ImageError
from patchfield.images.calibration import Calibration
from patchfield.images.notes import KEY, Notes

SUFFIX = ".zarr"
_VERSION = "0.4"
"""Of the specification (https://ngff.openmicroscopy.org/0.4): Zarr 2, which all of its readers know."""

_KINDS = {"T": "time", "C": "channel"}
_LENGTHS = {"m": "meter", "mm": "millimeter", "µm": "micrometer", "nm": "nanometer", "pm": "picometer"}
_CHUNK = 1024


def write_ome_zarr(path: Path, pixels: NDArray[Any], axes: str, notes: Notes, *, labels: bool) -> None:
    """Write an array as an OME-Zarr image of one level, whole or not at all.

    Parameters
    ----------
    path : Path
        Ends with .zarr.
    pixels : ndarray
    axes : str
        One letter for each of its axes.
    notes : Notes
        Calibration, classes and provenance.
    labels : bool
        Whether the values are labels, with names and colours as the specification has them.

    Raises
    ------
    ImageError
        When the package that writes such folders is not installed.
    """
    try:
        import zarr
    except ImportError:
        raise ImageError(f"{path} is a Zarr folder: install zarr to write it (pip install zarr).") from None
    chunks = tuple(
        min(length, _CHUNK) if letter in "YX" else 1 for letter, length in zip(axes, pixels.shape, strict=True)
    )
    with atomic_folder(path) as temporary:
        group = zarr.open_group(str(temporary), mode="w", zarr_format=2)
        level = group.create_array("0", shape=pixels.shape, chunks=chunks, dtype=pixels.dtype)
        # Slices of the first axis: of a memory-mapped stack only one is in memory.
        for first in range(0, pixels.shape[0], max(1, chunks[0])):
            level[first : first + chunks[0]] = np.asarray(pixels[first : first + chunks[0]])
        group.attrs["multiscales"] = _multiscales(path, axes, notes.calibration)
        if labels:
            group.attrs["image-label"] = _image_label(notes)
        group.attrs[KEY] = notes.to_text()


def _multiscales(path: Path, axes: str, calibration: Calibration | None) -> Any:
    scale = {"type": "scale", "scale": _scale(axes, calibration)}
    name = path.name.removesuffix(SUFFIX).removesuffix(".ome")
    levels = [{"path": "0", "coordinateTransformations": [scale]}]
    return [{"version": _VERSION, "name": name, "axes": _axes(axes, calibration), "datasets": levels}]


def _axes(axes: str, calibration: Calibration | None) -> list[dict[str, str]]:
    units: dict[str, str] = {}
    if calibration is not None:
        length = _LENGTHS.get(calibration.unit)
        if length is not None:
            units = dict.fromkeys("YX" if calibration.depth is None else "ZYX", length)
        if calibration.interval is not None:
            units["T"] = "second"
    kinds = {letter: {"name": letter.lower(), "type": _KINDS.get(letter, "space")} for letter in axes}
    return [kinds[letter] | ({"unit": units[letter]} if letter in units else {}) for letter in axes]


def _scale(axes: str, calibration: Calibration | None) -> list[float]:
    if calibration is None:
        return [1.0] * len(axes)
    of = {"Y": calibration.height, "X": calibration.width, "Z": calibration.depth, "T": calibration.interval}
    return [float(of.get(letter) or 1.0) for letter in axes]


def _image_label(notes: Notes) -> dict[str, Any]:
    colors = [
        {"label-value": value, "rgba": [*bytes.fromhex(known.color.removeprefix("#")), 255]}
        for value, known in notes.classes.items()
    ]
    names = [{"label-value": value, "name": known.name} for value, known in notes.classes.items()]
    return {"version": _VERSION, "colors": colors, "properties": names}
