"""An image that a probe was trained on: what it is known by, and how large its pixels are."""

import math
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import PurePath
from typing import Any, Self

import numpy as np

from patchfield.errors import printable
from patchfield.images import Calibration, ImageSettings, PlaneIndex, Stack
from patchfield.images.calibration import METRES
from patchfield.images.settings import MAX_ZOOM

PIXEL_SIZE_TOLERANCE = 1.5
"""Pixels larger or smaller by more than this factor than all that a probe was trained on are worth a warning: such a
factor costs 0.02 to 0.06 of mean IoU, a factor of 2 costs 0.06 to 0.12 (`benchmarks/magnification.py`)."""

MAX_NAME = 100
"""Characters of a name; of a longer one, the last."""

_LATTICE = 512
_NANOMETRE = METRES["nm"]


@dataclass(frozen=True)
class TrainingImage:
    """What a probe remembers of an image that it was trained on.

    Attributes
    ----------
    id : str
        The same whenever the same image is opened, so that its strokes replace what a probe kept of them before;
        "" for an image that nothing is known of.
    pixel_size : float or None
        Side of a pixel in nm (the square root of its area), where it is known.
    name : str
        What a person calls it: name of the file or layer, and index of the plane. It does not count in comparisons.

    Examples
    --------
    >>> from patchfield.images import ArrayStack
    >>> image = np.arange(12.0).reshape(3, 4)
    >>> known = TrainingImage.from_plane(ArrayStack(image, "YX", calibration=Calibration(0.5, 0.5, "µm")))
    >>> known.pixel_size
    500.0
    >>> known.id == TrainingImage.from_plane(ArrayStack(image.copy(), "YX")).id
    True
    """

    id: str = ""
    pixel_size: float | None = None
    name: str = field(default="", compare=False)

    @classmethod
    def from_plane(cls, stack: Stack, index: PlaneIndex = (), zoom: float = 1.0) -> Self:
        """A plane of an image, known by its content: wherever the file lies, and whatever it is called.

        The content is hashed at the crossings of at most 512 rows and 512 columns. Where a model sees the image
        enlarged by `zoom`, its pixels are as large as they appear then.

        Raises
        ------
        ImageError
            When the plane cannot be read.
        """
        pixels = stack.pixels_at(index)
        row_step, column_step = (-(-int(length) // _LATTICE) for length in stack.shape)
        lattice = np.ascontiguousarray(pixels[::row_step, ::column_step])
        digest = sha256(f"{tuple(pixels.shape)} {pixels.dtype}\0".encode())
        digest.update(lattice.tobytes())
        plane = f" [{', '.join(map(str, index))}]" if index else ""
        name = printable(f"{PurePath(stack.name).name[-MAX_NAME:]}{plane}")
        return cls(digest.hexdigest()[:32], pixel_size(stack.calibration, zoom), name)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return {"id": self.id, "pixel_size": self.pixel_size, "name": self.name}


def pixel_size(calibration: Calibration | None, zoom: float = 1.0) -> float | None:
    """Side of a pixel in nm; None where nothing is known, or only what a printer would want to know.

    Of an image that is seen enlarged by `zoom`, as it is seen.

    Examples
    --------
    >>> pixel_size(Calibration(1, 4, "µm"))
    2000.0
    """
    if calibration is None or not calibration.is_physical:
        return None
    return math.sqrt(calibration.pixel_area) * _in_nanometres(calibration) / zoom


def _in_nanometres(calibration: Calibration) -> float:
    return round(METRES[calibration.unit] / _NANOMETRE, 6)


@dataclass(frozen=True)
class PixelSizeMismatch:
    """An image whose pixels are larger or smaller than those a probe was trained on.

    Attributes
    ----------
    factor : float
        Size of the image's pixels in terms of the nearest that the probe knows: above 1, the image shows things
        smaller than the probe knows them, and enlarged by this factor it would show them alike.
    pixel_size : float
        Of the image, in nm.
    known : (float, float)
        Smallest and largest pixels that the probe knows, in nm.
    """

    factor: float
    pixel_size: float
    known: tuple[float, float]

    def settings(self, settings: ImageSettings) -> ImageSettings:
        """How to see the image so that it shows things as large as the probe knows them."""
        zoom = float(f"{settings.zoom * self.factor:.4g}")
        return replace(settings, zoom=min(max(zoom, 1 / MAX_ZOOM), MAX_ZOOM))

    @property
    def sentence(self) -> str:
        """What to tell the user."""
        times, how = (self.factor, "enlarged") if self.factor > 1 else (1 / self.factor, "reduced")
        return (
            f"its pixels are {length(self.pixel_size)} wide, and the probe was trained on {length_range(self.known)}: "
            f"let it be seen {how} {times:.3g} times (--resample), or correct the probe with strokes on it."
        )


def mismatch(
    calibration: Calibration | None, known: tuple[float, float] | None, zoom: float = 1.0
) -> PixelSizeMismatch | None:
    """Whether an image is of another magnification than a probe knows, by a factor of more than 1.5.

    Parameters
    ----------
    calibration : Calibration or None
        Of the image.
    known : (float, float) or None
        Smallest and largest pixels of the training images, in nm.
    zoom : float
        How many times the image is seen enlarged.

    Examples
    --------
    >>> mismatch(Calibration(4, 4, "nm"), (1.0, 2.0)).factor
    2.0
    >>> mismatch(Calibration(2.9, 2.9, "nm"), (1.0, 2.0)) is None
    True
    """
    size = pixel_size(calibration, zoom)
    if size is None or known is None:
        return None
    factor = size / min(max(size, known[0]), known[1])
    if 1 / PIXEL_SIZE_TOLERANCE <= factor <= PIXEL_SIZE_TOLERANCE:
        return None
    return PixelSizeMismatch(factor, size, known)


def length(nanometres: float) -> str:
    """A length in a unit in which it can be read.

    Examples
    --------
    >>> length(0.25), length(350), length(12_000)
    ('0.25 nm', '350 nm', '12 µm')
    """
    return f"{nanometres:.3g} nm" if nanometres < 1000 else f"{nanometres / 1000:.3g} µm"


def length_range(known: tuple[float, float]) -> str:
    """The smallest and the largest of some lengths, once where they read alike.

    Examples
    --------
    >>> length_range((2.0, 2.0)), length_range((2.0, 5.0))
    ('2 nm', '2 nm to 5 nm')
    """
    ends = [length(end) for end in known]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)
