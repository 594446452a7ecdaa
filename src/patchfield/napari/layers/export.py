"""Image layers as files, for processes that cannot see the layers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile

from patchfield.atomic import atomic_path
from patchfield.images import IMAGE_SUFFIXES
from patchfield.napari.layers.stack import ImageSource, PlaneIndex

_CLASSIC_BYTES = 2**32 - 2**25
"""Larger files are written as BigTIFF."""


def file_of(source: ImageSource) -> Path | None:
    """The file that a layer shows just as it is; None when it has none, or one that only a reader of napari's reads."""
    path = source.layer.source.path
    if path is None or source.channels or Path(path).suffix.lower() not in IMAGE_SUFFIXES:
        return None
    return Path(path).resolve() if Path(path).is_file() else None


def write_layer(source: ImageSource, path: Path) -> Iterator[int]:
    """Write all planes of a layer as one uncompressed TIFF, whole or not at all.

    Yields
    ------
    int
        Planes written so far, after each of them; close the iterator to give up.

    Raises
    ------
    ImageError
        When the layer is nothing that a model can look at.
    """
    indices = list(source.indices())
    source.seen(indices[0])
    big = _plane(source, indices[0]).nbytes * len(indices) > _CLASSIC_BYTES
    with atomic_path(path) as temporary, tifffile.TiffWriter(temporary, bigtiff=big) as file:
        for done, index in enumerate(indices, start=1):
            pixels = _plane(source, index)
            file.write(pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack", contiguous=True)
            yield done


def _plane(source: ImageSource, index: PlaneIndex) -> np.ndarray:
    """(H, W) or (H, W, 3), of a type that TIFF knows."""
    pixels = np.asarray(source.pixels(index))
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * 255
    return pixels if pixels.dtype in (np.uint8, np.uint16, np.int16) else pixels.astype(np.float32)
