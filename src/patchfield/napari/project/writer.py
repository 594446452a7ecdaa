"""What happens on the disk, away from the GUI thread: strokes in their order, then all that a project says."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.errors import ImageError, LabelError, PatchfieldError, ProjectError
from patchfield.field import FeatureRecipe
from patchfield.images import PlaneIndex
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.project.images import Listed
from patchfield.napari.project.stored import index_in_project
from patchfield.probe import LinearProbe
from patchfield.store import Project, ProjectClass, ProjectImage, ProjectView

WINDOW = "window"
"""Under which the window keeps its own in a project's settings."""


@dataclass(frozen=True, eq=False)
class Stroke:
    """What is painted on some planes of an image after a stroke; None for a plane that is blank again."""

    item: Listed
    source: LayerStack
    planes: Mapping[PlaneIndex, NDArray[Any] | None]


@dataclass(frozen=True, eq=False)
class Removal:
    """An image that is to leave the project with its strokes."""

    stored: str


@dataclass(frozen=True, eq=False)
class Relabelling:
    """A class whose strokes are given to another one, or erased (0), on all images, also on those that are not open."""

    value: int
    into: int


@dataclass(frozen=True, eq=False)
class Said:
    """All that a project says beside labels, taken at one moment.

    Attributes
    ----------
    classes : dict of int to ProjectClass
    recipes : tuple of FeatureRecipe
    settings : dict
        Of the window.
    view : ProjectView
        Its image is left out: `current` says it.
    current : Listed or None
    probe : LinearProbe or None
    probe_is_due : bool
        Whether the probe is written, which costs more than a stroke.
    items : tuple of Listed
        The list of images.
    listing : bool
        Whether those that nothing is painted on are added.
    """

    classes: dict[int, ProjectClass]
    recipes: tuple[FeatureRecipe, ...]
    settings: dict[str, Any]
    view: ProjectView
    current: Listed | None
    probe: LinearProbe | None
    probe_is_due: bool
    items: tuple[Listed, ...]
    listing: bool = True


@dataclass(frozen=True)
class Refused:
    """An image that cannot be kept in a project, and why."""

    error: PatchfieldError


