"""The images of a run: found in folders, opened once to learn what they are, read again while training."""

import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from mmap import mmap
from pathlib import Path

import numpy as np

from patchfield.atomic import atomic_path
from patchfield.errors import ImageError
from patchfield.images import IMAGE_SUFFIXES, ImageSettings, Micrograph, ModelImage, model_image, read_image

LABEL_PREFIXES = ("mask_", "strokes_", "scribble_", "object_")
LABEL_FOLDERS = frozenset({"masks", "strokes", "labels"})
"""Labels that lie beside images are not trained on as if they were images."""

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


def image_files(sources: Path | Iterable[Path], excluded: Iterable[Path] = ()) -> list[Path]:
    """All image files of folders (and folders in them), sorted, without labels beside them.

    Parameters
    ----------
    sources : Path or iterable of Path
        Folders and single files.
    excluded : iterable of Path
        Files that must not be trained on, such as labelled images held out for testing.

    Raises
    ------
    ImageError
        When a source does not exist or nothing is found.
    """
    sources = [Path(source) for source in ([sources] if isinstance(sources, str | Path) else sources)]
    found: set[Path] = set()
    for source in sources:
        if not source.exists():
            raise ImageError(f"{source} does not exist: give a folder of images.")
        found.update([source] if source.is_file() else filter(_is_image, source.rglob("*")))
    found -= {path for path in found if path.resolve() in {Path(other).resolve() for other in excluded}}
    if not found:
        places = ", ".join(str(source) for source in sources) or "no folder"
        raise ImageError(f"no images in {places}: give a folder with TIFF, PNG or JPEG files.")
    return sorted(found)


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
    entries: dict[str, dict] = {}
    for path in files:
        state = path.stat()
        entry = known.get(str(path))
        if entry is None or entry["changed"] != [state.st_size, state.st_mtime_ns]:
            entry = {"changed": [state.st_size, state.st_mtime_ns], **_described(path, settings)}
        entries[str(path)] = entry
    if index is not None:
        with atomic_path(index) as temporary:
            temporary.write_text(json.dumps({"settings": settings.to_json(), "files": entries}, indent=1))
    return _kept(entries, settings, least_side)


class ImageCache:
    """Decoded image files, the most recently used ones, up to a number of bytes; memory maps weigh nothing."""

    def __init__(self, settings: ImageSettings, capacity: int) -> None:
        self._settings = settings
        self._capacity = capacity
        self._images: OrderedDict[str, Micrograph] = OrderedDict()
        self._bytes = 0

    def image(self, plane: Plane) -> ModelImage:
        """The plane as a model sees it, in the contrast found when the collection was opened."""
        pixels = self._file(plane.path).at(plane.plane).pixels
        channels = tuple(range(len(plane.limits))) if self._settings.channels is None else self._settings.channels
        return ModelImage(pixels, channels, plane.limits, self._settings)

    def _file(self, path: str) -> Micrograph:
        if path in self._images:
            self._images.move_to_end(path)
            return self._images[path]
        micrograph = read_image(path)
        self._images[path] = micrograph
        self._bytes += _weight(micrograph)
        while self._bytes > self._capacity and len(self._images) > 1:
            self._bytes -= _weight(self._images.popitem(last=False)[1])
        return micrograph


def _is_image(path: Path) -> bool:
    is_label = path.name.lower().startswith(LABEL_PREFIXES) or path.parent.name.lower() in LABEL_FOLDERS
    hidden = path.name.startswith(".")
    return path.suffix.lower() in IMAGE_SUFFIXES and not is_label and not hidden and path.is_file()


def _described(path: Path, settings: ImageSettings) -> dict:
    """What the index says about a file: its planes, or why it cannot be used."""
    try:
        micrograph = read_image(path)
        seen = model_image(micrograph, settings, micrograph.index)
        planes = []
        for number in range(micrograph.planes):
            image = replace(seen, pixels=micrograph.at(number).pixels)
            planes.append(Plane(str(path), number, *image.shape, image.limits, _deviation(image)))
    except ImageError as error:
        return {"problem": str(error), "planes": []}
    return {"problem": None, "planes": [asdict(plane) for plane in planes]}


def _deviation(image: ModelImage) -> float:
    height, width = image.shape
    rows = np.linspace(0, height - 1, min(height, _LATTICE)).astype(int)
    columns = np.linspace(0, width - 1, min(width, _LATTICE)).astype(int)
    return float(image.crop(rows, columns).std())


def _kept(entries: dict[str, dict], settings: ImageSettings, least_side: int) -> Collection:
    planes, left_out = [], []
    for path, entry in entries.items():
        found = [Plane(**{**plane, "limits": tuple(map(tuple, plane["limits"]))}) for plane in entry["planes"]]
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


def _read_index(index: Path | None, settings: ImageSettings) -> dict[str, dict]:
    if index is None or not index.exists():
        return {}
    written = json.loads(index.read_text())
    return written["files"] if written["settings"] == settings.to_json() else {}


def _weight(micrograph: Micrograph) -> int:
    """Bytes that keeping a decoded file costs."""
    owner = micrograph.stack
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return 0 if isinstance(owner, mmap) else int(micrograph.stack.nbytes)
