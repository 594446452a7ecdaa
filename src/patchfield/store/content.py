"""Whether a file is still the one that was painted on: its size, its time, and a hash of its content."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

WHOLE_BYTES = 2**26
"""Files up to 64 MiB are hashed as a whole."""

_BLOCK = 2**20
_BLOCKS = 16
_METADATA = frozenset({"zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata"})


@dataclass(frozen=True)
class FileMark:
    """What a file is known by.

    Attributes
    ----------
    size : int
        Bytes; of a folder (Zarr) those of all its files.
    modified : int
        When it was written to last, in nanoseconds since 1970.
    content : str
        Its :func:`content_hash`.
    """

    size: int
    modified: int
    content: str

    @classmethod
    def from_file(cls, path: Path) -> "FileMark":
        """The mark of a file, or of the folder of a Zarr image.

        Raises
        ------
        OSError
            When it cannot be read.
        """
        size, modified = size_and_time(path)
        return cls(size, modified, content_hash(path))


def is_there(path: Path) -> bool:
    """Whether an image can be at a path: a file or a folder, no device that could be read for ever."""
    return path.is_file() or path.is_dir()


def size_and_time(path: Path) -> tuple[int, int]:
    """Bytes, and the last time of writing in nanoseconds; of a folder the sum and the latest.

    Raises
    ------
    OSError
        When there is no such file.
    """
    states = [file.stat() for file in _files(path)] if path.is_dir() else [path.stat()]
    return sum(state.st_size for state in states), max((state.st_mtime_ns for state in states), default=0)


def content_hash(path: Path) -> str:
    """A hash of an image's content that takes a moment at any size.

    SHA-256 of the whole file up to 64 MiB; of larger files of the size and of 16 blocks of 1 MiB, the first, the last,
    and others at even distances. Of a folder: names and sizes of all files, what the metadata files hold, and the
    content of 16 others at even distances.

    Raises
    ------
    OSError
        When it cannot be read.

    Examples
    --------
    >>> _ = Path("a.bin").write_bytes(b"scan")
    >>> content_hash(Path("a.bin"))[:19]
    'sha256:59ad1b2fc742'
    """
    digest = sha256()
    if not path.is_dir():
        _add_file(digest.update, path)
        return f"sha256:{digest.hexdigest()}"
    files = _files(path)
    chosen = {files[number * (len(files) - 1) // (_BLOCKS - 1)] for number in range(_BLOCKS)} if files else set()
    for file in files:
        digest.update(
            f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\0".encode("utf-8", "surrogateescape")
        )
        if file in chosen or file.name in _METADATA:
            _add_file(digest.update, file)
    return f"sha256:{digest.hexdigest()}"


def _add_file(update: Callable[[bytes], None], path: Path) -> None:
    """Feed a file to a hash, or its size and blocks of it where it is large."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= WHOLE_BYTES:
            while block := file.read(_BLOCK):
                update(block)
            return
        update(f"{size}\0".encode())
        for number in range(_BLOCKS):
            file.seek(number * (size - _BLOCK) // (_BLOCKS - 1))
            update(file.read(_BLOCK))


def _files(folder: Path) -> list[Path]:
    """All files below a folder, in a fixed order; links are not followed out of it."""
    found = [Path(root, name) for root, _, names in os.walk(folder) for name in names]
    return sorted(file for file in found if file.is_file())
