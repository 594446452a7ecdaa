"""The net around decoders: whatever they raise on a damaged file becomes one sentence."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from zipfile import BadZipFile

import tifffile
from PIL import UnidentifiedImageError

from patchfield.errors import ImageError

_RAISED_BY_DECODERS = (
    *(
        OSError,
        EOFError,
        ValueError,
        TypeError,
        LookupError,
        ArithmeticError,
        RuntimeError,
        SyntaxError,
        AssertionError,
    ),
    *(AssertionError, struct.error, zlib.error, tifffile.TiffFileError, BadZipFile, TokenError),
)
"""What Pillow, tifffile, imagecodecs, numpy and h5py raise on damaged files, found by cutting and corrupting files."""

MAX_CLAIMED_BYTES = 2**30
MAX_EXPANSION = 2000
"""Deflate makes files smaller by a factor of 1032 at best; no micrograph comes near it."""


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises about the file at `path` into one sentence.

    Only calls into decoders belong inside: an error of our own must not be called a damaged file.

    Raises
    ------
    ImageError
        In place of what the decoder raised.
    """
    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(f"{path} is not an image this can read: save it as TIFF, PNG or JPEG.") from None
    except PermissionError:
        raise ImageError(f"{path} may not be read: check its permissions.") from None
    except MemoryError as error:
        raise ImageError(f"{path} needs more memory than there is: close programs, or crop the image.") from error
    except _RAISED_BY_DECODERS as error:
        printable = "".join(letter if letter.isprintable() else " " for letter in str(error))
        reason = " ".join(printable.split())[:200] or type(error).__name__
        raise ImageError(f"{path} cannot be read, it seems damaged or unsupported ({reason}).") from error


def check_claim(path: Path, shape: tuple[int, ...], nbytes: int) -> None:
    """Refuse a small file whose header claims a huge image, before memory is taken for it.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        What the file claims, for the sentence.
    nbytes : int
        What has to be decoded at once, a page or a frame.

    Raises
    ------
    ImageError
        When the file would have to be packed more tightly than compression of pictures can.
    """
    held = path.stat().st_size
    if nbytes > MAX_CLAIMED_BYTES and nbytes > MAX_EXPANSION * held:
        size = " x ".join(str(length) for length in shape)
        raise ImageError(
            f"{path} claims an image of {size} ({nbytes / 2**30:.1f} GiB) in a file of {held} bytes: it seems damaged "
            "or made to fill the memory."
        )
