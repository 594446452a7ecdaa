"""TIFF files: their image as planes, in the colours and the light that its tags say."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import COMPRESSION

from patchfield.errors import ImageError
from patchfield.images.notes import KEY, SOFTWARE, Notes
from patchfield.images.ome_tiff import ome_notes
from patchfield.images.readers.axes import UNKNOWN_AXES, arranged, resolved_axes
from patchfield.images.readers.contents import Contents
from patchfield.images.readers.decoding import check_claim, decoding
from patchfield.images.readers.orientation import TAG, UPRIGHT, swaps_axes, turned
from patchfield.images.readers.tiff_calibration import tiff_calibration
from patchfield.images.readers.tiff_colours import in_light_and_colour, is_opaque
from patchfield.images.readers.tiff_series import Series, image_series

MAPPED_BYTES = 64 * 2**20
"""Uncompressed images of this size and more are mapped instead of read; compressed stacks are read plane by plane."""

_DECODED_WHEN_ASKED_FOR = ("imagej_metadata", "ome_metadata", "shaped_metadata", "fei_metadata", "sem_metadata")
_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JPEG = (COMPRESSION.JPEG, COMPRESSION.OJPEG, COMPRESSION.ALT_JPEG, COMPRESSION.JPEG_LOSSY)
_LOSSY = {
    **dict.fromkeys(_JPEG, "JPEG"),
    **dict.fromkeys((COMPRESSION.APERIO_JP2000_RGB, COMPRESSION.APERIO_JP2000_YCBC), "JPEG 2000"),
}
_READ_COMPRESSIONS = frozenset(
    {
        *(COMPRESSION.NONE, COMPRESSION.LZW, COMPRESSION.DEFLATE, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.PACKBITS),
        *(COMPRESSION.CCITTRLE, COMPRESSION.CCITT_T4, COMPRESSION.CCITT_T6, COMPRESSION.LZMA, COMPRESSION.ZSTD),
        *(COMPRESSION.ZSTD_DEPRECATED, COMPRESSION.WEBP, COMPRESSION.WEBP_DEPRECATED, COMPRESSION.LERC),
        *(COMPRESSION.JPEG2000, COMPRESSION.JPEGXL, COMPRESSION.JPEGXL_DNG, COMPRESSION.PNG),
        *_LOSSY,
    }
)
"""The others are those nobody keeps micrographs in; on damaged files their decoders bring the process down."""


def is_tiff(path: Path) -> bool:
    """Whether a file begins as TIFF files do."""
    with path.open("rb") as file:
        return file.read(4) in _MAGICS


def read_tiff(path: Path, *, as_labels: bool = False, axes: str | None = None) -> Contents:
    """The image of a TIFF file.

    Parameters
    ----------
    path : Path
    as_labels : bool
        Whether the numbers are labels: a palette's indices, not its colours, and never channels.
    axes : str, optional
        What the axes mean where the file does not say it.

    Raises
    ------
    ImageError
        When the file is damaged, incomplete, holds several images, or cannot be understood.
    """
    with decoding(path):
        file = tifffile.TiffFile(path)
    with file:
        with decoding(path):
            found = list(file.series)
            for metadata in _DECODED_WHEN_ASKED_FOR:
                getattr(file, metadata)
        series = image_series(path, file, found)
        notes = tiff_notes(file)
        calibration = (notes and not file.is_imagej and notes.calibration) or tiff_calibration(file)
        page = series.keyframe
        _check_readable(path, page)
        others = {Path(one.parent.filehandle.path) for one in series.pages if one.parent is not file}
        if not others:
            check_claim(path, series.shape, page.nbytes)
        with decoding(path):
            pixels = _pixels(path, file, series, found)
        if tuple(pixels.shape) != series.shape:
            raise ImageError(f"{path} cannot be read, it seems damaged (its tags and its pixels differ in size).")
        planes = arranged(pixels, _named_axes(path, series, pixels, as_labels, axes))
        orientation = _orientation(page)
        planes = planes.with_array(turned(planes.array, orientation))
        planes = in_light_and_colour(
            path, planes, page, keeps_values=file.is_imagej or notes is not None, as_labels=as_labels
        )
    if calibration is not None and swaps_axes(orientation):
        calibration = calibration.turned()
    return Contents(planes, calibration, orientation, _lossy(page), notes, tuple(sorted(others)))


def _check_readable(path: Path, page: tifffile.TiffPage) -> None:
    if page.compression not in _READ_COMPRESSIONS:
        name = getattr(page.compression, "name", page.compression)
        raise ImageError(
            f"{path} is compressed in a way that Patchfield does not read ({name}): save it uncompressed or with "
            "Deflate, LZW or JPEG."
        )


def _pixels(path: Path, file: tifffile.TiffFile, series: Series, found: list[tifffile.TiffPageSeries]) -> Any:
    """The numbers of a series, with the shape of the series: mapped, read, or read page by page."""
    first = series.parts[0]
    large = series.nbytes >= MAPPED_BYTES
    if large and len(series.parts) == 1 and first.dataoffset is not None and series.keyframe.is_memmappable:
        return tifffile.memmap(path, series=found.index(first), mode="r")
    pages = _page_numbers(file, series) if large else None
    if pages is not None and pages.size > 1:
        return _PagedArray(path, pages, series)
    if len(series.parts) == 1:
        return first.asarray(maxworkers=1)
    return np.stack([part.asarray(maxworkers=1) for part in series.parts])


class _PagedArray:
    """A series whose pages are decoded when they are asked for."""

    def __init__(self, path: Path, numbers: NDArray[np.intp], series: Series) -> None:
        self.shape = series.shape
        self.dtype = series.dtype
        self._path = path
        self._numbers = numbers

    def __getitem__(self, key: tuple[Any, ...], /) -> NDArray[Any]:
        numbers = self._numbers[key[: self._numbers.ndim]]
        with decoding(self._path), tifffile.TiffFile(self._path) as file:
            pages = [file.pages[int(number)].asarray(maxworkers=1) for number in numbers.flat]
        shape = self.shape[self._numbers.ndim :]
        if any(page.shape != shape for page in pages):
            raise ImageError(f"{self._path} cannot be read, it seems damaged (its pages differ in size).")
        whole = np.stack(pages).reshape(*numbers.shape, *shape)
        return whole[(..., *key[self._numbers.ndim :])]


def _page_numbers(file: tifffile.TiffFile, series: Series) -> NDArray[np.intp] | None:
    """Which page holds what, in the shape of the leading axes; None where pages and axes do not meet."""
    page = series.keyframe
    lead = series.shape[: len(series.shape) - page.ndim]
    regular = len(series.pages) == int(np.prod(lead, dtype=np.int64)) and series.shape[len(lead) :] == page.shape
    if not regular or any(one.parent is not file or not isinstance(one.index, int) for one in series.pages):
        return None
    return np.array([one.index for one in series.pages], np.intp).reshape(lead)


def _named_axes(path: Path, series: Series, pixels: Any, as_labels: bool, axes: str | None) -> str:
    """The meaning of every axis of a series; S that the writer only guessed is taken for what it is."""
    file_axes = series.axes
    lead = file_axes[: file_axes.index("Y")]
    if as_labels:
        # Labels have no channels: what lies before the rows are planes.
        return "".join(UNKNOWN_AXES[0] if letter in "CS" else letter for letter in lead) + file_axes[len(lead) :]
    if "S" in lead and series.parts[0].kind == "shaped":
        # tifffile calls three or four planes of bytes RGB(A) when nobody says what they are.
        return _planar_samples(path, series, pixels, axes)
    if set(lead) <= {*UNKNOWN_AXES} and not set(file_axes) & {*"CS"}:
        return resolved_axes(path, series.shape, axes, file_axes)
    return file_axes


def _planar_samples(path: Path, series: Series, pixels: Any, axes: str | None) -> str:
    file_axes = series.axes
    if axes is not None:
        return resolved_axes(path, series.shape, axes, file_axes)
    sample = file_axes.index("S")
    if series.shape[sample] != 4 or not isinstance(pixels, np.ndarray):
        return file_axes
    alpha = pixels[(slice(None),) * sample + (slice(3, 4),)]
    return file_axes if is_opaque(alpha) else file_axes.replace("S", UNKNOWN_AXES[0])


def _orientation(page: tifffile.TiffPage) -> int:
    tag = page.tags.get(TAG)
    return int(tag.value) if tag is not None and isinstance(tag.value, int) else UPRIGHT


def _lossy(page: tifffile.TiffPage) -> str:
    return next((name for kind, name in _LOSSY.items() if kind == page.compression), "")


def tiff_notes(file: tifffile.TiffFile) -> Notes | None:
    """What `writing` left in a file of ours."""
    if not str(file.pages.first.software).startswith(SOFTWARE):
        return None
    if file.is_ome:
        return ome_notes(file.ome_metadata or "")
    metadata = file.imagej_metadata or (file.shaped_metadata or ({},))[0]
    return Notes.from_text(str(metadata.get(KEY, "")))
