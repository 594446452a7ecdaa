"""What a file is for, by its name: an image, labels painted on one, or a result of ours.

The one rule for everything that searches folders: the command line, training, evaluation.
"""

import re
from enum import Enum
from pathlib import Path


class FileRole(Enum):
    """What a file is for."""

    IMAGE = "image"
    STROKES = "strokes"
    """Sparse labels, as a person paints them."""
    MASK = "mask"
    """The class of every pixel, to compare with."""
    OBJECTS = "objects"
    """The number of every object."""
    RESULT = "result"
    """Written by an earlier run."""


LABEL_ROLES = frozenset({FileRole.STROKES, FileRole.MASK, FileRole.OBJECTS})

_WORDS = {
    FileRole.RESULT: r"segmentation|probability|pca|sizes",
    FileRole.STROKES: r"strokes?|scribbles?|annotations?|labels?",
    FileRole.OBJECTS: r"objects?|instances?|cp[ _]masks",
    FileRole.MASK: r"masks?|segmentations?|ground[ _-]?truth|gt",
    FileRole.IMAGE: r"images?|img",
}


def _beginning(words: str) -> str:
    """A word that begins a name: set off, or followed by a number; "label-free" is a technique."""
    return rf"^(?:{words})(?!-free)(?:[ _.-]+|(?=\d)|$)"


def _ending(words: str) -> str:
    return rf"(?:^|[ _.-]+)(?:{words})$"


def _folder(words: str) -> str:
    """``masks``, ``train_masks`` and ``masks_train``, but not ``scribbles_steel``, which is what a set is called."""
    return rf"(?:.+[ _-])?(?:{words})(?:[ _-](?:train|training|test|testing|val|validation))?"


def file_role(path: Path, below: Path | None = None) -> FileRole:
    """What a file is for, by its own name and by those of its folders.

    A word such as "mask" counts at either end of the name, set off by a blank, ``_``, ``-`` or ``.``: ``mask_3.png``
    and ``cells labels.tif`` are labels, ``unmasked.png`` is an image. So is any file in a folder called ``masks``.

    Parameters
    ----------
    path : Path
    below : Path, optional
        Only folders below this one are asked for their names; all of them when left out.

    Examples
    --------
    >>> [file_role(Path(name)).value for name in ("image_3.tif", "mask_3.png", "strokes/3.png", "3_segmentation.tif")]
    ['image', 'mask', 'strokes', 'result']
    """
    stem = _stem(path)
    if re.search(_ending(_WORDS[FileRole.RESULT]), stem, re.IGNORECASE):
        return FileRole.RESULT
    for role in (FileRole.OBJECTS, FileRole.STROKES, FileRole.MASK):
        if re.search(f"{_beginning(_WORDS[role])}|{_ending(_WORDS[role])}", stem, re.IGNORECASE):
            return role
    folders = path.parent.relative_to(below) if below is not None and path.is_relative_to(below) else path.parent
    for role in (FileRole.OBJECTS, FileRole.STROKES, FileRole.MASK):
        if any(re.fullmatch(_folder(_WORDS[role]), folder, re.IGNORECASE) for folder in folders.parts):
            return role
    return FileRole.IMAGE


def bare_name(path: Path) -> str:
    """The name of a file without its suffix and the words that say what it is for.

    Examples
    --------
    >>> bare_name(Path("image_3.tif")), bare_name(Path("strokes_3.png")), bare_name(Path("3_segmentation.tif"))
    ('3', '3', '3')
    """
    words = "|".join(_WORDS.values())
    name = _stem(path)
    for _ in range(2):  # "image_3_labels_segmentation": up to two words at either end
        name = re.sub(_beginning(words), "", re.sub(_ending(words), "", name, flags=re.IGNORECASE), flags=re.IGNORECASE)
    return name


def _stem(path: Path) -> str:
    """The name without its suffix, and without the ``.ome`` before it."""
    return re.sub(r"\.ome$", "", path.stem, flags=re.IGNORECASE)
