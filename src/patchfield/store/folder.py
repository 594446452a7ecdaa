"""The folder of a project: what its files are called, who may write there, and what may be deleted."""

import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from patchfield.atomic import TEMPORARY_PREFIX
from patchfield.errors import ProjectError
from patchfield.images import PlaneIndex
from patchfield.store.description import DESCRIPTION, VIEW
from patchfield.store.plane_files import plane_name, plane_of

SUFFIX = ".patchfield"
LOCK = "project.lock"
PROBE = "probe.probe"
LABELS, IMAGES = "labels", "images"

RECOVERY_VARIABLE = "PATCHFIELD_RECOVERY"
"""Environment variable with the folder of projects that are not saved yet."""


def recovery_folder() -> Path:
    """Where unsaved projects live: ``$PATCHFIELD_RECOVERY``, or ``~/.local/share/patchfield/recovery``.

    No cache, for caches are emptied without asking.
    """
    default = Path.home() / ".local" / "share" / "patchfield" / "recovery"
    return Path(os.path.abspath(os.environ.get(RECOVERY_VARIABLE) or default))


class ProjectFolder:
    """A project's folder; held by one process at a time where it is written to.

    Only files whose names this class makes are written or deleted, and only in folders that are really inside: a
    project from elsewhere may hold links.

    Parameters
    ----------
    path : Path
        Absolute.
    read_only : bool

    Raises
    ------
    ProjectError
        When another process, or another window of this one, writes to it.
    OSError
        When it cannot be written to.
    """

    def __init__(self, path: Path, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self._lock: FileLock | None = None
        if not read_only:
            self._lock = _acquired(path)
            self._remove_unfinished()

    @property
    def probe(self) -> Path:
        """The file of the probe."""
        return self.path / PROBE

    def plane(self, image: str, index: PlaneIndex) -> Path:
        """The file of a plane's labels."""
        return self._inside(self.path / LABELS / image / plane_name(index))

    def kept_image(self, image: str) -> Path:
        """The file of an image that has no other file than this one."""
        return self._inside(self.path / IMAGES / f"{image}.tif")

    def planes(self, image: str) -> set[PlaneIndex]:
        """The planes of an image that have a file."""
        folder = self._inside(self.path / LABELS / image / "p.npz").parent
        if not folder.is_dir():
            return set()
        found = (plane_of(entry.name) for entry in os.scandir(folder))
        return {index for index in found if index is not None}

    def remove(self, file: Path) -> None:
        """Delete a file of this folder."""
        self._inside(file).unlink(missing_ok=True)

    def remove_image(self, image: str) -> None:
        """Delete what is kept of an image: its labels, and its pixels where they are here."""
        for index in self.planes(image):
            self.remove(self.plane(image, index))
        _remove_if_empty(self.plane(image, ()).parent)
        self.remove(self.kept_image(image))

    def remove_all(self, images: list[str]) -> None:
        """Delete all of our files, and the folder itself unless other files are in it."""
        self._remove_unfinished()
        # First what makes it a project: half of one would be offered for recovery.
        for name in (DESCRIPTION, VIEW, PROBE):
            self.remove(self.path / name)
        for image in images:
            self.remove_image(image)
        self.close()
        self.remove(self.path / LOCK)
        for folder in (self.path / LABELS, self.path / IMAGES, self.path):
            if not folder.is_symlink():
                _remove_if_empty(folder)

    @property
    def is_held(self) -> bool:
        """Whether it may be written to."""
        return self._lock is not None

    def close(self) -> None:
        """Let others write."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _inside(self, file: Path) -> Path:
        """The file itself, once it is clear that no link leads out of the project on the way to it."""
        for parent in file.relative_to(self.path).parents[:-1]:
            if (self.path / parent).is_symlink():
                raise ProjectError(
                    f"{self.path / parent} is a link that may lead out of the project: put a real folder there."
                )
        return file

    def _remove_unfinished(self) -> None:
        """Delete what a process left that was killed while it wrote; nobody else writes here now."""
        for folder in self._folders():
            for entry in os.scandir(folder):
                if entry.name.startswith(TEMPORARY_PREFIX) and entry.is_file(follow_symlinks=False):
                    Path(entry.path).unlink(missing_ok=True)

    def _folders(self) -> Iterator[Path]:
        yield self.path
        for name in (LABELS, IMAGES):
            folder = self.path / name
            if folder.is_dir() and not folder.is_symlink():
                yield folder
                if name == LABELS:
                    yield from (Path(entry.path) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))


def make_folder(path: Path) -> None:
    """Make the folder of a new project.

    Raises
    ------
    ProjectError
        When the name is not NAME.patchfield, or something is there already.
    OSError
        When it cannot be made.
    """
    if path.suffix != SUFFIX:
        raise ProjectError(f"{path} cannot be a project: its folder is called NAME{SUFFIX}.")
    if os.path.lexists(path) and not (path.is_dir() and all(_is_beginning(name) for name in os.listdir(path))):
        raise ProjectError(f"{path} is there already: open it, or give another name.")
    path.mkdir(parents=True, exist_ok=True)


def is_held(path: Path) -> bool:
    """Whether somebody writes to a project now."""
    if not (path / LOCK).exists():
        return False
    try:
        _acquired(path).release()
    except ProjectError:
        return True
    return False


def _is_beginning(name: str) -> bool:
    """Whether a file is what a process leaves that was killed while it made a project."""
    return name == LOCK or name.startswith(TEMPORARY_PREFIX)


def _acquired(path: Path) -> FileLock:
    file = path / LOCK
    if file.is_symlink():
        raise ProjectError(f"{file} is a link, which no project of ours has: delete it.")
    lock = FileLock(file, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ProjectError(
            f"The project {path} is open in another window or program: close it there, or open it read-only."
        ) from None
    except NotImplementedError:
        raise ProjectError(f"The disk of {path} cannot lock files: copy the project to a local disk.") from None
    return lock


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        pass  # there is more in it, or it is gone already
