"""Results as files that ImageJ, napari and others open with the right axes, scale and colours."""

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from patchfield.atomic import atomic_path
from patchfield.errors import ImageError
from patchfield.images.calibration import METRES, Calibration
from patchfield.images.colors import NamedColor, color_table
from patchfield.images.notes import KEY, SOFTWARE, Notes
from patchfield.images.ome_tiff import SUFFIXES as OME_SUFFIXES
from patchfield.images.ome_tiff import write_ome_tiff
from patchfield.images.ome_zarr import SUFFIX as ZARR_SUFFIX
from patchfield.images.ome_zarr import write_ome_zarr
from patchfield.images.readers.axes import UNKNOWN_AXES

MAX_PNG_LABEL = 65535
_SUFFIXES = (".tif", ".tiff", ".png", ZARR_SUFFIX)
_IMAGEJ_DTYPES = (np.uint8, np.uint16, np.float32)
_IMAGEJ_AXES = "TZC"
_IMAGEJ_BYTES = 2**32 - 2**25
"""ImageJ's own TIFF flavour ends at 4 GiB."""

_COLOR_MAP = 320
_MAX_PER_METRE = 2**31 - 1
"""What a PNG can say: pixels of half a nanometre are the smallest."""

_MAX_RATIONAL = 2**32 - 1


