"""Writing files whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it when the block succeeds.

    When the block raises, the temporary file is removed and whatever stood at `path` before stays.
    The suffix is kept, because many writers choose the format by it. Parent folders are made.

    Examples
    --------
    >>> with atomic_path("labels.tif") as temporary:          # doctest: +SKIP
    ...     tifffile.imwrite(temporary, labels)
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """The process's umask (mkstemp makes files private; results are meant to be shared as usual)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
