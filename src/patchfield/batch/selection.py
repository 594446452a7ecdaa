"""Which files are meant: images of folders and patterns, and the label file of every image."""

import glob
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from patchfield.errors import ImageError, LabelError
from patchfield.images import IMAGE_SUFFIXES

RESULT_ENDINGS = ("_segmentation", "_probability", "_pca")
"""What our own results are called after their image; folders are not searched for them."""

_ROLE = re.compile(
    r"^(image|img|labels?|strokes?|scribbles?|masks?|annotations?)[ _.-]+"
    r"|[ _.-]+(image|img|labels?|strokes?|scribbles?|masks?|annotations?|segmentation)$",
    re.IGNORECASE,
)


def find_images(arguments: Iterable[str | Path]) -> list[Path]:
    """Files, folders and patterns (``*.tif``, ``**`` for all depths) as a list of files, each once, in order.

    A folder stands for the image files directly in it, without the results of earlier runs. A file that is named is
    kept even if it does not exist, so that it can be reported with the others that fail.

    Raises
    ------
    ImageError
        When a folder or pattern holds no image.
    """
    found: dict[Path, None] = {}
    for argument in arguments:
        searched, files = _files_of(argument)
        if searched:
            files = [file for file in files if not file.stem.endswith(RESULT_ENDINGS)]
        if not files:
            raise ImageError(f"{argument} holds no image file (TIFF, PNG, JPEG).")
        found |= dict.fromkeys(files)
    return list(found)


def find_labels(argument: str | Path) -> list[Path]:
    """The label files that a file, a folder or a pattern stands for.

    Raises
    ------
    LabelError
        When there are none.
    """
    searched, files = _files_of(argument)
    if not files or not (searched or files[0].exists()):
        raise LabelError(f"{argument} holds no label file: give a label image (TIFF, PNG), or a folder of them.")
    return files


def match_labels(images: Sequence[Path], labels: Sequence[Path]) -> dict[Path, Path]:
    """The label file of every image that has one.

    One label file for one image needs no matching name. Otherwise a label file belongs to the image of the same name,
    where words such as "image", "labels", "strokes" or "mask" at either end do not count: ``image_3.tif`` goes with
    ``strokes_3.png`` and ``cells.tif`` with ``cells labels.tif``.

    Raises
    ------
    LabelError
        When no label file fits, or two fit one image.
    """
    if len(labels) == 1 and len(images) == 1:
        return {images[0]: labels[0]}
    matched: dict[Path, Path] = {}
    for image in images:
        exact = [file for file in labels if file.stem == image.stem]
        similar = exact or [file for file in labels if _bare(file) == _bare(image)]
        if len(similar) > 1:
            names = ", ".join(file.name for file in similar)
            raise LabelError(f"{image} has several label files ({names}): give a pattern that fits only one of them.")
        if similar:
            matched[image] = similar[0]
    if not matched:
        raise LabelError(f"None of the label files ({labels[0].name}, ...) has the name of one of the images.")
    return matched


def output_names(images: Sequence[Path]) -> dict[Path, str]:
    """A different name for every image's results: its stem, with the folder or the suffix where stems repeat.

    Examples
    --------
    >>> list(output_names([Path("a/x.tif"), Path("b/x.tif")]).values())
    ['a_x', 'b_x']
    """
    schemes = (
        lambda path: path.stem,
        lambda path: f"{path.parent.name}_{path.stem}",
        lambda path: "_".join([*path.parts[-2:-1], path.name.replace(".", "_")]),
        lambda path: "_".join(part.replace(".", "_") for part in path.absolute().parts[1:]),
    )
    for scheme in schemes:
        names = {image: scheme(image) for image in images}
        if len(set(names.values())) == len(names):
            return names
    raise ImageError("Two of the images have the same path.")


def _files_of(argument: str | Path) -> tuple[bool, list[Path]]:
    """Whether `argument` had to be searched, and its files."""
    path = Path(argument)
    if path.is_dir():
        return True, [file for file in sorted(path.iterdir()) if _is_image(file)]
    if glob.has_magic(str(argument)) and not path.exists():
        names = sorted(glob.glob(str(argument), recursive=True))
        return True, [Path(name) for name in names if _is_image(Path(name))]
    return False, [path]


def _is_image(file: Path) -> bool:
    return file.is_file() and file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")


def _bare(file: Path) -> str:
    return _ROLE.sub("", _ROLE.sub("", file.stem))
