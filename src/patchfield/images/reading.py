"""Image files as stacks of planes, nothing truncated to 8 bits."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from patchfield.errors import ImageError
from patchfield.images.calibration import Calibration
from patchfield.images.readers.formats import read_contents
from patchfield.images.readers.orientation import UPRIGHT
from patchfield.images.settings import checked_axes
from patchfield.images.stack import LazyArray, PlaneIndex


@dataclass(frozen=True, eq=False)
class Micrograph:
    """An image read from a file: a :class:`Stack`, with one plane of it chosen.

    Attributes
    ----------
    path : Path
        The file.
    stack : array (N, H, W) or (N, H, W, C)
        All planes in the order of `axes`, with the channels last; possibly a memory map, or decoded plane by plane.
        Alpha channels are dropped, palettes applied, negatives made positive, and what lies on its side is turned.
    plane : int
        Which of the N planes `pixels` shows.
    calibration : Calibration or None
        The size of a pixel, the distance of slices and the time between frames, where the file says so.
    axes : str
        One letter for each leading axis that makes up N: T, Z, R (positions or series), Q (unknown), ...; "" for a
        single plane.
    lengths : tuple of int
        Of these axes.
    orientation : int
        How the file said that its picture is turned, 1 to 8 as EXIF counts; it is upright here.
    others : tuple of Path
        Further files that the image lies in, where it lies in several (OME-TIFF): each of them gives the whole image.
    """

    path: Path
    stack: Any
    plane: int = 0
    calibration: Calibration | None = None
    axes: str = ""
    lengths: tuple[int, ...] = ()
    orientation: int = UPRIGHT
    others: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """The path, for messages."""
        return str(self.path)

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
    def channels(self) -> int:
        """Number of channels; 1 for grey."""
        return int(self.stack.shape[3]) if len(self.stack.shape) == 4 else 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        dtype: np.dtype[Any] = self.stack.dtype
        return dtype

    @property
    def index(self) -> PlaneIndex:
        """The chosen plane's index along the leading axes."""
        return tuple(int(position) for position in np.unravel_index(self.plane, self.lengths)) if self.axes else ()

    def pixels_at(self, index: PlaneIndex) -> LazyArray:
        """The plane at an index along the leading axes, (H, W) or (H, W, C).

        Raises
        ------
        ImageError
            When there is no such plane, or it cannot be decoded.
        """
        inside = len(index) == len(self.lengths) and all(0 <= i < n for i, n in zip(index, self.lengths, strict=True))
        if not inside:
            raise ImageError(f"{self.path} has no plane {index}: its axes {self.axes} have the lengths {self.lengths}.")
        plane: LazyArray = self.stack[int(np.ravel_multi_index(index, self.lengths)) if index else 0]
        return plane

    def at(self, plane: int) -> "Micrograph":
        """The same file at another of its N planes, counted from 0.

        Raises
        ------
        ImageError
            When there is no such plane.
        """
        if not 0 <= plane < self.planes:
            raise ImageError(f"{self.path} has {self.planes} plane(s), counted from 0: there is no plane {plane}.")
        return replace(self, plane=plane)


def read_image(path: str | Path, plane: int = 0, axes: str | None = None) -> Micrograph:
    """Read an image file: TIFF (16-bit, float, ImageJ and OME stacks), PNG, JPEG and others, NumPy, HDF5, OME-Zarr.

    The picture is what a viewer shows: palettes become colours and negatives (MinIsWhite) positive (except ImageJ's
    lookup tables, which only tint the measured values), CMYK becomes RGB, an alpha channel is dropped, what EXIF or
    TIFF tags say is turned is turned, thumbnails and levels of pyramids are left aside, bits are booleans. Large
    uncompressed TIFF files are memory-mapped; large compressed stacks are decoded plane by plane.

    Parameters
    ----------
    path : str or Path
        The file, or the folder of a Zarr image; its content, not its name, decides the format.
    plane : int
        Which plane of a stack, counted from 0.
    axes : str, optional
        What the axes mean where the file does not say it: "CYX", "YXC", "TYX", ...

    Raises
    ------
    ImageError
        When the file is missing, is no image, is damaged or incomplete, has no such plane, or has axes whose meaning
        cannot be known.

    Examples
    --------
    >>> import tempfile, tifffile
    >>> folder = Path(tempfile.mkdtemp())
    >>> tifffile.imwrite(folder / "movie.tif", np.zeros((5, 48, 64), np.uint8), metadata={"axes": "TYX"})
    >>> movie = read_image(folder / "movie.tif")
    >>> movie.axes, movie.lengths, movie.pixels.shape
    ('T', (5,), (48, 64))
    """
    path = Path(path)
    contents = read_contents(path, axes=None if axes is None else checked_axes(axes))
    planes = contents.planes
    whole = Micrograph(
        path=path,
        stack=planes.array,
        calibration=contents.calibration,
        axes=planes.axes,
        lengths=planes.lengths,
        orientation=contents.orientation,
        others=contents.others,
    )
    return whole.at(plane)
