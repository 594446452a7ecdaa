"""Where results may be written: never over what was read, nor over what Patchfield did not write."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from patchfield.atomic import TEMPORARY_PREFIX
from patchfield.errors import OutputError, error_sentence
from patchfield.images import read_provenance
from patchfield.probe import is_probe

MAX_NAME_BYTES = 255
"""What ext4, NTFS and APFS take."""

_TRIED_BYTES = 64 * 1024


def check_folder(folder: Path) -> None:
    """Make sure that files can be written into a folder, or into one that can be made there; nothing is left behind.

    Raises
    ------
    OutputError
        When a file is in the way, the disk is full, or it may not be written to.
    """
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        raise OutputError(f"{folder} cannot be made, because {existing} is a file: give another folder.")
    tried = existing / f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}"
    try:
        with tried.open("xb") as file:
            try:
                file.write(bytes(_TRIED_BYTES))
                file.flush()
            finally:
                tried.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(str(error_sentence(OSError(error.errno, error.strerror, str(folder))))) from None


def check_not_inputs(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse outputs that are inputs, in any spelling and through any link.

    Raises
    ------
    OutputError
    """
    read = {os.path.realpath(path) for path in inputs}
    for output in outputs:
        if os.path.realpath(output) in read:
            raise OutputError(f"{output} is one of the files that are read and would be replaced: write elsewhere.")


def check_lengths(outputs: Iterable[Path]) -> None:
    """Refuse names that are longer than what file systems take.

    Raises
    ------
    OutputError
    """
    for output in outputs:
        if len(os.fsencode(output.name)) > MAX_NAME_BYTES:
            raise OutputError(f"{output.name} would be too long a name: give the image a shorter one.")


def check_ours(outputs: Iterable[Path]) -> None:
    """Refuse to replace files that Patchfield did not write.

    Raises
    ------
    OutputError
    """
    for output in outputs:
        if os.path.lexists(output) and read_provenance(output) is None and not is_probe(output):
            raise OutputError(
                f"{output} was not written by Patchfield and would be replaced: move it, or write elsewhere."
            )
