"""Writing files whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY_PREFIX = ".patchfield-"
"""What the names of files that are being written begin with; one that stays behind is of a killed run."""

_TRIES = 100


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it when the block succeeds.

    When the block raises, the temporary file is removed and whatever stood at `path` before stays. What was written
    is on the disk before it takes the place of `path`, so that a power cut leaves the one or the other. The suffix is
    kept, because many writers choose the format by it; the rest of the temporary name is short and begins with
    :data:`TEMPORARY_PREFIX`. Parent folders are made.

    Raises
    ------
    OSError
        When the folder cannot be made or written to; it names `path`.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "new" / "notes.txt"
    >>> with atomic_path(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _create_beside(path)
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary), os.fsencode(temporary)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error  # the name that the user knows
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path` that replaces it when the block succeeds.

    As :func:`atomic_path`, for a folder of files. A folder that stood at `path` is gone only once the new one is there.

    Raises
    ------
    OSError
        When the folder cannot be made or written to; it names `path`.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "new"
    >>> with atomic_folder(target) as temporary:
    ...     _ = (temporary / "notes.txt").write_text("whole")
    >>> (target / "notes.txt").read_text()
    'whole'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}{path.suffix}")
    before = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}{path.suffix}")
    try:
        temporary.mkdir()
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _flush(file)
        if path.exists():
            path.rename(before)
        try:
            temporary.rename(path)
        except OSError:
            if before.exists():
                before.rename(path)
            raise
        _flush_folder(path.parent)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error  # the name that the user knows
    finally:
        for folder in (temporary, before):
            shutil.rmtree(folder, ignore_errors=True)


def _create_beside(path: Path) -> Path:
    """An empty file of a new name in the folder of `path`, with the permissions of any other new file."""
    for _ in range(_TRIES):
        temporary = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}{path.suffix}")
        try:
            # The kernel applies the umask; to read it, it would have to be changed for all threads of the process.
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            continue
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error  # the name that the user knows
        return temporary
    raise FileExistsError(f"no free temporary name in {path.parent}")


def _flush(path: Path) -> None:
    """Wait until a file is on the disk."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_folder(folder: Path) -> None:
    """Wait until a file's new name is on the disk, where folders can be opened (not on Windows)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        pass  # some network file systems cannot; the file itself is safe
    finally:
        os.close(handle)
