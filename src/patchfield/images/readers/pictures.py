"""PNG, JPEG, GIF and what else Pillow reads, frame by frame, turned as they are shown."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patchfield.errors import ImageError
from patchfield.images.calibration import Calibration
from patchfield.images.notes import KEY, SOFTWARE, Notes
from patchfield.images.readers.axes import UNKNOWN_AXES, Planes
from patchfield.images.readers.contents import Contents
from patchfield.images.readers.decoding import check_claim, decoding
from patchfield.images.readers.lazy import EAGER_BYTES, DecodedPlanes
from patchfield.images.readers.orientation import TAG, UPRIGHT, swaps_axes, turned

_ANIMATED = ("GIF", "PNG", "WEBP", "FLI")
"""Formats whose frames are planes; those of others are previews, layers or depth maps of one picture."""

_DRAWN_BY_OTHERS = ("EPS", "WMF")
"""Pillow has these drawn by programs outside of it."""

_ALWAYS_LOSSY = {"JPEG": "JPEG", "MPO": "JPEG", "AVIF": "AVIF"}
_LIMIT = Lock()


def read_picture(path: Path, *, as_labels: bool = False) -> Contents:
    """The image of a file that Pillow can read.

    Parameters
    ----------
    path : Path
    as_labels : bool
        Whether the numbers are labels: a palette's indices, not its colours.

    Raises
    ------
    ImageError
        When it is no such file, is damaged, or claims more than it can hold.
    """
    with decoding(path), _opened(path) as image:
        form = str(image.format)
        if form in _DRAWN_BY_OTHERS:
            raise ImageError(f"{path} is {form}, a drawing rather than an image: save it as TIFF or PNG.")
        frames = getattr(image, "n_frames", 1) if form in _ANIMATED else 1
        check_claim(path, (image.height, image.width), image.height * image.width * _bytes_of(image))
        notes = picture_notes(image)
        keeps_indices = as_labels or notes is not None
        # Before anything else: asking for EXIF decodes a PNG, and then Pillow forgets how deep its colours were.
        if as_labels and frames > 1 and image.mode == "P":
            raise ImageError(f"{path} is an animation, whose frames do not share a palette: save labels as TIFF.")
        first = _frame(image, path, keeps_indices)
        orientation = int(image.getexif().get(TAG, UPRIGHT))
        calibration = _calibration(image, notes)
        lossy = _ALWAYS_LOSSY.get(form, "") or _lossy(path, form)
    array: Any = first[None]
    if frames > 1:
        array = _frames(path, frames, first, keeps_indices)
    if calibration is not None and swaps_axes(orientation):
        calibration = calibration.turned()
    single = len(array) == 1
    planes = Planes(turned(array, orientation), "" if single else UNKNOWN_AXES[0], () if single else (len(array),))
    return Contents(planes, calibration, orientation, lossy, notes)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """A picture of any size: `check_claim` tells honest mosaics from bombs, Pillow only counts pixels."""
    with _LIMIT:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(path)
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    with image:
        yield image


def _bytes_of(image: Image.Image) -> int:
    """Bytes of a pixel when decoded."""
    return {"1": 1, "L": 1, "P": 1, "LA": 2, "PA": 2, "I;16": 2, "I;16B": 2}.get(image.mode, 4)


def _frames(path: Path, count: int, first: NDArray[Any], keeps_indices: bool) -> Any:
    """All frames: decoded one by one when they are many, together when they are few."""
    if count * first.nbytes >= EAGER_BYTES:
        return DecodedPlanes((count, *first.shape), first.dtype, partial(_later_frame, path, first, keeps_indices))
    frames = [first, *_decoded_together(path, count, keeps_indices)]
    if first.ndim == 2:
        # Pillow calls all frames but the first RGB when they only hold what changes.
        frames = [without_equal_channels(frame) if frame.ndim == 3 else frame for frame in frames]
    if any(frame.ndim == 3 for frame in frames):
        frames = [_in_colours(frame) for frame in frames]
    if any(frame.shape != frames[0].shape for frame in frames):
        raise ImageError(f"{path} has frames of different sizes: save the one that is meant as a file of its own.")
    return np.stack(frames)


def _later_frame(path: Path, first: NDArray[Any], keeps_indices: bool, number: int) -> NDArray[Any]:
    """One frame in the shape of the first."""
    with decoding(path), _opened(path) as image:
        image.seek(number)
        frame = _frame(image, path, keeps_indices)
    frame = _in_colours(frame) if first.ndim == 3 else without_equal_channels(frame) if frame.ndim == 3 else frame
    if frame.shape[:2] != first.shape[:2]:
        raise ImageError(f"{path} has frames of different sizes: save the one that is meant as a file of its own.")
    if frame.shape != first.shape:
        raise ImageError(
            f"{path} begins in grey, and frame {number} has colours: save it as a TIFF of colours throughout."
        )
    return frame


def _in_colours(frame: NDArray[Any]) -> NDArray[Any]:
    return np.repeat(frame[..., None], 3, axis=2) if frame.ndim == 2 else frame


def _decoded_together(path: Path, count: int, keeps_indices: bool) -> list[NDArray[Any]]:
    """All frames but the first, without going back to the beginning of the file for each."""
    frames = []
    with decoding(path), _opened(path) as image:
        for number in range(1, count):
            image.seek(number)
            frames.append(_frame(image, path, keeps_indices))
    return frames


def _frame(image: Image.Image, path: Path, keeps_indices: bool) -> NDArray[Any]:
    """The frame that is chosen in a Pillow image, (H, W) or (H, W, 3)."""
    sixteen_bit_colours = image.mode != "I;16" and any(
        str(tile[3]).endswith(";16B") for tile in getattr(image, "tile", ())
    )
    if sixteen_bit_colours:
        # Pillow would cut these to 8 bits.
        pixels = np.asarray(imagecodecs.png_decode(path.read_bytes()))
        return pixels[..., 0] if pixels.shape[-1] == 2 else pixels[..., :3]
    if image.mode in ("P", "PA"):
        return np.asarray(image) if keeps_indices else without_equal_channels(np.asarray(image.convert("RGB")))
    if image.mode in ("LA", "La"):
        return np.asarray(image.convert("L"))
    if image.mode in ("1", "L", "F", "RGB") or image.mode.startswith("I"):
        pixels = np.asarray(image)
        return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return np.asarray(image.convert("RGB"))


def without_equal_channels(colours: NDArray[Any]) -> NDArray[Any]:
    """Colours (..., 3) as grey when no pixel has a hue."""
    return colours[..., 0] if (colours == colours[..., :1]).all() else colours


def picture_notes(image: Image.Image) -> Notes | None:
    """What `writing` left in a file of ours."""
    ours = str(image.info.get("Software", "")).startswith(SOFTWARE)
    return Notes.from_text(str(image.info.get(KEY, ""))) if ours else None


def _calibration(image: Image.Image, notes: Notes | None) -> Calibration | None:
    """What we wrote, where the resolution does not contradict it; it is counted in whole pixels per metre."""
    dots = image.info.get("dpi", (0, 0))
    width, height = (1 / float(dot) if dot else 0 for dot in dots)
    read = Calibration.from_metadata(height, width, "inch")
    written = None if notes is None else notes.calibration
    if written is None or read is None:
        return written or read
    sizes = zip(written.dots_per_inch, read.dots_per_inch, strict=True)
    return written if all(math.isclose(*size, rel_tol=0.01) for size in sizes) else read


def _lossy(path: Path, form: str) -> str:
    """The name of a format that comes in two kinds, when this file is of the kind that changes values."""
    with path.open("rb") as file:
        head = file.read(4096)
    if form == "WEBP" and b"VP8 " in head:
        return "WebP"
    marker = head.find(b"\xff\x52")
    irreversible = 13
    if form == "JPEG2000" and marker >= 0 and head[marker + irreversible : marker + irreversible + 1] == b"\0":
        return "JPEG 2000"
    return ""
