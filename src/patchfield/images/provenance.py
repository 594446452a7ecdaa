"""What a file of results says about itself: that Patchfield wrote it, of what and with what."""

from pathlib import Path

import tifffile
from PIL import Image

from patchfield.errors import ImageError
from patchfield.images.readers.arrays import zarr_notes
from patchfield.images.readers.decoding import decoding
from patchfield.images.readers.pictures import picture_notes
from patchfield.images.readers.tiff import is_tiff, tiff_notes


def read_provenance(path: str | Path) -> dict[str, str] | None:
    """What a file of results was made of and with.

    Returns
    -------
    dict of str to str, or None
        Empty where the file says no more than that Patchfield wrote it; None for all other files, and for what cannot
        be read.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from patchfield.images import write_labels
    >>> path = Path(tempfile.mkdtemp()) / "a.tif"
    >>> write_labels(path, np.eye(4, dtype=int), provenance={"image": "scan.tif"})
    >>> read_provenance(path)
    {'image': 'scan.tif'}
    """
    path = Path(path)
    if path.is_dir():
        notes = zarr_notes(path)
        return None if notes is None else dict(notes.provenance)
    if not path.is_file():
        return None
    try:
        with decoding(path):
            if is_tiff(path):
                with tifffile.TiffFile(path) as file:
                    notes = tiff_notes(file)
            else:
                with Image.open(path) as image:
                    notes = picture_notes(image)
    except ImageError:
        return None
    return None if notes is None else dict(notes.provenance)
