"""What the photometric tags of a TIFF file say about its numbers: negatives, palettes, inks, alpha."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import COMPRESSION, PHOTOMETRIC

from patchfield.errors import ImageError
from patchfield.images.readers.axes import Planes
from patchfield.images.readers.lazy import converted

_ALPHA = (1, 2)
_ROWS_AT_ONCE = 512
_STORED_AS_RGB = (
    *(COMPRESSION.JPEG, COMPRESSION.ALT_JPEG, COMPRESSION.JPEG_LOSSY, COMPRESSION.WEBP, COMPRESSION.WEBP_DEPRECATED),
    *(COMPRESSION.JPEG2000, COMPRESSION.JPEGXL, COMPRESSION.JPEGXL_DNG, COMPRESSION.APERIO_JP2000_YCBC),
)
"""Compressions whose decoders turn YCbCr into RGB by themselves."""

_NOT_READ = {
    PHOTOMETRIC.CIELAB: "CIE L*a*b*",
    PHOTOMETRIC.ICCLAB: "CIE L*a*b*",
    PHOTOMETRIC.ITULAB: "CIE L*a*b*",
    PHOTOMETRIC.CFA: "the raw mosaic of a colour camera",
    PHOTOMETRIC.LOGL: "LogL",
    PHOTOMETRIC.LOGLUV: "LogLuv",
}


def in_light_and_colour(
    path: Path, planes: Planes, page: tifffile.TiffPage, *, keeps_values: bool, as_labels: bool
) -> Planes:
    """The planes as viewers show them: never negative, palettes as colours, without alpha.

    Parameters
    ----------
    path : Path
        For messages.
    planes : Planes
        As they are stored.
    page : TiffPage
        Its tags hold for all planes.
    keeps_values : bool
        Whether palettes and negatives only tint the measured values, as ImageJ's lookup tables do.
    as_labels : bool
        Whether a palette's indices are wanted.
    """
    array = planes.array
    photometric = page.photometric
    unread = [name for kind, name in _NOT_READ.items() if kind == photometric]
    if photometric == PHOTOMETRIC.YCBCR and page.compression not in _STORED_AS_RGB:
        unread.append("YCbCr without JPEG")
    if unread:
        raise ImageError(f"{path} stores its colours as {unread[0]}, which Patchfield does not read: save it as RGB.")
    # tifffile stores masks of one bit under this tag, because baseline TIFF does, with their values unchanged.
    plain_mask = array.dtype.kind == "b" and str(page.software).startswith("tifffile")
    if photometric == PHOTOMETRIC.MINISWHITE and array.dtype.kind in "bui" and not (keeps_values or plain_mask):
        array = converted(array, partial(_negative, bits=page.bitspersample), array.dtype)
    if len(array.shape) == 4:
        array = _colours(array, page)
    elif photometric == PHOTOMETRIC.PALETTE and page.colormap is not None and not (as_labels or keeps_values):
        array = _applied_palette(path, array, page.colormap, page.bitspersample)
    elif not as_labels and array.dtype == np.uint8 and page.bitspersample in (2, 4):
        # Two and four bits are few values between black and white, as every viewer shows them.
        array = converted(array, partial(_stretched, factor=255 // (2**page.bitspersample - 1)), array.dtype)
    return planes.with_array(array)


def is_opaque(alpha: Any) -> bool:
    """Whether an alpha channel is full throughout.

    Examples
    --------
    >>> is_opaque(np.full((2, 2), 255, np.uint8)), is_opaque(np.zeros((2, 2), np.uint8))
    (True, False)
    """
    full = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "ui" else 1
    return bool((np.asarray(alpha) == full).all())


def _negative(values: NDArray[Any], bits: int) -> NDArray[Any]:
    """White for 0: bits turned, within the bits that are used."""
    if values.dtype.kind == "u" and bits < 8 * values.dtype.itemsize:
        return np.asarray(np.subtract(2**bits - 1, values, dtype=values.dtype))
    return np.asarray(np.invert(values))


def _stretched(values: NDArray[Any], factor: int) -> NDArray[Any]:
    return np.asarray(np.multiply(values, factor, dtype=values.dtype))


def _colours(array: Any, page: tifffile.TiffPage) -> Any:
    """Planes (N, H, W, C) without alpha, and CMYK as RGB."""
    channels = int(array.shape[-1])
    if page.photometric == PHOTOMETRIC.SEPARATED and channels >= 4 and array.dtype.kind == "u":
        return converted(array, _without_inks, array.dtype, (3,))
    extra = tuple(page.extrasamples or ())
    if not extra or extra[-1] not in _ALPHA or page.samplesperpixel != channels:
        return array
    drop = _first_channel if channels == 2 else _without_last_channel
    if isinstance(array, np.ndarray):
        return drop(array)
    return converted(array, drop, array.dtype, (channels - 1,) if channels > 2 else ())


def _without_inks(values: NDArray[Any]) -> NDArray[Any]:
    full = np.iinfo(values.dtype).max
    ink = values[..., :4].astype(np.float32) / full
    return np.round(full * (1 - ink[..., :3]) * (1 - ink[..., 3:])).astype(values.dtype)


def _first_channel(values: NDArray[Any]) -> NDArray[Any]:
    return values[..., 0]


def _without_last_channel(values: NDArray[Any]) -> NDArray[Any]:
    return values[..., :-1]


def _applied_palette(path: Path, indices: Any, colormap: NDArray[np.uint16], bits: int) -> Any:
    """Palette indices as RGB or, when all colours that occur are grey, as grey; 8-bit where the palette is."""
    if indices.dtype.kind not in "bu" or colormap.ndim != 2 or colormap.shape[1] < 2**bits:
        raise ImageError(f"{path} has a palette that does not fit its pixels: save it as RGB.")
    colours: NDArray[Any] = colormap.T
    for factor in (257, 256):
        if (colormap % factor == 0).all():
            colours = (colours // factor).astype(np.uint8)
            break
    if (colours == colours[:, :1]).all() or _are_grey(colours, indices):
        return converted(indices, partial(_looked_up, table=colours[:, 0]), colours.dtype)
    return converted(indices, partial(_looked_up, table=colours), colours.dtype, (3,))


def _looked_up(indices: NDArray[Any], table: NDArray[Any]) -> NDArray[Any]:
    return np.take(table, indices.astype(np.uint8) if indices.dtype == np.bool_ else indices, axis=0)


def _are_grey(colours: NDArray[Any], indices: Any) -> bool:
    """Whether all entries of the palette that occur are grey."""
    used = np.zeros(len(colours), bool)
    for plane in indices:
        for top in range(0, len(plane), _ROWS_AT_ONCE):
            used[np.unique(plane[top : top + _ROWS_AT_ONCE]).astype(np.intp)] = True
    return bool((colours[used] == colours[used][:, :1]).all())
