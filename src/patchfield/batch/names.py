"""What the results of each image are called."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from patchfield.errors import ImageError, printable

_SCHEMES: tuple[Callable[[Path], str], ...] = (
    lambda path: path.stem,
    lambda path: f"{path.absolute().parent.name}_{path.stem}",
    lambda path: f"{path.stem}_{path.suffix.removeprefix('.')}",
    lambda path: f"{path.absolute().parent.name}_{path.name.replace('.', '_')}",
    lambda path: "_".join(part.replace(".", "_") for part in path.absolute().parts[1:]),
)
"""From the plain to the unmistakable."""


def output_names(
    images: Sequence[Path], owner: Callable[[str], Path | None] = lambda name: None, without: str = ""
) -> dict[Path, str]:
    """A different name for every image's results: its stem; with its folder or suffix only where stems repeat.

    Names that differ in nothing but capitals count as equal, as some file systems have it.

    Parameters
    ----------
    images : sequence of Path
        Different files.
    owner : callable, optional
        Gives the image (its real path, printable) that earlier results of a name are of, or None. An image keeps its
        name, and no other image is given it.
    without : str, optional
        An ending of stems that is not part of the name: ``_segmentation``.

    Raises
    ------
    ImageError
        When all names that could be made of an image's path are taken.

    Examples
    --------
    >>> list(output_names([Path("a/x.tif"), Path("b/x.tif"), Path("b/y.tif")]).values())
    ['a_x', 'b_x', 'y']
    """

    def short(image: Path) -> Path:
        stem = image.stem.removesuffix(without)
        return image.with_name(f"{stem}{image.suffix}") if stem else image

    names: dict[Path, str] = {}
    for image in images:
        real = Path(printable(os.path.realpath(image)))
        kept = next((name for name in (scheme(short(image)) for scheme in _SCHEMES) if owner(name) == real), None)
        if kept is not None:
            names[image] = kept
    taken = {name.casefold() for name in names.values()}
    for scheme in _SCHEMES:
        proposed = {image: scheme(short(image)) for image in images if image not in names}
        wanted = Counter(name.casefold() for name in proposed.values())
        for image, name in proposed.items():
            if wanted[name.casefold()] == 1 and name.casefold() not in taken and owner(name) is None:
                names[image] = name
        taken |= {name.casefold() for name in names.values()}
    unnamed = [image for image in images if image not in names]
    if unnamed:
        raise ImageError(f"All names for the results of {unnamed[0]} are those of other images: write elsewhere.")
    return {image: names[image] for image in images}
