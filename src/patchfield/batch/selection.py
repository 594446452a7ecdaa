"""Which files are meant: those of folders and patterns, each once, without what only lies beside them."""

import glob
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from patchfield.errors import ImageError, LabelError, PatchfieldError
from patchfield.images import ARRAY_SUFFIXES, IMAGE_SUFFIXES, OUTLINE_SUFFIXES
from patchfield.images.roles import FileRole, file_role

_SEARCHED = IMAGE_SUFFIXES | (ARRAY_SUFFIXES - {".npz", ".ilp"})
_SEARCHED_FOR_LABELS = IMAGE_SUFFIXES | ARRAY_SUFFIXES | (OUTLINE_SUFFIXES - {".json"})
"""What folders and patterns stand for; a file that is named may be of any kind."""

PAINTED_FIRST = (FileRole.STROKES, FileRole.MASK)
MASKS_FIRST = (FileRole.MASK, FileRole.STROKES)


@dataclass(frozen=True)
class ImageFiles:
    """Image files, and files that a search found beside them and left aside.

    Attributes
    ----------
    files : tuple of Path
    left_aside : tuple of Path
        Labels, masks and results of earlier runs, by their names (:func:`patchfield.images.roles.file_role`).
    """

    files: tuple[Path, ...]
    left_aside: tuple[Path, ...] = ()


def find_images(arguments: Iterable[str | Path], labels: Collection[Path] = ()) -> ImageFiles:
    """Files, folders and patterns (``*.tif``, ``**`` for all depths) as a list of files, each once, in order.

    A folder stands for the image files directly in it. Of what a folder or pattern holds, files whose names say that
    they are labels, masks or results are left aside, unless a pattern fits nothing else. A file that is named is kept
    even if it does not exist, so that it can be reported with the others that fail. Files are told apart by where they
    really are: two spellings of one path, or a link in a loop of folders, are one file.

    Parameters
    ----------
    arguments : iterable of str or Path
    labels : collection of Path, optional
        Files that are used as labels, and thus are no images.

    Raises
    ------
    ImageError
        When an argument is empty, or a folder or pattern holds no image.
    """
    images: dict[str, Path] = {}
    aside: dict[str, Path] = {}
    used = {os.path.realpath(file) for file in labels}
    for argument in arguments:
        searched, files = _files_of(argument, _SEARCHED, ImageError)
        others = [file for file in files if searched and file_role(file, _searched_folder(argument)) != FileRole.IMAGE]
        if glob.has_magic(str(argument)) and len(others) == len(files):
            others = []  # a pattern such as mask_*.tif means what it says
        chosen = [file for file in files if file not in others]
        if not chosen:
            beside = f" but {len(others)} file(s) that are labels or results by their names" if others else ""
            raise ImageError(
                f"{argument} holds no image file (TIFF, PNG, JPEG){beside}: give files, folders or patterns."
            )
        for file in chosen:
            images.setdefault(os.path.realpath(file), file)
        for file in others:
            aside.setdefault(os.path.realpath(file), file)
    return ImageFiles(
        tuple(file for real, file in images.items() if real not in used),
        tuple(file for real, file in aside.items() if real not in used and real not in images),
    )


def find_labels(argument: str | Path, preferred: Sequence[FileRole] = PAINTED_FIRST) -> list[Path]:
    """The label files that a file, a folder or a pattern stands for.

    A folder may hold images, strokes and masks together: then those of the first preferred role that occurs are meant.

    Raises
    ------
    LabelError
        When there are none.
    """
    searched, files = _files_of(argument, _SEARCHED_FOR_LABELS, LabelError)
    if not files or not (searched or files[0].exists()):
        raise LabelError(f"{argument} holds no label file: give a label image (TIFF, PNG), or a folder of them.")
    if searched:
        roles = {file: file_role(file, _searched_folder(argument)) for file in files}
        for role in preferred:
            files = [file for file in files if roles[file] == role] or files
            if roles[files[0]] == role:
                break
    return list({os.path.realpath(file): file for file in files}.values())


def find_segmentations(arguments: Iterable[str | Path]) -> list[Path]:
    """The segmentation files that files, folders and patterns stand for, each once.

    Of a folder, its ``NAME_segmentation`` files are meant where there are any, and otherwise all of its images but
    what was made of them (``NAME_objects``, ``NAME_sizes``).

    Raises
    ------
    LabelError
        When there are none.
    """
    found: dict[str, Path] = {}
    for argument in arguments:
        files = find_labels(argument, ())
        if Path(argument).is_dir():
            named = [file for file in files if file.stem.endswith("_segmentation")]
            others = [file for file in files if not file.stem.endswith(("_objects", "_sizes"))]
            files = named or others or files
        for file in files:
            found.setdefault(os.path.realpath(file), file)
    return list(found.values())


def _files_of(argument: str | Path, suffixes: frozenset[str], error: type[PatchfieldError]) -> tuple[bool, list[Path]]:
    """Whether `argument` had to be searched, and its files."""
    if not str(argument):
        raise error("An empty path was given: is a variable of your shell not set?")
    path = Path(argument)
    if path.is_dir() and not _is_array_folder(path):
        return True, [file for file in sorted(path.iterdir()) if _is_of_kind(file, suffixes)]
    if glob.has_magic(str(argument)) and not path.exists():
        names = sorted(glob.glob(str(argument), recursive=True))
        return True, [Path(name) for name in names if _is_of_kind(Path(name), suffixes)]
    return False, [path]


def _searched_folder(argument: str | Path) -> Path:
    """The folder below which names of folders say what files are for: the one that was named."""
    if not glob.has_magic(str(argument)):
        return Path(argument)
    plain: list[str] = []
    for part in Path(argument).parts[:-1]:
        if glob.has_magic(part):
            break
        plain.append(part)
    return Path(*plain)


def _is_of_kind(file: Path, suffixes: frozenset[str]) -> bool:
    if file.suffix.lower() not in suffixes or file.name.startswith("."):
        return False
    return file.is_file() or _is_array_folder(file)


def _is_array_folder(path: Path) -> bool:
    """Whether a folder is one image: Zarr keeps it in many files."""
    return path.suffix.lower() == ".zarr" and path.is_dir()
