"""Empty label arrays that take memory only where something is written into them."""

import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

MAX_IN_MEMORY = 2**31
"""Bytes; a larger array lies in a sparse temporary file, for a system may refuse to promise so much memory."""


def blank(shape: tuple[int, ...], dtype: DTypeLike = np.uint8) -> NDArray[np.integer]:
    """An array of zeros, of which only the pages that are written to ever exist.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype

    Raises
    ------
    OSError
        When it is large and there is no room for its file.

    Examples
    --------
    >>> int(blank((3, 4, 5)).sum())
    0
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if size <= MAX_IN_MEMORY:
        zeros: NDArray[np.integer] = np.zeros(shape, dtype)
        return zeros
    handle, name = tempfile.mkstemp(prefix=".patchfield-", suffix=".labels")
    os.close(handle)
    mapped: NDArray[np.integer] = np.memmap(name, dtype, "w+", shape=shape)
    if os.name != "nt":  # there a file that is open keeps its name
        Path(name).unlink()
    return mapped
