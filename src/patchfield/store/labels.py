"""The labels of a project's images, plane by plane: in memory as runs, on the disk in one file for each plane."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from patchfield.errors import LabelError, ProjectError
from patchfield.images import PlaneIndex
from patchfield.store.folder import ProjectFolder
from patchfield.store.history import History, PlaneRecord
from patchfield.store.image import ProjectImage
from patchfield.store.plane_files import read_plane, write_plane
from patchfield.store.sparse import SparseLabels

ImageKey = ProjectImage | str | Path
"""An image of a project: itself, its id, or the path of its file."""
PlaneKey = tuple[str, PlaneIndex]

_WRITERS = 8


class ProjectLabels(MutableMapping[tuple[ImageKey, PlaneIndex], NDArray[np.unsignedinteger[Any]]]):
    """Labels by (image, plane): (H, W) arrays of the smallest unsigned type, 0 = unlabelled.

    Iterating gives the planes that something is painted on; any other plane of an image is blank. Planes are read when
    they are asked for, and may be set from any thread.

    Parameters
    ----------
    folder : callable
        Gives the project's folder, which changes when it is saved elsewhere.
    images : callable
        Gives the images.
    find : callable
        Gives the image of a key.
    on_change : callable
        Called before anything changes; raises where nothing may.
    """

    def __init__(
        self,
        folder: Callable[[], ProjectFolder],
        images: Callable[[], Iterable[ProjectImage]],
        find: Callable[[ImageKey], ProjectImage],
        on_change: Callable[[], None],
    ) -> None:
        self._folder, self._images, self._find, self._on_change = folder, images, find, on_change
        self._records: dict[PlaneKey, PlaneRecord] = {}
        self._stored: dict[str, set[PlaneIndex]] = {}
        self._unsaved: set[PlaneKey] = set()
        self._lock = threading.RLock()

    def __getitem__(self, key: tuple[ImageKey, PlaneIndex]) -> NDArray[np.unsignedinteger[Any]]:
        image, index = self._checked(key)
        return self._record(image, index).labels.to_array()

    def __setitem__(self, key: tuple[ImageKey, PlaneIndex], labels: ArrayLike) -> None:
        image, index = self._checked(key)
        self.paint(image, {index: labels})

    def __delitem__(self, key: tuple[ImageKey, PlaneIndex]) -> None:
        image, index = self._checked(key)
        self._set(image, {index: SparseLabels.blank(image.shape)})

    def __iter__(self) -> Iterator[tuple[ImageKey, PlaneIndex]]:
        for image in self._images():
            for index in self.planes(image):
                yield image, index

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, key: object) -> bool:
        try:
            image, index = self._checked(key)  # type: ignore[arg-type]
        except (LabelError, ProjectError):
            return False
        return self._record(image, index).labels.any

    def paint(self, image: ImageKey, planes: Mapping[PlaneIndex, ArrayLike]) -> bool:
        """Set the labels of some planes of an image, as one step of undo.

        Call it after every stroke with the planes that the stroke is on. What is the reverse of the last change counts
        as undo, and what repeats an undone one as redo. It costs a glance at every pixel of these planes; nothing is
        written before :meth:`Project.save`.

        Returns
        -------
        bool
            Whether anything changed.

        Raises
        ------
        LabelError
            When the image has no such plane, or labels are no whole numbers of its shape.
        ProjectError
            When the project is read-only, or what is stored of a plane is damaged.
        """
        found = self._find(image)
        name = f"The labels of {found.name}"
        sparse = {found.checked_plane(index): SparseLabels.from_array(labels, name) for index, labels in planes.items()}
        for labels in sparse.values():
            if labels.shape != found.shape:
                raise LabelError(f"{name} have the shape {labels.shape}, and the image has {found.shape}.")
        return self._set(found, sparse)

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Give labels other numbers on all planes of all images, as one step of undo: merge classes, or erase one (0).

        Raises
        ------
        ProjectError
            When the project is read-only, or what is stored is damaged.
        """
        for image in self._images():
            records = {index: self._record(image, index) for index in self.planes(image)}
            self._set(image, {index: record.labels.renumbered(numbers) for index, record in records.items()})

    def planes(self, image: ImageKey) -> list[PlaneIndex]:
        """The planes of an image that something is painted on, in order."""
        found = self._find(image)
        return [index for index in self._known(found) if self._record(found, index).labels.any]

    def pixels(self, image: ImageKey | None = None) -> dict[int, int]:
        """How many pixels each label has, on one image or on all."""
        counts: dict[int, int] = {}
        for found in self._images() if image is None else [self._find(image)]:
            for index in self._known(found):
                for value, count in self._record(found, index).labels.pixels().items():
                    counts[value] = counts.get(value, 0) + count
        return dict(sorted(counts.items()))

    def strokes(self, image: ImageKey | None = None) -> int:
        """How many changes made the labels what they are, on one image or on all: strokes, fills, erasures."""
        images = self._images() if image is None else [self._find(image)]
        return sum(self._record(found, index).strokes for found in images for index in self._known(found))

    def history(self, image: ImageKey) -> History:
        """The last changes of an image, to undo and to make again."""
        found = self._find(image)
        return History.from_planes((index, self._record(found, index)) for index in self._known(found))

    # -- for the project

    def take_unsaved(self) -> dict[PlaneKey, PlaneRecord]:
        """What is to be written; it counts as written from now on."""
        with self._lock:
            taken = {key: self._records[key] for key in self._unsaved}
            self._unsaved.clear()
            return taken

    def give_back(self, taken: Iterable[PlaneKey]) -> None:
        """Count planes as unsaved again, because they could not be written."""
        with self._lock:
            self._unsaved |= {key for key in taken if key in self._records}

    def write(self, folder: ProjectFolder, records: Mapping[PlaneKey, PlaneRecord]) -> None:
        """Write some planes.

        Raises
        ------
        OSError
            When the disk is full, or the folder cannot be written to.
        """
        files = {folder.plane(*key): record for key, record in records.items()}
        # Most of the time is spent waiting until files are on the disk, so many planes are written at once.
        with ThreadPoolExecutor(min(len(files), _WRITERS) or 1) as writers:
            for _ in writers.map(write_plane, files, files.values()):
                pass

    def forget(self, image: ProjectImage) -> None:
        """Forget an image."""
        with self._lock:
            for key in [(image.id, index) for index in self._known(image)]:
                self._records.pop(key, None)
                self._unsaved.discard(key)
            self._stored[image.id] = set()

    def everything(self) -> dict[PlaneKey, PlaneRecord]:
        """All planes, also those that were erased."""
        return {
            (image.id, index): self._record(image, index) for image in self._images() for index in self._known(image)
        }

    @property
    def has_unsaved(self) -> bool:
        """Whether something is not on the disk yet."""
        return bool(self._unsaved)

    def _set(self, image: ProjectImage, planes: Mapping[PlaneIndex, SparseLabels]) -> bool:
        self._on_change()
        number = time.time_ns()
        changed = False
        with self._lock:
            records = {index: self._record(image, index) for index in planes}
            for index, labels in planes.items():
                record = records[index].painted(labels, number)
                if record is not records[index]:
                    self._records[image.id, index] = record
                    self._unsaved.add((image.id, index))
                    changed = True
        return changed

    def _record(self, image: ProjectImage, index: PlaneIndex) -> PlaneRecord:
        """What is known of a plane; blank planes are not remembered."""
        with self._lock:
            key = (image.id, index)
            if key in self._records:
                return self._records[key]
            if index in self._stored_planes(image):
                self._records[key] = read_plane(self._folder().plane(image.id, index), image.shape)
                return self._records[key]
        return PlaneRecord(SparseLabels.blank(image.shape))

    def _known(self, image: ProjectImage) -> list[PlaneIndex]:
        """Planes that were painted once."""
        with self._lock:
            painted = {index for identifier, index in self._records if identifier == image.id}
            return sorted(painted | self._stored_planes(image))

    def _stored_planes(self, image: ProjectImage) -> set[PlaneIndex]:
        if image.id not in self._stored:
            found = self._folder().planes(image.id)
            self._stored[image.id] = {index for index in found if image.has_plane(index)}
        return self._stored[image.id]

    def _checked(self, key: tuple[ImageKey, PlaneIndex]) -> tuple[ProjectImage, PlaneIndex]:
        if not isinstance(key, tuple) or len(key) != 2:
            raise LabelError("Labels are found by image and plane: project.labels[image, ()], or (3,) in a stack.")
        image = self._find(key[0])
        return image, image.checked_plane(key[1])
