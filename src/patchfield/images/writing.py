"""Results as files that ImageJ, napari and others open with the right scale."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from patchfield.atomic import atomic_path
from patchfield.errors import ImageError
from patchfield.images.calibration import METRES, Calibration

IMAGEJ_DTYPES = (np.uint8, np.uint16, np.float32)
IMAGEJ_BYTES = 2**32 - 2**25
"""ImageJ's own TIFF flavour ends at 4 GiB."""


def write_image(path: str | Path, pixels: NDArray[Any], calibration: Calibration | None = None) -> None:
    """Write an image (H, W) or (H, W, 3) as it is, 8- or 16-bit in PNG, of any dtype in TIFF."""
    _write(path, pixels, "YX" if pixels.ndim == 2 else "YXS", calibration)


def write_labels(path: str | Path, labels: NDArray[Any], calibration: Calibration | None = None) -> None:
    """Write label values, whole numbers from 0, in the smallest unsigned dtype that holds them.

    Parameters
    ----------
    path : str or Path
        Ends with .tif, .tiff or .png.
    labels : ndarray (H, W) or, for TIFF, (N, H, W)
        Integers or booleans.
    calibration : Calibration, optional
        The pixel size of the image the labels belong to.

    Raises
    ------
    ImageError
        When the format cannot hold them.
    """
    largest = int(labels.max(initial=0))
    smallest = labels.astype(np.min_scalar_type(largest), copy=False)
    if _suffix(path) == ".png" and largest > 65535:
        raise ImageError(f"{path}: PNG holds labels up to 65535, not {largest}: write TIFF instead.")
    _write(path, smallest, "ZYX"[-smallest.ndim :], calibration)


def write_map(path: str | Path, values: NDArray[Any], calibration: Calibration | None = None) -> None:
    """Write probabilities or other maps: float32 TIFF, or 16-bit PNG where 65535 stands for 1.

    Parameters
    ----------
    path : str or Path
        Ends with .tif, .tiff or .png.
    values : ndarray (H, W) or, for TIFF, (K, H, W) or (N, K, H, W)
        For PNG between 0 and 1.
    calibration : Calibration, optional
        The pixel size of the image the maps belong to.
    """
    png = _suffix(path) == ".png"
    stored = np.round(np.clip(values, 0, 1) * 65535).astype(np.uint16) if png else values.astype(np.float32)
    _write(path, stored, "ZCYX"[-stored.ndim :], calibration)


def write_rgb(path: str | Path, colours: NDArray[Any], calibration: Calibration | None = None) -> None:
    """Write colours, (H, W, 3) uint8 or floats 0 to 1, as 8-bit RGB in PNG or TIFF."""
    if colours.dtype != np.uint8:
        colours = np.round(np.clip(colours, 0, 1) * 255).astype(np.uint8)
    _write(path, colours, "YXS", calibration)


def _suffix(path: str | Path) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in (".tif", ".tiff", ".png"):
        raise ImageError(f"{path}: results are written as .tif or .png.")
    return suffix


def _write(path: str | Path, pixels: NDArray[Any], axes: str, calibration: Calibration | None) -> None:
    path = Path(path)
    if _suffix(path) != ".png":
        with atomic_path(path) as temporary:
            _write_tiff(temporary, pixels, axes, calibration)
        return
    if axes not in ("YX", "YXS"):
        raise ImageError(f"{path}: PNG holds one plane, not {pixels.shape}: write TIFF instead.")
    resolution: dict[str, Any] = {} if calibration is None else {"dpi": calibration.dots_per_inch}
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, **resolution)


def _write_tiff(path: Path, pixels: NDArray[Any], axes: str, calibration: Calibration | None) -> None:
    imagej = pixels.dtype in IMAGEJ_DTYPES and pixels.nbytes < IMAGEJ_BYTES
    metadata = {"axes": axes}
    resolution: dict[str, Any] = {}
    if calibration is not None and imagej:
        metadata["unit"] = calibration.unit.replace("µ", "u")
        resolution["resolution"] = (1 / calibration.width, 1 / calibration.height)
    elif calibration is not None:
        centimetre = METRES["cm"] / METRES[calibration.unit]
        resolution["resolution"] = (centimetre / calibration.width, centimetre / calibration.height)
        resolution["resolutionunit"] = "CENTIMETER"
    tifffile.imwrite(
        path,
        pixels,
        imagej=imagej,
        photometric="rgb" if axes == "YXS" else "minisblack",
        compression="zlib",
        metadata=metadata,
        **resolution,
    )
