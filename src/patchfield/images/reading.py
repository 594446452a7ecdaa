"""Image and label files as arrays, stacks plane by plane, nothing truncated to 8 bits."""

import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from patchfield.errors import ImageError, LabelError
from patchfield.images.calibration import Calibration, tiff_calibration
from patchfield.images.stack import PlaneIndex

IMAGE_SUFFIXES = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"})
MAPPED_BYTES = 64 * 2**20
"""Uncompressed TIFF files of this size and more are mapped instead of read."""

_TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ALPHA = (1, 2)
_DECODING_ERRORS = (
    *(OSError, EOFError, MemoryError, ValueError, TypeError, LookupError, ArithmeticError, AssertionError),
    *(RuntimeError, SyntaxError, struct.error, zlib.error, Image.DecompressionBombError, tifffile.TiffFileError),
)
"""What the decoders raise on damaged files (found by cutting and corrupting files, see the tests)."""


@dataclass(frozen=True, eq=False)
class Micrograph:
    """An image read from a file: one plane of what may be a stack.

    Attributes
    ----------
    path : Path
        The file.
    stack : array (N, H, W) or (N, H, W, C)
        All planes (time points, slices, pages in the order of the file), with the channels last; possibly a
        memory map. Alpha channels are dropped, palettes applied.
    plane : int
        Which plane `pixels` shows.
    calibration : Calibration or None
        The size of a pixel, where the file says so.
    """

    path: Path
    stack: Any
    plane: int = 0
    calibration: Calibration | None = None

    @property
    def pixels(self) -> Any:
        """The chosen plane, (H, W) or (H, W, C)."""
        return self.stack[self.plane]

    @property
    def planes(self) -> int:
        """Number of planes."""
        return int(self.stack.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.stack.shape[1]), int(self.stack.shape[2])

    @property
    def index(self) -> PlaneIndex:
        """The chosen plane's index along the leading axes."""
        return (self.plane,) if self.planes > 1 else ()

    @property
    def name(self) -> str:
        """The path, for messages."""
        return str(self.path)

    @property
    def axes(self) -> str:
        """Letters of the leading axes."""
        return "Q" if self.planes > 1 else ""

    @property
    def lengths(self) -> tuple[int, ...]:
        """Lengths of the leading axes."""
        return (self.planes,) if self.planes > 1 else ()

    @property
    def channels(self) -> int:
        """Number of channels; 1 for grey."""
        return int(self.stack.shape[3]) if self.stack.ndim == 4 else 1

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.stack.dtype

    def pixels_at(self, index: PlaneIndex) -> Any:
        """The plane at `index`, (H, W) or (H, W, C)."""
        return self.stack[index[0] if index else 0]

    def at(self, plane: int) -> "Micrograph":
        """The same file at another plane, counted from 0.

        Raises
        ------
        ImageError
            When there is no such plane.
        """
        if not 0 <= plane < self.planes:
            raise ImageError(f"{self.path} has {self.planes} plane(s), counted from 0: there is no plane {plane}.")
        return replace(self, plane=plane)


def read_image(path: str | Path, plane: int = 0) -> Micrograph:
    """Read an image file: TIFF (16-bit, float, ImageJ and OME stacks), PNG, JPEG and what else Pillow reads.

    Large uncompressed TIFF files are memory-mapped. Palettes become colours (except ImageJ's lookup tables, which
    only tint the measured values), CMYK becomes RGB, an alpha channel is dropped, bits are booleans.

    Parameters
    ----------
    path : str or Path
        The file; its content, not its name, decides the format.
    plane : int
        Which plane of a stack, counted from 0.

    Raises
    ------
    ImageError
        When the file is missing, is no image, is damaged, or has no such plane.

    Examples
    --------
    >>> micrograph = read_image("alloy.tif")                          # doctest: +SKIP
    >>> micrograph.pixels.shape, micrograph.planes, micrograph.calibration      # doctest: +SKIP
    ((2048, 2048), 1, Calibration(height=0.1, width=0.1, unit='µm'))
    """
    path = Path(path)
    with _readable(path):
        read = _tiff if _is_tiff(path) else _picture
        stack, calibration = read(path)
    if 0 in stack.shape:
        raise ImageError(f"{path} holds an empty image (shape {stack.shape[1:]}).")
    return Micrograph(path, stack, 0, calibration).at(plane)


def read_labels(path: str | Path) -> NDArray[Any]:
    """Read a file of painted labels or of a segmentation: whole numbers, 0 where nothing is painted.

    A palette image gives its indices, not its colours.

    Returns
    -------
    ndarray (H, W), or (N, H, W) for a stack of several planes
        Of an integer dtype.

    Raises
    ------
    LabelError
        When the values are colours, fractions or negative.
    ImageError
        When the file cannot be read.
    """
    path = Path(path)
    with _readable(path):
        stack = _tiff(path, palette=False)[0] if _is_tiff(path) else _picture(path, palette=False)[0]
    if stack.ndim == 4 and (stack == stack[..., :1]).all():
        stack = stack[..., 0]
    if stack.ndim == 4:
        raise LabelError(f"{path} holds colours: labels are one channel of whole numbers, 0 where unlabelled.")
    labels: NDArray[Any] = stack.astype(np.uint8) if stack.dtype == np.bool_ else stack
    if labels.dtype.kind == "f":
        labels = _whole_numbers(labels, path)
    if labels.dtype.kind == "i" and labels.size and labels.min() < 0:
        raise LabelError(f"{path} holds negative labels: use whole numbers from 1, and 0 where unlabelled.")
    return labels[0] if len(labels) == 1 else labels


