"""Images that moved, and projects that move."""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from patchfield.atomic import atomic_path
from patchfield.errors import ImageError, ProjectError
from patchfield.store.content import FileMark, is_there, size_and_time
from patchfield.store.description import Description
from patchfield.store.folder import ProjectFolder
from patchfield.store.image import ProjectImage


def find_again(lost: Sequence[ProjectImage], where: Path, accept: bool) -> list[ProjectImage]:
    """The images among `lost` that are found in a folder, at all depths, or are a file: at their new place.

    A file is an image that was lost if it has its content; files of its name are looked at first, then those of its
    size. With `accept`, a file of its name and shape stands for it whatever its content is.

    Raises
    ------
    ProjectError
        When there is no such folder or file.
    """
    if not is_there(where):
        raise ProjectError(f"There is no folder or file {where}: check the path.")
    files = list(_candidates(where))
    found: list[ProjectImage] = []
    for image in lost:
        named = [file for file in files if file.name == image.path.name]
        others = [file for file in files if file not in named]
        marks = (_mark_if_same(image, file) for file in (*named, *others))
        at = next((replace(image, path=path, mark=mark) for path, mark in filter(None, marks)), None)
        if at is None and accept:
            edited = (_accepted(image, file) for file in named)
            at = next(filter(None, edited), None)
        if at is not None:
            found.append(at)
    return found


def check_not_inside(target: Path, project: Path) -> None:
    """Refuse to save a project into itself.

    Raises
    ------
    ProjectError
    """
    if target.is_relative_to(project):
        raise ProjectError(f"{target} is the project itself or lies in it: give another place.")


def with_kept_images(description: Description, before: ProjectFolder, after: ProjectFolder) -> Description:
    """Copy images that have no file but the one in a project to its new folder; gives where they are then.

    Raises
    ------
    OSError
        When the disk is full.
    """
    images = dict(description.images)
    for image in images.values():
        if image.path == before.kept_image(image.id):
            copied = after.kept_image(image.id)
            with atomic_path(copied) as temporary:
                shutil.copy2(image.path, temporary)
            images[image.id] = replace(image, path=copied)
    return replace(description, images=images)


def _candidates(where: Path) -> Iterator[Path]:
    if where.is_file() or where.suffix.lower() == ".zarr":
        yield where
        return
    for root, folders, names in os.walk(where):
        yield from (Path(root, name) for name in sorted(names))
        yield from (Path(root, name) for name in sorted(folders) if name.lower().endswith(".zarr"))
        folders[:] = sorted(name for name in folders if not name.lower().endswith((".zarr", ".patchfield")))


def _mark_if_same(image: ProjectImage, file: Path) -> tuple[Path, FileMark] | None:
    """The mark of a file that has the content of an image; one of another size is not read."""
    try:
        if not is_there(file) or size_and_time(file)[0] != image.mark.size:
            return None
        mark = FileMark.from_file(file)
    except OSError:
        return None  # what cannot be read is not it
    return (file, mark) if mark.content == image.mark.content else None


def _accepted(image: ProjectImage, file: Path) -> ProjectImage | None:
    """An image with the content of another file, if that has its shape and axes."""
    try:
        moved = replace(image, path=file, mark=FileMark.from_file(file))
        return moved if moved.open().shape == image.shape else None
    except (OSError, ImageError):
        return None


def listed(images: Iterable[ProjectImage], limit: int = 3) -> str:
    """The first few names.

    Examples
    --------
    >>> listed([])
    ''
    """
    names = [image.name for image in images]
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
