"""The images of a run: found in folders, opened once to learn what they are, read again while training."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from patchfield.atomic import atomic_path
from patchfield.errors import ImageError
from patchfield.images import (
    IMAGE_SUFFIXES,
    ImageSettings,
    Micrograph,
    ModelImage,
    model_image,
    plane_indices,
    read_image,
)
from patchfield.images.roles import FileRole, file_role
from patchfield.runs.folder import read_json

_LATTICE = 512
"""Rows and columns, at most, that the variation of an image is measured on."""


@dataclass(frozen=True)
class Plane:
    """One plane of one image file.

    Attributes
    ----------
    path : str
    plane : int
        Counted from 0.
    height, width : int
    limits : tuple of (low, high)
        Which values of the file become 0 and 1, decided from the whole image.
    deviation : float
        Standard deviation of the plane's values after that.
    """

    path: str
    plane: int
    height: int
    width: int
    limits: tuple[tuple[float, float], ...]
    deviation: float


@dataclass(frozen=True)
class Collection:
    """The planes that are trained on, and one sentence for every file that is not."""

    planes: tuple[Plane, ...]
    left_out: tuple[str, ...]
    settings: ImageSettings

    def fingerprint(self) -> str:
        """Short hash of which planes there are and what was measured on them."""
        return sha256(repr(self.planes).encode()).hexdigest()[:16]


def find_images(sources: Path | Iterable[Path], excluded: Iterable[Path] = ()) -> tuple[list[Path], list[Path]]:
    """All image files of folders (and folders in them), and the labels that lie beside them; both sorted.

    Parameters
    ----------
    sources : Path or iterable of Path
        Folders and single files; a file that is given is an image, whatever it is called.
    excluded : iterable of Path
        Files that must not be trained on, such as labelled images held out for testing.

    Returns
    -------
    images, labels : list of Path
        Every file once, however it is spelled.

    Raises
    ------
    ImageError
        When a source does not exist or nothing is found.
    """
    sources = [Path(source) for source in ([sources] if isinstance(sources, str | Path) else sources)]
    images: dict[Path, Path] = {}
    labels: dict[Path, Path] = {}
    for source in sources:
        if not source.exists():
            raise ImageError(f"{source} does not exist: give a folder of images.")
        for path in sorted([source] if source.is_file() else filter(_is_image, source.rglob("*"))):
            is_image = source.is_file() or file_role(path, below=source) is FileRole.IMAGE
            found = images if is_image else labels
            found.setdefault(path.resolve(), path)
    for path in excluded:
        images.pop(Path(path).resolve(), None)
    if not images:
        where = ", ".join(str(source) for source in sources) or "no folder"
        beside = f" but {len(labels)} of masks or labels" if labels else ""
        raise ImageError(f"no images in {where}{beside}: give a folder with TIFF, PNG or JPEG files.")
    return sorted(images.values()), sorted(labels.values())


def image_files(sources: Path | Iterable[Path], excluded: Iterable[Path] = ()) -> list[Path]:
    """The images of :func:`find_images`, without the labels beside them."""
    return find_images(sources, excluded)[0]


def open_image(path: str | Path, settings: ImageSettings) -> Micrograph:
    """Read an image file with the meaning of its axes that the settings give.

    Raises
    ------
    ImageError
        When it cannot be read.
    """
    return read_image(path, axes=settings.axes)


def open_images(
    sources: Path | Iterable[Path],
    excluded: Iterable[Path],
    settings: ImageSettings,
    least_side: int,
    index: Path,
    console: Console | None,
) -> Collection:
    """Find and open the images of a run, and say on a console what was found and what was left out.

    Parameters
    ----------
    console : rich.console.Console or None
        None says nothing.

    Raises
    ------
    ImageError
        When nothing can be trained on.
    """
    files, labels = find_images(sources, excluded)
    if console is None:
        return open_collection(files, settings, least_side, index)
    shown = track(files, "opening images", console=console, transient=True, disable=not console.is_terminal)
    collection = open_collection(shown, settings, least_side, index)
    console.print(f"{len(collection.planes)} image(s) from {len(files)} file(s)", highlight=False)
    if labels:
        console.print(f"Left aside: {len(labels)} file(s) of masks, labels or results", highlight=False)
    if collection.left_out:
        others = f" (and {len(collection.left_out) - 1} more, see {index})" if len(collection.left_out) > 1 else ""
        console.print(f"Left out: {collection.left_out[0]}{others}", highlight=False, soft_wrap=True)
    return collection


def open_collection(
    files: Iterable[Path], settings: ImageSettings, least_side: int, index: Path | None = None
) -> Collection:
    """Open every file once and keep the planes that can be trained on.

    Parameters
    ----------
    least_side : int
        Planes with a shorter side in pixels are left out.
    index : Path, optional
        Where what was found is written as JSON, and read from for files that have not changed since.

    Raises
    ------
    ImageError
        When no plane is left; the sentence says why.
    """
    known = _read_index(index, settings)
    entries: dict[str, dict[str, Any]] = {}
    for path in files:
        state = path.stat()
        entry = known.get(str(path))
        if entry is None or entry["changed"] != [state.st_size, state.st_mtime_ns]:
            entry = {"changed": [state.st_size, state.st_mtime_ns], **_measured(path, settings)}
        entries[str(path)] = entry
    if index is not None:
        with atomic_path(index) as temporary:
            temporary.write_text(
                json.dumps({"settings": settings.to_json(), "files": entries}, indent=1), encoding="utf-8"
            )
    return _kept(entries, settings, least_side)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _measured(path: Path, settings: ImageSettings) -> dict[str, Any]:
    """What the index says about a file: its planes, or why it cannot be used."""
    try:
        micrograph = open_image(path, settings)
        planes = []
        for number, index in enumerate(plane_indices(micrograph)):
            image = model_image(micrograph, settings, index)
            planes.append(Plane(str(path), number, *image.shape, image.limits, _deviation(image)))
    except ImageError as error:
        return {"problem": str(error), "planes": []}
    return {"problem": None, "planes": [asdict(plane) for plane in planes]}


def _deviation(image: ModelImage) -> float:
    height, width = image.shape
    rows = np.linspace(0, height - 1, min(height, _LATTICE)).astype(int)
    columns = np.linspace(0, width - 1, min(width, _LATTICE)).astype(int)
    return float(image.crop(rows, columns).std())


def _kept(entries: dict[str, dict[str, Any]], settings: ImageSettings, least_side: int) -> Collection:
    planes: list[Plane] = []
    left_out = []
    for path, entry in entries.items():
        found = _planes(entry)
        usable = [plane for plane in found if min(plane.height, plane.width) >= least_side and plane.deviation > 0]
        planes.extend(usable)
        if entry["problem"]:
            left_out.append(entry["problem"])
        elif not usable and max(plane.deviation for plane in found) == 0:
            left_out.append(f"{path} is the same everywhere: there is nothing to learn from it.")
        elif not usable:
            plane = found[0]
            left_out.append(
                f"{path} has {plane.height} x {plane.width} pixels, smaller than a crop of {least_side}: use "
                "larger images, a smaller crops.global_size or a smaller tiles.least_side."
            )
    if not planes:
        raise ImageError(f"none of {len(entries)} image(s) can be used; the first: {left_out[0]}")
    return Collection(tuple(planes), tuple(left_out), settings)


def _planes(entry: dict[str, Any]) -> list[Plane]:
    return [Plane(**{**plane, "limits": tuple(map(tuple, plane["limits"]))}) for plane in entry["planes"]]


def _read_index(index: Path | None, settings: ImageSettings) -> dict[str, dict[str, Any]]:
    """What was found out earlier, by file; nothing where the index is damaged or of other settings."""
    read = None if index is None else read_json(index)
    try:
        if read is None or ImageSettings.from_json(read["settings"]) != settings:
            return {}
        for entry in read["files"].values():
            _planes(entry)
            _ = entry["changed"], entry["problem"]
    except (KeyError, TypeError, AttributeError, ImageError):
        return {}
    files: dict[str, dict[str, Any]] = read["files"]
    return files
