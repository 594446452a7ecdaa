"""Projects that were never saved: they live in a folder of their own until they are saved or discarded."""

import time
from dataclasses import dataclass
from pathlib import Path

from patchfield.errors import PatchfieldError
from patchfield.store.description import DESCRIPTION, read_description
from patchfield.store.folder import SUFFIX, ProjectFolder, is_held, recovery_folder
from patchfield.store.plane_files import read_plane


@dataclass(frozen=True)
class Recoverable:
    """A project that a window left without saving it, for example because it was killed.

    Attributes
    ----------
    path : Path
        For :meth:`patchfield.Project.open`.
    time : float
        When it was written to last, in seconds since 1970.
    images : tuple of str
        Names of its images.
    strokes : int
        How many changes made its labels: strokes, fills, erasures.
    problem : str
        Why it cannot be opened, a sentence; "" where it can.
    """

    path: Path
    time: float
    images: tuple[str, ...] = ()
    strokes: int = 0
    problem: str = ""


def recoverable() -> list[Recoverable]:
    """The unsaved projects that no window has open, the newest first; those without a stroke are left out.

    Examples
    --------
    >>> recoverable()
    []
    """
    folder = recovery_folder()
    paths = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
    found = [_summary(path) for path in paths if (path / DESCRIPTION).is_file() and not is_held(path)]
    return sorted((each for each in found if each.strokes or each.problem), key=lambda each: -each.time)


def new_recovery_path() -> Path:
    """Where a project can be made that is not saved yet."""
    stem = time.strftime("%Y-%m-%d %H.%M.%S")
    path = recovery_folder() / f"{stem}{SUFFIX}"
    number = 1
    while path.exists():
        number += 1
        path = path.with_name(f"{stem} ({number}){SUFFIX}")
    return path


def _summary(path: Path) -> Recoverable:
    times = [file.stat().st_mtime for file in path.rglob("*") if file.is_file()]
    newest = max(times, default=0.0)
    try:
        images = read_description(path).images.values()
        folder = ProjectFolder(path, read_only=True)
        strokes = sum(
            read_plane(folder.plane(image.id, index), image.shape).strokes
            for image in images
            for index in folder.planes(image.id)
        )
    except PatchfieldError as error:
        return Recoverable(path, newest, problem=str(error))
    return Recoverable(path, newest, tuple(image.name for image in images), strokes)