@dataclass
class Writer:
    """A project that is open, or the one that will be made for the first stroke.

    Strokes are handed over on the GUI thread; everything else may run on any thread, one call at a time.

    Attributes
    ----------
    project : Project or None
        None before there is anything to keep.
    pending : deque
        What was painted and is not in the project yet, the oldest first.
    """

    project: Project | None = None
    pending: deque[Stroke | Removal | Relabelling] = field(default_factory=deque)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _probe: LinearProbe | None = field(default=None, repr=False)
    _unusable: set[str] = field(default_factory=set)
    """Images that cannot be kept, by their keys in the list."""
    _owners: dict[str, str] = field(default_factory=dict)
    """Which image of the list each image of the project is."""

    def adopt(self, items: Iterable[Listed]) -> None:
        """Take note of the images of a project that was opened."""
        self._owners.update({item.stored: item.key for item in items})

    @property
    def path(self) -> Path | None:
        """The folder, once there is one."""
        return None if self.project is None else self.project.path

    @property
    def is_unsaved(self) -> bool:
        """Whether no person has saved it anywhere yet."""
        return self.project is None or self.project.is_recovered

    def write(self, said: Said) -> Iterator[Refused | None]:
        """Put everything on the disk; a project is made in the recovery folder for the first stroke.

        Yields
        ------
        Refused or None
            An image that cannot be kept; None when everything is written, and after each image that was listed.

        Raises
        ------
        OSError
            When the disk is full or cannot be written to: nothing is lost, the next call goes on.
        """
        with self._lock:
            if self.project is None:
                if not self.pending:
                    return
                self.project = Project.create_unsaved(said.recipes)
            yield from self.take_in()
            self._say(said)
            self.project.save()
        yield None
        for item in said.items if said.listing else ():
            if self.pending:
                return
            if item.path is not None and not item.stored and item.key not in self._unusable:
                with self._lock:
                    self._list(item)
                yield None
        with self._lock:
            self._say(said)
            self.project.save()

    def write_all(self, said: Said) -> None:
        """Write everything now.

        Raises
        ------
        OSError
            When the disk is full or cannot be written to.
        """
        for _ in self.write(said):
            pass

    def take_in(self) -> Iterator[Refused]:
        """Bring the project up to date with what was painted, in memory; images that cannot be kept are given."""
        with self._lock:
            while self.pending and self.project is not None:
                step = self.pending[0]
                try:
                    if isinstance(step, Removal):
                        self.project.remove(step.stored)
                    elif isinstance(step, Relabelling):
                        self.project.labels.renumber({step.value: step.into})
                    else:
                        self._paint(self.project, step)
                except (ImageError, LabelError, ProjectError) as error:
                    if isinstance(step, Stroke) and step.item.key not in self._unusable:
                        self._unusable.add(step.item.key)
                        yield Refused(error)
                self.pending.popleft()

    def save_as(self, path: Path, said: Said) -> None:
        """Save everything elsewhere and go on there.

        Raises
        ------
        ProjectError
            When something is there already, or the name is not NAME.patchfield.
        OSError
            When it cannot be written; the project stays where it is.
        """
        with self._lock:
            if self.project is None:
                self.project = Project.create(path, said.recipes)
            else:
                for _ in self.take_in():
                    pass
                self._say(said)
                self.project.save_as(path)
                for item in said.items:
                    image = self.image_of(item)
                    item.kept = image.path if image is not None and item.kept is not None else None
            self.write_all(said)

    def image_of(self, item: Listed) -> ProjectImage | None:
        """The image in the project that one of the list is."""
        if self.project is None or not item.stored:
            return None
        return next((image for image in self.project.images if image.id == item.stored), None)

    def close(self) -> None:
        """Let others write to the project."""
        with self._lock:
            if self.project is not None:
                self.project.close()

    def _paint(self, project: Project, stroke: Stroke) -> None:
        image = self._image(project, stroke)
        blank = np.zeros(image.shape, np.uint8)
        planes = {
            index_in_project(image, stroke.source, index): blank if labels is None else labels
            for index, labels in stroke.planes.items()
        }
        project.labels.paint(image, planes)

    def _image(self, project: Project, stroke: Stroke) -> ProjectImage:
        """The project's image of a stroke; added with the first one, and anew where it has other planes now."""
        item, source = stroke.item, stroke.source
        image = self.image_of(item)
        if image is not None:
            try:
                index_in_project(image, source, source.indices()[0])
                if image.shape == source.shape:
                    item.settings = source.settings
                    return image if image.settings == source.settings else project.see(image, source.settings)
            except (ImageError, ProjectError):
                pass
            project.remove(image)
        return self._add(project, item, source)

    def _add(self, project: Project, item: Listed, source: LayerStack) -> ProjectImage:
        image = project.add(source, settings=source.settings, name=item.name, file=source.file)
        if image.shape != source.shape or self._owners.get(image.id, item.key) != item.key:
            # The file is another's already: what is painted here is kept with its own pixels.
            image = project.add(source, settings=source.settings, name=item.name)
        self._owners[image.id], item.stored, item.settings = item.key, image.id, source.settings
        item.kept = image.path if image.path.is_relative_to(project.path) else None
        return image

    def _list(self, item: Listed) -> None:
        """Add an image that nothing is painted on yet."""
        assert self.project is not None
        assert item.path is not None
        try:
            image = self.project.add(item.path, settings=item.settings, name=item.name)
        except (ImageError, ProjectError, OSError):
            self._unusable.add(item.key)
            return
        if self._owners.setdefault(image.id, item.key) == item.key:
            item.stored = image.id
        else:
            self._unusable.add(item.key)

    def _say(self, said: Said) -> None:
        project = self.project
        assert project is not None
        for item in said.items:
            if item.stored:
                project.rename(item.stored, item.name)
        project.classes = said.classes
        project.recipes = said.recipes
        order = [item.stored for item in said.items if item.stored]
        project.settings = project.settings | {WINDOW: {**said.settings, "order": order}}
        if said.current is not None and said.current.stored:
            # Where nothing is open any more, a viewer is being closed: one was where one was before.
            project.view = replace(said.view, image=said.current.stored)
        if said.probe_is_due and said.probe is not self._probe:
            project.probe = self._probe = said.probe
