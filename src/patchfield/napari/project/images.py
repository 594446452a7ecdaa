"""The list of images: those that are open and those that wait in files, one of them current."""

import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from psygnal import Signal

from patchfield.errors import ImageError, error_sentence
from patchfield.images import IMAGE_SUFFIXES, ImageSettings, Stack, read_image
from patchfield.napari.jobs import Job, Slot
from patchfield.napari.layers import roles
from patchfield.napari.layers.opening import ReadFile, as_layer, read_file, thumbnail
from patchfield.napari.project.entries import ImageEntry
from patchfield.napari.session.results import ResultState
from patchfield.napari.workspace import Workspace


@dataclass(eq=False)
class Listed:
    """An image of the list, as it is kept: its layer while it is open.

    Attributes
    ----------
    name : str
    path : Path or None
    layer : Image or None
    stored : str
        Id of the image in the project; "" while it is in none.
    kept : Path or None
        Where its pixels are kept in the project, for an image that has no file of its own.
    painted : bool
        Whether something was painted on it when its project was opened.
    settings : ImageSettings
        How it is seen once it is opened; counts for images of a project.
    key : str
    problem : str
    thumbnail : array or None
    """

    name: str
    path: Path | None = None
    layer: Image | None = None
    stored: str = ""
    kept: Path | None = None
    painted: bool = False
    settings: ImageSettings = field(default_factory=ImageSettings)
    key: str = field(default_factory=lambda: secrets.token_hex(6))
    problem: str = ""
    thumbnail: NDArray[np.uint8] | None = None


