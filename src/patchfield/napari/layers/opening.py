"""Image files as layers: read in the background as the command line reads them, added in one step."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.layers._source import layer_source
from napari.layers.utils.layer_utils import calc_data_range
from numpy.typing import NDArray

from patchfield.images import Calibration, LazyArray, Stack, read_image
from patchfield.images.readers.axes import UNKNOWN_AXES

THUMBNAIL = 48
"""Longest side in pixels."""

_COLOURS = (np.uint8, np.uint16)
_NAMES = {"T": "t", "Z": "z", "R": "position", "C": "channel"}


@dataclass(frozen=True, eq=False)
class ReadFile:
    """A file, ready to become a layer.

    Attributes
    ----------
    path : Path
    name : str
    pixels : array
        With the file's axes; channels that are no colours stand before rows and columns, where napari shows them.
    rgb : bool
    axis_labels : tuple of str or None
        Where the file says what its axes mean.
    placement : dict
        Scale and units, as arguments of a layer, where the file says them.
    contrast_limits : (float, float) or None
        Of grey values; napari would look for them while the window waits.
    """

    path: Path
    name: str
    pixels: LazyArray
    rgb: bool
    axis_labels: tuple[str, ...] | None
    placement: dict[str, Any]
    contrast_limits: tuple[float, float] | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """Of the layer that shows it."""
        limits = {} if self.contrast_limits is None else {"contrast_limits": self.contrast_limits}
        return {"name": self.name, "rgb": self.rgb, "axis_labels": self.axis_labels, **self.placement, **limits}


def read_file(path: Path, name: str = "", axes: str | None = None) -> ReadFile:
    """Read an image file for a layer: large ones stay on the disk until they are looked at.

    Parameters
    ----------
    path : Path
    name : str
        Of the layer; that of the file when left out.
    axes : str, optional
        As :func:`patchfield.images.read_image` takes it.

    Raises
    ------
    ImageError
        When the file cannot be read.
    """
    file = read_image(path, axes=axes)
    known = isinstance(file.stack, np.ndarray)
    planes = file.stack if known else da.from_array(file.stack, chunks=(1, *file.stack.shape[1:]), asarray=True)
    pixels, letters = planes.reshape(*file.lengths, *planes.shape[1:]), f"{file.axes}YX"
    rgb = file.channels == 3 and pixels.dtype in _COLOURS
    if file.channels > 1 and not rgb:
        pixels, letters = np.moveaxis(pixels, -1, -3) if known else da.moveaxis(pixels, -1, -3), f"{file.axes}CYX"
    says = len(letters) > 2 and not any(letter in UNKNOWN_AXES for letter in letters)
    labels = tuple(_NAMES.get(letter, letter.lower()) for letter in letters) if says else None
    limits = None if rgb else calc_data_range(pixels)
    return ReadFile(path, name or path.stem, pixels, rgb, labels, placement(letters, file.calibration), limits)


def placement(letters: str, calibration: Calibration | None) -> dict[str, Any]:
    """Scale and units of a layer with these axes; nothing where no microscope's scale is known.

    Examples
    --------
    >>> placement("TYX", Calibration(0.5, 0.25, "µm", interval=60.0))
    {'scale': (60.0, 0.5, 0.25), 'units': ('second', 'µm', 'µm')}
    """
    if calibration is None or not calibration.is_physical:
        return {}
    known: dict[str, tuple[float | None, str]] = {
        "Y": (calibration.height, calibration.unit),
        "X": (calibration.width, calibration.unit),
        "Z": (calibration.depth, calibration.unit),
        "T": (calibration.interval, "second"),
    }
    found = [known.get(letter, (None, "")) for letter in letters]
    scale = tuple(1.0 if length is None else length for length, _ in found)
    return {"scale": scale, "units": tuple("pixel" if length is None else unit for length, unit in found)}


def as_layer(read: ReadFile) -> Image:
    """A file that was read as a layer, which knows where it is from as if napari had opened it."""
    with layer_source(path=str(read.path), reader_plugin="napari-patchfield"):
        return Image(read.pixels, **read.arguments)


def add_layer(viewer: ViewerModel, read: ReadFile) -> Image:
    """Add a file that was read to a viewer."""
    layer = as_layer(read)
    viewer.add_layer(layer)
    return layer


def thumbnail(stack: Stack) -> NDArray[np.uint8]:
    """A small picture of the middle plane of an image, (h, w, 3), at most 48 pixels on a side."""
    index = tuple(length // 2 for length in stack.lengths)
    step = max(1, -(-max(stack.shape) // THUMBNAIL))
    pixels = np.asarray(stack.pixels_at(index)[::step, ::step]).astype(np.float32)
    if pixels.ndim == 3:
        pixels = pixels[..., :3] if pixels.shape[-1] >= 3 else pixels[..., :1]
    finite = pixels[np.isfinite(pixels)]
    low, high = np.percentile(finite, (1, 99)) if finite.size else (0.0, 1.0)
    scaled = np.nan_to_num((pixels - low) / max(high - low, 1e-12), nan=0.0).clip(0, 1)
    grey = np.atleast_3d((255 * scaled).astype(np.uint8))
    return np.ascontiguousarray(np.broadcast_to(grey, (*grey.shape[:2], 3)))
