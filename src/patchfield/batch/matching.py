"""Which label file belongs to which image."""

from collections.abc import Callable, Sequence
from pathlib import Path

from patchfield.errors import LabelError
from patchfield.images.roles import bare_name


def match_labels(images: Sequence[Path], labels: Sequence[Path], what: str = "label files") -> dict[Path, Path]:
    """The label file of every image that has one; no label file serves two images.

    One label file for one image needs no matching name. Otherwise a label file belongs to the image of the same name,
    where words such as "image", "labels", "strokes" or "mask" at either end do not count: ``image_3.tif`` goes with
    ``strokes_3.png`` and ``cells.tif`` with ``cells labels.tif``. Where names repeat, a label file of the image's own
    folder, or of a folder in it or beside it, comes first.

    Parameters
    ----------
    images, labels : sequence of Path
    what : str
        How error messages call the label files.

    Raises
    ------
    LabelError
        When no label file fits, two fit one image, or one fits two images.

    Examples
    --------
    >>> matched = match_labels([Path("image_1.tif"), Path("image_2.tif")], [Path("strokes_2.png")])
    >>> [(image.name, labels.name) for image, labels in matched.items()]
    [('image_2.tif', 'strokes_2.png')]
    """
    if len(labels) == 1 and len(images) == 1:
        return {images[0]: labels[0]}
    matched: dict[Path, Path] = {}
    for key in (_exact, bare_name):
        for near in (True, False):
            _match_level(images, labels, key, near, matched, what)
    if not matched:
        raise LabelError(f"None of the {what} ({labels[0].name}, ...) has the name of one of the images.")
    return {image: matched[image] for image in images if image in matched}


def _match_level(
    images: Sequence[Path],
    labels: Sequence[Path],
    key: Callable[[Path], str],
    near: bool,
    matched: dict[Path, Path],
    what: str,
) -> None:
    """Match what is still free and has the same key, at first only what lies near by."""
    taken = set(matched.values())
    free: dict[str, list[Path]] = {}
    for file in labels:
        if file not in taken:
            free.setdefault(key(file), []).append(file)
    claims: dict[Path, list[Path]] = {}
    for image in images:
        if image in matched:
            continue
        fitting = [file for file in free.get(key(image), ()) if not near or _is_near(image, file)]
        if len(fitting) > 1:
            names = ", ".join(str(file) for file in fitting)
            raise LabelError(f"{image} has several {what} ({names}): give a pattern that fits only one of them.")
        if fitting:
            claims.setdefault(fitting[0], []).append(image)
    for file, claiming in claims.items():
        if len(claiming) > 1:
            names = " and ".join(str(image) for image in claiming)
            raise LabelError(f"{file} fits {names}: one of the {what} belongs to one image, so name them apart.")
        matched[claiming[0]] = file


def _is_near(image: Path, labels: Path) -> bool:
    """Whether labels lie in the image's folder, in one inside it, or in one beside it."""
    own, other = image.absolute().parent, labels.absolute().parent
    return other == own or other.parent == own or (other != own and other.parent == own.parent)


def _exact(path: Path) -> str:
    return path.stem