class Images:
    """All images that can be worked on, in the order in which they came; those that were not chosen yet stay files.

    Parameters
    ----------
    workspace : Workspace
    """

    changed = Signal()
    """Images came or went, or something that the list says of them changed."""
    listed = Signal()
    """Images came or went."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._items: list[Listed] = []
        self._opening = Slot(workspace.runner, self.changed.emit)
        self._thumbnails = Slot(workspace.runner)
        self._awaited: Listed | None = None
        self._closing: Listed | None = None
        self._wanted: tuple[str, ...] = ()
        annotations = workspace.annotations
        annotations.images_changed.connect(self._on_layers)
        annotations.selected.connect(self.changed)
        annotations.strokes_changed.connect(self.changed)
        workspace.results.changed.connect(self._on_result)
        self._on_layers()

    def __iter__(self) -> Iterator[Listed]:
        return iter(tuple(self._items))

    def __len__(self) -> int:
        return len(self._items)

    @property
    def entries(self) -> tuple[ImageEntry, ...]:
        """What the list shows, in order."""
        return tuple(self._entry(item) for item in self._items)

    @property
    def current(self) -> Listed | None:
        """The image that is painted on."""
        current = self._workspace.current
        return None if current is None else self.item_of(current.source.layer)

    @property
    def opening(self) -> str:
        """Name of the image that is being read; "" when there is none."""
        return self._awaited.name if self._awaited is not None and self._opening.busy else ""

    def item_of(self, layer: Image) -> Listed | None:
        """The image of the list that a layer is."""
        return next((item for item in self._items if item.layer is layer), None)

    def item_for(self, layer: Image) -> Listed:
        """The image of the list that a layer is; it is taken into the list where it has just come."""
        return self.item_of(layer) or self._take(layer)

    def take_over(self, items: Iterable[Listed]) -> None:
        """Add the images of a project."""
        self._items += items
        self.listed.emit()
        self.changed.emit()

    def find(self, key: str) -> Listed:
        """The image of a key.

        Raises
        ------
        ImageError
            When it is not in the list any more.
        """
        for item in self._items:
            if item.key == key:
                return item
        raise ImageError("The image is not in the list any more: choose another one.")

    # -- what the user can do

    def choose(self, key: str) -> None:
        """See and paint on an image; one that waits in a file is opened, in the background.

        Raises
        ------
        ImageError
            When it is not in the list any more.
        """
        item = self.find(key)
        if item.layer is not None:
            self._opening.cancel()
            self._awaited = None
            self._workspace.select(item.layer)
        elif (path := item.path or item.kept) is not None:
            self._awaited = item
            work = partial(_read, path, item.name, item.settings.axes)
            job = Job(work, partial(self._on_read, item), partial(self._on_unreadable, item))
            self._opening.submit(job, interrupt=True)
            self.changed.emit()

    def step(self, step: int) -> None:
        """Go on to the next image (1), or back to the previous one (-1), around the ends of the list."""
        if not self._items:
            return
        here = self._awaited if self._opening.busy else self.current
        if here is None or here not in self._items:
            self.choose(self._items[0].key)
        else:
            self.choose(self._items[(self._items.index(here) + step) % len(self._items)].key)

    def add_files(self, paths: Iterable[str | Path]) -> None:
        """Add files to the list, each once, and see the first of them; the others are opened when they are chosen."""
        known = {_real(item.path): item for item in self._items if item.path is not None and item.layer is None}
        known |= {_real(item.path): item for item in self._items if item.path is not None}
        first: Listed | None = None
        for path in (Path(path) for path in paths):
            item = known.get(_real(path))
            if item is None:
                item = Listed(path.stem, path)
                known[_real(path)] = item
                self._items.append(item)
            first = first or item
        self.listed.emit()
        self.changed.emit()
        if first is not None:
            self.choose(first.key)

    def add_folder(self, folder: str | Path) -> None:
        """Add all image files of a folder, in the order of their names with numbers as numbers.

        Raises
        ------
        ImageError
            When there is none in it.
        OSError
            When the folder cannot be read.
        """
        found = images_in(Path(folder))
        if not found:
            kinds = ", ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
            raise ImageError(f"{folder} holds no image files ({kinds}): choose another folder, or open the files.")
        self.add_files(found)

    def close_image(self, key: str) -> None:
        """Take the layers of an image out of the viewer; it stays in the list, and its strokes are learned from.

        Raises
        ------
        ImageError
            When it is not in the list any more.
        """
        item = self.find(key)
        if item.layer is not None:
            self._closing = item
            self._workspace.viewer.layers.remove(item.layer)
            self._closing = None

    def remove(self, key: str) -> None:
        """Take an image off the list: its layers go out of the viewer, its file stays.

        Raises
        ------
        ImageError
            When it is not in the list any more.
        """
        item = self.find(key)
        self._items.remove(item)
        layer, item.layer = item.layer, None
        if layer is not None and layer in self._workspace.viewer.layers:
            image = str(layer.unique_id)
            ours = [other for other in self._workspace.viewer.layers if roles.is_of(other, image)]
            self._workspace.viewer.layers.remove(layer)
            for other in ours:
                self._workspace.viewer.layers.remove(other)
        self.listed.emit()
        self.changed.emit()

    def request_thumbnails(self, keys: Iterable[str]) -> None:
        """Make the thumbnails of some images where they are missing, in the background, in this order."""
        self._wanted = tuple(keys)
        self._make_thumbnails()

    def close(self) -> None:
        """Stop reading; the layers stay."""
        self._opening.cancel()
        self._thumbnails.cancel()

    # -- what happens when something happens

    def _on_layers(self) -> None:
        """Layers came, went, or were renamed."""
        layers = self._workspace.annotations.choices[::-1]
        gone = [item for item in self._items if item.layer is not None and item.layer not in layers]
        for item in gone:
            self._close(item)
        known = {id(item.layer): item for item in self._items if item.layer is not None}
        for layer in layers:
            if id(layer) in known:
                known[id(layer)].name = str(layer.name)
            else:
                self._take(layer)
        self.listed.emit()
        self.changed.emit()

    def _on_result(self, _: object) -> None:
        self.changed.emit()

    def _take(self, layer: Image) -> Listed:
        """A layer that came: a file of the list that was opened, or a new image."""
        path = Path(layer.source.path) if layer.source.path else None
        waiting = [item for item in self._items if item.layer is None and path is not None]
        item = next((item for item in waiting if _real(path) in (_real(item.path), _real(item.kept))), None)
        if item is None:
            item = Listed(str(layer.name), path)
            self._items.append(item)
        item.layer, item.problem = layer, ""
        return item

    def _close(self, item: Listed) -> None:
        """An image whose layer was deleted stays in the list where it can be opened again."""
        item.layer = None
        is_closed = item is self._closing and item.path is not None
        if not (is_closed or item.stored or item.key in self._workspace.annotations.elsewhere):
            self._items.remove(item)

    def _on_read(self, item: Listed, read: ReadFile) -> None:
        if item in self._items and item.layer is None:
            layer = as_layer(read)
            if item.stored:
                self._workspace.annotations.chosen[str(layer.unique_id)] = item.settings
            self._workspace.viewer.add_layer(layer)
        self._awaited = None

    def _on_unreadable(self, item: Listed, error: Exception) -> None:
        item.problem = error_sentence(error) or str(error)
        self._awaited = None
        self.changed.emit()
        self._workspace.on_error(error)

    def _make_thumbnails(self) -> None:
        wanted = [item for item in self._items if item.key in self._wanted and item.thumbnail is None]
        sources: list[tuple[str, Stack | Path]] = []
        for item in sorted(wanted, key=lambda item: self._wanted.index(item.key)):
            if item.layer is not None:
                sources.append((item.key, self._workspace.annotations.source_of(item.layer)))
            elif (path := item.path or item.kept) is not None and not item.problem:
                sources.append((item.key, path))
        if sources:
            self._thumbnails.submit(Job(partial(_thumbnails, sources), self._on_thumbnail), interrupt=True)

    def _on_thumbnail(self, made: tuple[str, NDArray[np.uint8]]) -> None:
        key, picture = made
        item = next((item for item in self._items if item.key == key), None)
        if item is not None:
            item.thumbnail = picture
            self.changed.emit()

    def _entry(self, item: Listed) -> ImageEntry:
        annotations, painted, state = self._workspace.annotations, item.painted, ResultState.NONE
        if item.layer is not None:
            image = str(item.layer.unique_id)
            state = self._workspace.results.states.get(image, ResultState.NONE)
            painted = image in annotations and bool(annotations[image].snapshots)
        return ImageEntry(
            key=item.key,
            name=item.name,
            path=item.path,
            is_open=item.layer is not None,
            is_current=item is self.current,
            painted=painted or item.key in annotations.elsewhere,
            segmented=state is not ResultState.NONE,
            outdated=state is ResultState.OUTDATED,
            only_here=item.path is None,
            problem=item.problem,
            thumbnail=item.thumbnail,
        )


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder, in the order of their names with numbers as numbers.

    Raises
    ------
    OSError
        When it cannot be read.
    """
    found = [file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()]
    return sorted((file for file in found if not file.name.startswith(".")), key=lambda file: natural_key(file.name))


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """What names are sorted by, so that "image 2" comes before "image 10".

    Examples
    --------
    >>> sorted(["b10.tif", "b9.tif", "a.tif"], key=natural_key)
    ['a.tif', 'b9.tif', 'b10.tif']
    """
    parts = re.split(r"(\d+)", name.casefold())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)


def _real(path: Path | None) -> Path | None:
    return None if path is None else path.resolve()


def _read(path: Path, name: str, axes: str | None) -> Iterator[ReadFile]:
    yield read_file(path, name, axes)


def _thumbnails(sources: list[tuple[str, Stack | Path]]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Thumbnails by key; a grey one where an image cannot be read, which is said when it is chosen."""
    for key, source in sources:
        try:
            picture = thumbnail(read_image(source) if isinstance(source, Path) else source)
        except (ImageError, OSError):
            picture = np.full((1, 1, 3), 128, np.uint8)
        yield key, picture