def check_writable(path: str | Path, planes: int = 1, largest: int = 0) -> None:
    """Refuse a format that cannot hold a result, before the result is computed.

    Parameters
    ----------
    path : str or Path
        Where it is to be written; ends with .tif, .tiff, .png or .ome.zarr.
    planes : int
        How many planes it will have.
    largest : int
        The largest label value.

    Raises
    ------
    ImageError
        When the format cannot hold it.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _SUFFIXES:
        raise ImageError(f"{path}: results are written as .tif, .png or .ome.zarr.")
    if suffix == ".png" and planes != 1:
        raise ImageError(f"{path}: PNG holds one plane, not {planes}: write TIFF instead.")
    if suffix == ".png" and largest > MAX_PNG_LABEL:
        raise ImageError(f"{path}: PNG holds labels up to {MAX_PNG_LABEL}, not {largest}: write TIFF instead.")


def write_image(path: str | Path, pixels: NDArray[Any], calibration: Calibration | None = None, axes: str = "") -> None:
    """Write an image as it is, 8- or 16-bit in PNG, of any dtype in TIFF.

    Parameters
    ----------
    path : str or Path
        Ends with .tif, .tiff, .png or .ome.zarr.
    pixels : ndarray (..., H, W) or (..., H, W, 3)
    calibration : Calibration, optional
        The size of a pixel.
    axes : str
        One letter for each leading axis, as `Stack.axes`; "" for a single plane.
    """
    samples = "S" if pixels.ndim == len(axes) + 3 else ""
    _write(path, pixels, f"{axes}YX{samples}", Notes(calibration))


def write_labels(
    path: str | Path,
    labels: NDArray[Any],
    calibration: Calibration | None = None,
    axes: str = "",
    classes: Mapping[int, NamedColor] | None = None,
    provenance: Mapping[str, str] | None = None,
) -> None:
    """Write label values, whole numbers from 0, in the smallest unsigned dtype that holds them, and their colours.

    The values stay what they are; a palette or lookup table shows them in colour in any viewer.

    Parameters
    ----------
    path : str or Path
        Ends with .tif, .tiff, .png or .ome.zarr.
    labels : ndarray (H, W) or, for TIFF, (..., H, W)
        Integers or booleans.
    calibration : Calibration, optional
        That of the image the labels belong to.
    axes : str
        One letter for each leading axis, as `Stack.axes`; unknown when left out.
    classes : mapping of label value to an object with `name` and `color`, optional
        Kept in the file's metadata; other values get default colours.
    provenance : mapping of str to str, optional
        What the result was made of, see :func:`read_provenance`.

    Raises
    ------
    ImageError
        When the format cannot hold them.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "labels.png"
    >>> write_labels(file, np.array([[0, 1], [2, 1]]), Calibration(0.5, 0.5, "µm"))
    >>> with Image.open(file) as image:
    ...     image.mode
    'P'
    """
    if labels.dtype.kind not in "bui" or (labels.dtype.kind == "i" and labels.min(initial=0) < 0):
        raise ImageError(f"{path}: labels are whole numbers from 0; these are {labels.dtype} or negative.")
    axes = axes or UNKNOWN_AXES[: labels.ndim - 2]
    largest = int(labels.max(initial=0))
    check_writable(path, int(np.prod(labels.shape[:-2])), largest)
    smallest = labels.astype(np.min_scalar_type(largest), copy=False)
    colors = color_table(classes, largest)
    notes = Notes(calibration, classes or {}, provenance or {})
    if Path(path).suffix.lower() == ZARR_SUFFIX:
        write_ome_zarr(Path(path), smallest, f"{axes}YX", notes, labels=True)
    else:
        _write(path, smallest, f"{axes}YX", notes, colors)


def write_map(
    path: str | Path,
    values: NDArray[Any],
    calibration: Calibration | None = None,
    axes: str = "",
    provenance: Mapping[str, str] | None = None,
) -> None:
    """Write probabilities or other maps: float32 TIFF, or 16-bit PNG where 65535 stands for 1.

    Parameters
    ----------
    path : str or Path
        Ends with .tif, .tiff, .png or .ome.zarr.
    values : ndarray (..., H, W) or (..., K, H, W)
        For PNG one map with values between 0 and 1.
    calibration : Calibration, optional
        That of the image the maps belong to.
    axes : str
        One letter for each leading axis before K, as `Stack.axes`; "" for a single plane.
    provenance : mapping of str to str, optional
        What the result was made of, see :func:`read_provenance`.
    """
    png = Path(path).suffix.lower() == ".png"
    exact = values.astype(np.float32, copy=False)
    stored = np.round(np.clip(values, 0, 1) * 65535).astype(np.uint16) if png else exact
    kinds = "C" if values.ndim == len(axes) + 3 else ""
    notes = Notes(calibration, provenance=provenance or {})
    if Path(path).suffix.lower() == ZARR_SUFFIX:
        write_ome_zarr(Path(path), stored, f"{axes}{kinds}YX", notes, labels=False)
    else:
        _write(path, stored, f"{axes}{kinds}YX", notes)


def write_rgb(
    path: str | Path,
    colours: NDArray[Any],
    calibration: Calibration | None = None,
    axes: str = "",
    provenance: Mapping[str, str] | None = None,
) -> None:
    """Write colours, (..., H, W, 3) uint8 or floats 0 to 1, as 8-bit RGB in PNG or TIFF."""
    if colours.dtype != np.uint8:
        colours = np.round(np.clip(colours, 0, 1) * 255).astype(np.uint8)
    _write(path, colours, f"{axes}YXS", Notes(calibration, provenance=provenance or {}))


def _write(
    path: str | Path, pixels: NDArray[Any], axes: str, notes: Notes, colors: NDArray[np.uint8] | None = None
) -> None:
    path = Path(path)
    if path.suffix.lower() == ZARR_SUFFIX:
        raise ImageError(f"{path}: labels and maps are written as OME-Zarr, images as .tif or .png.")
    if len(axes) != pixels.ndim:
        raise ImageError(f"{path}: an array of shape {pixels.shape} does not have the axes {axes}.")
    lead = axes[: axes.index("Y")]
    check_writable(path, int(np.prod(pixels.shape[: len(lead)])))
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".png":
            _write_png(temporary, pixels.reshape(pixels.shape[len(lead) :]), notes, colors)
        elif path.name.lower().endswith(OME_SUFFIXES):
            colormap = None if colors is None else _colormap(colors)
            write_ome_tiff(temporary, pixels, axes, notes, _software(), colormap)
        elif _suits_imagej(pixels, axes):
            _write_imagej(temporary, pixels, axes, notes, colors)
        else:
            _write_tiff(temporary, pixels, axes, notes, colors)


def _software() -> str:
    return f"{SOFTWARE} {importlib.metadata.version('napari-patchfield')}"


def _write_png(path: Path, pixels: NDArray[Any], notes: Notes, colors: NDArray[np.uint8] | None) -> None:
    texts = PngInfo()
    texts.add_text("Software", _software())
    texts.add_text(KEY, notes.to_text())
    resolution: dict[str, Any] = {}
    known = notes.calibration
    if known is not None and all(1 <= dots / METRES["inch"] <= _MAX_PER_METRE for dots in known.dots_per_inch):
        resolution["dpi"] = known.dots_per_inch
    image = Image.fromarray(pixels)
    if colors is not None and pixels.dtype == np.uint8:
        image.putpalette(colors.tobytes())
    image.save(path, pnginfo=texts, **resolution)


def _suits_imagej(pixels: NDArray[Any], axes: str) -> bool:
    """Whether ImageJ's own flavour can hold an array: its axes in their order, its types, its size."""
    lead = axes[: axes.index("Y")]
    ordered = [_IMAGEJ_AXES.find(letter) for letter in lead]
    colours = not axes.endswith("S") or pixels.dtype == np.uint8
    known = -1 not in ordered and ordered == sorted(ordered) and len(set(ordered)) == len(ordered)
    # Columns of one pixel are taken for something else there.
    wide = not lead or pixels.shape[axes.index("X")] > 1
    return known and wide and colours and pixels.dtype in _IMAGEJ_DTYPES and pixels.nbytes < _IMAGEJ_BYTES


