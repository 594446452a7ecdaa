"""Image layers as files, for processes that cannot see the layers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from patchfield.atomic import atomic_path
from patchfield.images import IMAGE_SUFFIXES, PlaneIndex, model_image
from patchfield.napari.layers.stack import LayerStack

_CLASSIC_BYTES = 2**32 - 2**25
"""Larger files are written as BigTIFF."""


def file_of(source: LayerStack) -> Path | None:
    """The file that holds just what is seen of a layer, and says so itself.

    None where there is no such file, where only some of its channels are seen, or where a person had to say what its
    axes mean.
    """
    path = source.file
    is_chosen = source.settings.channels is not None or source.settings.axes is not None
    if path is None or is_chosen or path.suffix.lower() not in IMAGE_SUFFIXES:
        return None
    return path.resolve()


def write_layer(source: LayerStack, path: Path) -> Iterator[int]:
    """Write all planes of a layer, its chosen channels only, as one uncompressed TIFF, whole or not at all.

    Yields
    ------
    int
        Planes written so far, after each of them; close the iterator to give up.

    Raises
    ------
    ImageError
        When the layer cannot be used as an image.
    """
    indices = source.indices()
    channels = model_image(source, source.settings, indices[0]).channels
    big = _plane(source, indices[0], channels).nbytes * len(indices) > _CLASSIC_BYTES
    with atomic_path(path) as temporary, tifffile.TiffWriter(temporary, bigtiff=big) as file:
        for done, index in enumerate(indices, start=1):
            pixels = _plane(source, index, channels)
            file.write(pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack", contiguous=True)
            yield done


def _plane(source: LayerStack, index: PlaneIndex, channels: tuple[int, ...]) -> NDArray[Any]:
    """(H, W) or (H, W, 3), of a type that TIFF knows."""
    pixels = np.asarray(source.pixels_at(index)[...])
    if pixels.ndim == 3:
        pixels = pixels[..., channels[0]] if len(channels) == 1 else pixels[..., list(channels)]
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * 255
    return pixels if pixels.dtype in (np.uint8, np.uint16, np.int16) else pixels.astype(np.float32)