def _whole_numbers(labels: NDArray[Any], path: Path) -> NDArray[np.int64]:
    if not (np.isfinite(labels).all() and (labels == np.round(labels)).all()):
        raise LabelError(f"{path} holds fractions or NaN: labels are whole numbers, 0 where unlabelled.")
    return labels.astype(np.int64)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong while reading `path` into one sentence."""
    if path.is_dir():
        raise ImageError(f"{path} is a folder: give an image file.")
    if not path.exists():
        raise ImageError(f"{path} does not exist.")
    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(f"{path} is not an image this can read: save it as TIFF, PNG or JPEG.") from None
    except PermissionError:
        raise ImageError(f"{path} may not be read: check its permissions.") from None
    except _DECODING_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{path} cannot be read, it seems damaged or unsupported ({reason}).") from error


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in _TIFF_MAGICS


def _tiff(path: Path, palette: bool = True) -> tuple[Any, Calibration | None]:
    """The first series of a TIFF file, (N, H, W[, C]), and its calibration."""
    with tifffile.TiffFile(path) as file:
        if not file.series:
            raise ImageError(f"{path} holds no image.")
        series = file.series[0]
        announced = int((file.imagej_metadata or {}).get("images", 1))
        if math.prod(series.shape) < announced * math.prod(series.keyframe.shape):
            raise ImageError(f"{path} is cut short: it announces {announced} planes and holds fewer.")
        page = series.keyframe
        mapped = page.is_memmappable and series.dataoffset is not None and series.nbytes >= MAPPED_BYTES
        pixels: Any = tifffile.memmap(path, series=0, mode="r") if mapped else series.asarray(maxworkers=1)
        stack = _channels_last(pixels, series.axes)
        if stack.ndim == 4:
            stack = _colours(stack, page)
        elif palette and page.colormap is not None and not file.is_imagej:
            stack = _applied_palette(stack, page.colormap)
        return stack, tiff_calibration(file)


def _channels_last(pixels: Any, axes: str) -> Any:
    """An array with TIFF `axes` as (N, H, W) or (N, H, W, C); samples come before channels as C."""
    channel = "S" if "S" in axes else "C" if "C" in axes else ""
    rest = [axis for axis in range(len(axes)) if axes[axis] not in f"YX{channel}"]
    order = [*rest, axes.index("Y"), axes.index("X"), *([axes.index(channel)] if channel else [])]
    ordered = pixels.transpose(order)
    return ordered.reshape(-1, *ordered.shape[len(rest) :])


def _colours(stack: Any, page: tifffile.TiffPage) -> Any:
    """The stack without alpha, and CMYK as RGB."""
    if page.photometric == tifffile.PHOTOMETRIC.SEPARATED and stack.shape[-1] >= 4:
        full = np.iinfo(stack.dtype).max
        ink = stack[..., :4].astype(np.float32) / full
        return np.round(full * (1 - ink[..., :3]) * (1 - ink[..., 3:])).astype(stack.dtype)
    extra = tuple(page.extrasamples or ())
    if extra and extra[-1] in _ALPHA and page.samplesperpixel == stack.shape[-1]:
        stack = stack[..., :-1]
    return stack[..., 0] if stack.shape[-1] == 1 else stack


def _applied_palette(stack: Any, colormap: NDArray[np.uint16]) -> NDArray[Any]:
    """Palette indices as RGB or, when the palette is grey, as grey; 8-bit where the palette is."""
    if (colormap % 257 == 0).all():
        colormap = (colormap // 257).astype(np.uint8)
    elif (colormap % 256 == 0).all():
        colormap = (colormap // 256).astype(np.uint8)
    return _without_equal_channels(colormap.T[stack])


def _without_equal_channels(colours: NDArray[Any]) -> NDArray[Any]:
    return colours[..., 0] if (colours == colours[..., :1]).all() else colours


def _picture(path: Path, palette: bool = True) -> tuple[NDArray[Any], Calibration | None]:
    """What Pillow reads, (N, H, W[, C]), and its calibration."""
    with Image.open(path) as image:
        frames = []
        for frame in range(getattr(image, "n_frames", 1)):
            image.seek(frame)
            frames.append(_frame(image, path, palette))
        dots = image.info.get("dpi", (0, 0))
    width, height = (1 / float(dot) if dot else 0 for dot in dots)
    return np.stack(frames), Calibration.of(height, width, "inch")


def _frame(image: Image.Image, path: Path, palette: bool) -> NDArray[Any]:
    """One frame of a Pillow image, (H, W) or (H, W, 3)."""
    sixteen_bit_colours = image.mode != "I;16" and any(
        str(tile[3]).endswith(";16B") for tile in getattr(image, "tile", ())
    )
    if sixteen_bit_colours:
        # Pillow would cut these to 8 bits.
        pixels = imagecodecs.png_decode(path.read_bytes())
        return pixels[..., 0] if pixels.shape[-1] == 2 else pixels[..., :3]
    if image.mode in ("P", "PA"):
        return _without_equal_channels(np.asarray(image.convert("RGB"))) if palette else np.asarray(image)
    if image.mode in ("LA", "La"):
        return np.asarray(image.convert("L"))
    if image.mode in ("1", "L", "F", "RGB") or image.mode.startswith("I"):
        pixels = np.asarray(image)
        return pixels.astype(pixels.dtype.newbyteorder("="))
    return np.asarray(image.convert("RGB"))
