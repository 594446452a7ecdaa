"""Which pages of a TIFF file are its image: thumbnails, pyramid levels and missing partners told apart from planes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from patchfield.errors import ImageError
from patchfield.images.readers.decoding import decoding
from patchfield.images.readers.tiff_calibration import ome_images, pixels_of

_SIDE_PICTURES = ("label", "macro", "thumbnail", "map", "overview", "barcode")
"""Names of series beside the image in whole-slide formats."""

_REDUCED, _MASK = 1, 4
_OLD_REDUCED = 2


@dataclass(frozen=True)
class Series:
    """The series of a TIFF file that make up its image.

    Attributes
    ----------
    parts : sequence of TiffPageSeries
        Equal in shape, axes and dtype.
    axes : str
        One letter for each axis of the whole; several parts are the first of them.
    shape : tuple of int
    pages : sequence of TiffPage or TiffFrame
        Of all parts, in order.
    """

    parts: Sequence[tifffile.TiffPageSeries]
    axes: str
    shape: tuple[int, ...]
    pages: Sequence[tifffile.TiffPage | tifffile.TiffFrame]

    @property
    def keyframe(self) -> tifffile.TiffPage:
        """The page that stands for all."""
        return self.parts[0].keyframe

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.parts[0].dtype)

    @property
    def nbytes(self) -> int:
        """Bytes of the whole when decoded."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


def image_series(path: Path, file: tifffile.TiffFile, found: Sequence[tifffile.TiffPageSeries]) -> Series:
    """The image among the series of a file.

    Reduced pages (thumbnails, levels of pyramids) and the labels of slides are left aside. Several series of equal
    shape are one more axis: R, positions, or pages that were written one by one.

    Raises
    ------
    ImageError
        When there is none, when pages are missing, or when there are several images of different shapes.
    """
    images = [series for series in found if series.shape and not _is_side_picture(series)]
    if not images:
        raise ImageError(
            f"{path} holds only a thumbnail: save the picture itself as TIFF or PNG."
            if found
            else f"{path} holds no image."
        )
    if not all({*"YX"} <= {*series.axes} for series in images):
        raise ImageError(f"{path} cannot be read, it seems damaged (its image has no rows or no columns).")
    largest = max(images, key=_pixels)
    equal = [series for series in images if _kind(series) == _kind(largest)]
    others = [series for series in images if _kind(series) != _kind(largest) and not _is_level(series, largest)]
    if others:
        sizes = ", ".join(" x ".join(map(str, series.shape)) for series in (equal + others)[:4])
        raise ImageError(
            f"{path} holds {len(images)} images of different shapes or types ({sizes}): save the one that is meant as "
            "a file of its own."
        )
    pages = [page for series in equal for page in _complete_pages(path, file, series)]
    if len(equal) == 1:
        return Series(equal, str(largest.axes), tuple(largest.shape), pages)
    positions = file.is_ome or not set(largest.axes) <= {*"YXS"}
    return Series(equal, ("R" if positions else "Q") + str(largest.axes), (len(equal), *largest.shape), pages)


def _pixels(series: tifffile.TiffPageSeries) -> int:
    return int(np.prod(series.shape, dtype=np.int64))


def _kind(series: tifffile.TiffPageSeries) -> tuple[tuple[int, ...], str, np.dtype[Any]]:
    return tuple(series.shape), str(series.axes), np.dtype(series.dtype)


def _is_side_picture(series: tifffile.TiffPageSeries) -> bool:
    page = series.keyframe
    old = page.tags.get("OldSubfileType")
    named = series.kind != "generic" and str(series.name).lower().startswith(_SIDE_PICTURES)
    return bool(page.subfiletype & (_REDUCED | _MASK)) or (old is not None and old.value == _OLD_REDUCED) or named


def _is_level(series: tifffile.TiffPageSeries, full: tifffile.TiffPageSeries) -> bool:
    """Whether a series is the same picture made smaller: all sides shrunk alike, nothing else different."""
    if series.axes != full.axes or np.dtype(series.dtype) != np.dtype(full.dtype):
        return False
    small, large = (dict(zip(one.axes, one.shape, strict=True)) for one in (series, full))
    if any(small[axis] != large[axis] for axis in small if axis not in "YX"):
        return False
    factor = max(large["Y"] / small["Y"], large["X"] / small["X"])
    # Halved again and again, sides are rounded at every step: by a pixel or two of the smaller picture.
    return factor >= 1.5 and all(abs(large[axis] / factor - small[axis]) <= 2 for axis in "YX")


def _complete_pages(
    path: Path, file: tifffile.TiffFile, series: tifffile.TiffPageSeries
) -> list[tifffile.TiffPage | tifffile.TiffFrame]:
    """The pages of a series; planes that are announced but not there are refused, tifffile would invent them."""
    announced = int((file.imagej_metadata or {}).get("images", 1) or 1)
    if _pixels(series) < announced * int(np.prod(series.keyframe.shape, dtype=np.int64)):
        raise ImageError(f"{path} is cut short: it announces {announced} planes and holds fewer.")
    with decoding(path):
        pages = list(series.pages)
    there = [page for page in pages if page is not None]
    missing = len(pages) - len(there)
    if not missing:
        return there
    absent = [name for name in _partners(file) if not (path.parent / name).is_file()]
    if absent:
        names = ", ".join(absent[:3]) + (f" and {len(absent) - 3} more" if len(absent) > 3 else "")
        raise ImageError(
            f"{path} is one file of an image that lies in several, and {names} cannot be found: put the files side by "
            "side, under the names that they were written with."
        )
    raise ImageError(f"{path} is cut short: {missing} of its {len(pages)} planes are missing.")


def _partners(file: tifffile.TiffFile) -> list[str]:
    """The files that an OME image says it lies in, each once."""
    names = []
    for image in ome_images(file):
        pixels = pixels_of(image)
        for element in [] if pixels is None else pixels.iter():
            name = element.attrib.get("FileName", "")
            # A name only: a path would lead out of the folder.
            if name and name not in names and "/" not in name and "\\" not in name:
                names.append(name)
    return names