def _write_imagej(path: Path, pixels: NDArray[Any], axes: str, notes: Notes, colors: NDArray[np.uint8] | None) -> None:
    metadata: dict[str, Any] = {"axes": axes, KEY: notes.to_text()}
    options: dict[str, Any] = {"photometric": "rgb" if axes.endswith("S") else "minisblack"}
    if notes.calibration is not None:
        known = _in_suitable_unit(notes.calibration)
        resolution = _resolution(known)
        # Without a resolution beside it, a unit would say that a pixel has the size 1.
        metadata |= {"unit": known.unit.replace("µ", "u")} if resolution else {}
        options |= resolution
        metadata |= {} if known.depth is None else {"spacing": known.depth}
        metadata |= {} if known.interval is None else {"finterval": known.interval}
    if notes.classes:
        listed = (f"{value}: {known.name} ({known.color})" for value, known in notes.classes.items())
        metadata["Info"] = "Classes\n" + "\n".join(listed) + "\n"
    if colors is not None and pixels.dtype == np.uint8:
        metadata |= {"min": 0.0, "max": 255.0}
        options |= {"photometric": "palette", "colormap": _colormap(colors)}
    elif colors is not None:
        # A lookup table beside 16-bit values, as ImageJ writes it; it spans the display range.
        metadata |= {"min": 0.0, "max": float(max(int(pixels.max(initial=0)), 255))}
        options["extratags"] = [(_COLOR_MAP, "H", 768, _colormap(colors).ravel().tolist(), True)]
    tifffile.imwrite(path, pixels, imagej=True, compression="zlib", software=_software(), metadata=metadata, **options)


def _write_tiff(path: Path, pixels: NDArray[Any], axes: str, notes: Notes, colors: NDArray[np.uint8] | None) -> None:
    options: dict[str, Any] = {"photometric": "rgb" if axes.endswith("S") else "minisblack"}
    if colors is not None and pixels.dtype == np.uint8:
        options |= {"photometric": "palette", "colormap": _colormap(colors)}
    if notes.calibration is not None:
        options |= _resolution(notes.calibration.in_unit("cm"))
        options["resolutionunit"] = "CENTIMETER"
    tifffile.imwrite(
        path,
        pixels,
        compression="zlib",
        software=_software(),
        metadata={"axes": axes, KEY: notes.to_text()},
        **options,
    )


def _colormap(colors: NDArray[np.uint8]) -> NDArray[np.uint16]:
    return colors.T.astype(np.uint16) * 257


def _in_suitable_unit(calibration: Calibration) -> Calibration:
    """The calibration in a unit that gives handy numbers: a pixel of 8e-11 m has 0.08 nm."""
    if all(1e-4 <= size <= 1e4 for size in (calibration.height, calibration.width)):
        return calibration
    for unit in ("m", "mm", "µm"):
        converted = calibration.in_unit(unit)
        if converted.width >= 0.1:
            return converted
    return calibration.in_unit("nm")


def _resolution(calibration: Calibration) -> dict[str, Any]:
    """Pixels per unit as TIFF counts them; nothing where they do not fit."""
    per_unit = (1 / calibration.width, 1 / calibration.height)
    return {"resolution": per_unit} if all(1 / _MAX_RATIONAL < count < _MAX_RATIONAL for count in per_unit) else {}
