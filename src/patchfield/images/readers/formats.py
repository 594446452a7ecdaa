"""One way into every kind of file: its content, not its name, decides how it is read."""

from pathlib import Path

from patchfield.errors import ImageError
from patchfield.images.readers.arrays import is_array_file, read_array
from patchfield.images.readers.contents import Contents
from patchfield.images.readers.decoding import decoding
from patchfield.images.readers.pictures import read_picture
from patchfield.images.readers.tiff import is_tiff, read_tiff

IMAGE_SUFFIXES = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"})
"""What a search of a folder takes for images; a file that is named outright may be of any kind."""


def read_contents(path: Path, *, as_labels: bool = False, axes: str | None = None) -> Contents:
    """What a file holds, whatever its format.

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
        When there is no such file, or it cannot be read or understood.
    """
    if not path.exists():
        raise ImageError(f"{path} does not exist.")
    with decoding(path):
        array = is_array_file(path) if path.is_file() or path.is_dir() else False
        tiff = path.is_file() and is_tiff(path)
    if path.is_dir() and not array:
        raise ImageError(f"{path} is a folder: give an image file.")
    if not (path.is_file() or array):
        raise ImageError(f"{path} is not a file but a pipe or a device: save the image as a file first.")
    if array:
        contents = read_array(path, as_labels=as_labels, axes=axes)
    elif tiff:
        contents = read_tiff(path, as_labels=as_labels, axes=axes)
    else:
        contents = read_picture(path, as_labels=as_labels)
    shape = tuple(contents.planes.array.shape)
    if 0 in shape:
        raise ImageError(f"{path} holds an empty image (shape {shape[1:]}).")
    return contents
