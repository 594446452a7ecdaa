"""Images that no other program has a file of: they are written into the project."""

from pathlib import Path

import numpy as np

from patchfield.atomic import atomic_path
from patchfield.errors import ProjectError
from patchfield.images import Stack, plane_indices, write_image

MAX_BYTES = 2**30
"""Of an image without a file; a larger one is better saved by whoever made it."""


def write_kept_image(path: Path, stack: Stack) -> None:
    """Write an image as a TIFF file with its axes, channels and calibration.

    Raises
    ------
    ProjectError
        When it is too large.
    OSError
        When the disk is full, or the folder cannot be written to.
    """
    planes = plane_indices(stack)
    size = len(planes) * stack.shape[0] * stack.shape[1] * stack.channels * np.dtype(stack.dtype).itemsize
    if size > MAX_BYTES:
        raise ProjectError(
            f"{stack.name} has no file and {size / 2**30:.1f} GB, too much to be kept in a project: save it as TIFF, "
            "and open that file."
        )
    pixels = np.stack([np.asarray(stack.pixels_at(index)[...]) for index in planes])
    colours, axes = stack.channels == 3 and pixels.dtype in (np.uint8, np.uint16), stack.axes
    if pixels.ndim == 4 and not colours:
        pixels, axes = np.moveaxis(pixels, -1, 1), f"{axes}C"
        pixels = pixels.reshape(*stack.lengths, *pixels.shape[1:])
    else:
        pixels = pixels.reshape(*stack.lengths, *pixels.shape[1:])
    with atomic_path(path) as temporary:
        write_image(temporary, pixels, stack.calibration, axes)
