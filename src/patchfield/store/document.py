"""What an open project holds beside labels, and how all of it gets to the disk."""

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from patchfield.errors import PatchfieldError, ProjectError
from patchfield.field import FeatureRecipe
from patchfield.probe import ClassInfo, LinearProbe
from patchfield.store.description import (
    Description,
    ProjectClass,
    ProjectView,
    copy_of_json,
    read_description,
    read_view,
    write_description,
    write_view,
)
from patchfield.store.folder import ProjectFolder, make_folder, recovery_folder
from patchfield.store.image import ProjectImage
from patchfield.store.labels import ImageKey, ProjectLabels
from patchfield.store.moving import check_not_inside, with_kept_images
from patchfield.store.recovery import new_recovery_path

DEFAULT_RECIPE = FeatureRecipe("micro")


@dataclass(frozen=True)
class _Unsaved:
    """What is to be written, beside labels."""

    description: bool = False
    view: bool = False
    probe: bool = False
    dropped: tuple[str, ...] = field(default=())
    """Images whose own files are deleted once nothing refers to them, by id."""

    def __or__(self, other: "_Unsaved") -> "_Unsaved":
        return _Unsaved(
            self.description or other.description,
            self.view or other.view,
            self.probe or other.probe,
            self.dropped + other.dropped,
        )


class Document:
    """A project's folder, open: what :class:`patchfield.Project` works on.

    Parameters
    ----------
    folder : ProjectFolder
    description : Description
    view : ProjectView
    """

    def __init__(self, folder: ProjectFolder, description: Description, view: ProjectView) -> None:
        self._folder = folder
        self._description, self._view = description, view
        self._probe: LinearProbe | None = None
        self._probe_known = False
        self._unsaved = _Unsaved()
        self._changing, self._saving = threading.RLock(), threading.RLock()
        self.labels = ProjectLabels(lambda: self._folder, lambda: self.images, self.image, self._check_writable)

    @classmethod
    def create(cls, path: str | Path, recipes: FeatureRecipe | Sequence[FeatureRecipe] = DEFAULT_RECIPE) -> Self:
        """Make a new project.

        Parameters
        ----------
        path : str or Path
            A folder NAME.patchfield that is not there yet.
        recipes : FeatureRecipe or sequence of them
            How features are made; several are joined.

        Raises
        ------
        ProjectError
            When something is there already, or the name has another ending.
        OSError
            When the folder cannot be made.
        """
        folder = Path(os.path.abspath(path))
        make_folder(folder)
        held = ProjectFolder(folder)
        description = Description(recipes=_as_tuple(recipes))
        write_description(folder, description)
        return cls(held, description, ProjectView())

    @classmethod
    def create_unsaved(cls, recipes: FeatureRecipe | Sequence[FeatureRecipe] = DEFAULT_RECIPE) -> Self:
        """Make a project in the recovery folder, for strokes that were not saved anywhere yet.

        Raises
        ------
        OSError
            When the folder cannot be made.
        """
        return cls.create(new_recovery_path(), recipes)

    @classmethod
    def open(cls, path: str | Path, read_only: bool = False) -> Self:
        """Open a project.

        Parameters
        ----------
        path : str or Path
            Its folder.
        read_only : bool
            Whether nothing can be changed; then others may write to it meanwhile.

        Raises
        ------
        ProjectError
            When it is no project, is damaged, was saved by a newer version, or is open elsewhere. Nothing is changed.
        OSError
            When it cannot be read, or not be written to.
        """
        folder = Path(os.path.abspath(path))
        read_description(folder)  # what is no project is not touched
        held = ProjectFolder(folder, read_only)
        try:
            return cls(held, read_description(folder), read_view(folder))
        except ProjectError:
            held.close()
            raise

    @property
    def path(self) -> Path:
        """The folder."""
        return self._folder.path

    @property
    def read_only(self) -> bool:
        """Whether nothing can be changed."""
        return self._folder.read_only

    @property
    def is_recovered(self) -> bool:
        """Whether it lives in the recovery folder: it was never saved by a person."""
        return self.path.parent == recovery_folder()

    @property
    def is_saved(self) -> bool:
        """Whether all changes are on the disk."""
        return self._unsaved == _Unsaved() and not self.labels.has_unsaved

    @property
    def images(self) -> tuple[ProjectImage, ...]:
        """The images, in the order in which they were added."""
        return tuple(self._description.images.values())

    def image(self, key: ImageKey) -> ProjectImage:
        """The image of an id, of the path of its file, or of an earlier entry.

        Raises
        ------
        ProjectError
            When there is none.
        """
        images = self._description.images
        identifier = key.id if isinstance(key, ProjectImage) else str(key)
        if identifier in images:
            return images[identifier]
        if not isinstance(key, ProjectImage):
            real = os.path.realpath(key)
            for image in images.values():
                if os.path.realpath(image.path) == real:
                    return image
        name = key.name if isinstance(key, ProjectImage) else key
        raise ProjectError(f"The project {self.path} has no image {name}: add it first.")

    @property
    def classes(self) -> dict[int, ProjectClass]:
        """Names, colours and keys by label value, in the order in which they are shown; set it to change them."""
        return dict(self._description.classes)

    @classes.setter
    def classes(self, classes: Mapping[int, ProjectClass | ClassInfo]) -> None:
        known = {
            int(value): each if isinstance(each, ProjectClass) else ProjectClass(each.name, each.color)
            for value, each in classes.items()
        }
        if list(known.items()) != list(self._description.classes.items()):
            self._describe(classes=known)

    @property
    def recipes(self) -> tuple[FeatureRecipe, ...]:
        """How features are made, one for each of the backbones that are joined; set it to change them."""
        return self._description.recipes

    @recipes.setter
    def recipes(self, recipes: FeatureRecipe | Sequence[FeatureRecipe]) -> None:
        chosen = _as_tuple(recipes)
        if chosen != self._description.recipes:
            self._describe(recipes=chosen)

    @property
    def settings(self) -> dict[str, Any]:
        """What programs keep in it, as JSON; a copy, set it to change them."""
        return copy_of_json(self._description.settings)

    @settings.setter
    def settings(self, settings: Mapping[str, Any]) -> None:
        chosen = copy_of_json(settings)
        if chosen != self._description.settings:
            self._describe(settings=chosen)

    @property
    def view(self) -> ProjectView:
        """Where one was; set it to change it."""
        return self._view

    @view.setter
    def view(self, view: ProjectView) -> None:
        self._check_writable()
        with self._changing:
            if view != self._view:
                self._view = view
                self._unsaved |= _Unsaved(view=True)

    @property
    def probe(self) -> LinearProbe | None:
        """The probe, None before the first one; set it to change it.

        Raises
        ------
        ProbeError
            When its file is damaged; it is not replaced then.
        """
        with self._changing:
            if not self._probe_known:
                there = os.path.lexists(self._folder.probe)
                self._probe = LinearProbe.load(self._folder.probe) if there else None
                self._probe_known = True
            return self._probe

    @probe.setter
    def probe(self, probe: LinearProbe | None) -> None:
        self._check_writable()
        with self._changing:
            before = self.probe  # raises where it is damaged
            if probe is not None or before is not None:
                self._probe = probe
                self._unsaved |= _Unsaved(probe=True)

    @property
    def probe_file(self) -> Path:
        """Where the probe is saved, for programs that read probes."""
        return self._folder.probe

    # -- on the disk

    def save(self) -> None:
        """Write what changed since the last time; at whatever moment a process is killed, the project opens afterwards.

        Raises
        ------
        ProjectError
            When the project is read-only.
        OSError
            When the disk is full or cannot be written to: what was there before stays, and what is not written yet is
            written by the next call.
        """
        self._check_writable()
        with self._saving:
            with self._changing:
                todo, self._unsaved = self._unsaved, _Unsaved()
                planes = self.labels.take_unsaved()
                description, view, probe = self._description, self._view, self._probe
            written = False
            try:
                # Labels follow what they belong to; files go when nothing refers to them.
                if todo.description:
                    write_description(self.path, description)
                self.labels.write(self._folder, planes)
                if todo.probe:
                    self._write_probe(probe)
                if todo.view:
                    write_view(self.path, view)
                for image in todo.dropped:
                    self._folder.remove_image(image)
                written = True
            finally:
                if not written:
                    with self._changing:
                        self._unsaved = todo | self._unsaved
                        self.labels.give_back(planes)

    def save_as(self, path: str | Path) -> None:
        """Save the project elsewhere and go on there; one from the recovery folder leaves it.

        Raises
        ------
        ProjectError
            When something is there already, or the name is not NAME.patchfield.
        OSError
            When it cannot be written; the project stays where it is.
        """
        target = Path(os.path.abspath(path))
        check_not_inside(target, self.path)
        make_folder(target)
        with self._saving, self._changing:
            before, after = self._folder, ProjectFolder(target)
            leaves = self.is_recovered and not self.read_only
            taken = self.labels.take_unsaved()  # what is painted from now on is for the next save
            try:
                moved = with_kept_images(self._description, before, after)
                self.labels.write(after, self.labels.everything())
                write_view(target, self._view)
                if self.probe is not None:
                    self.probe.save(after.probe)
                write_description(target, moved)  # last, for it is what makes the folder a project
            except (OSError, PatchfieldError):
                self.labels.give_back(taken)
                after.remove_all(list(self._description.images))
                raise
            self._folder, self._description, self._unsaved = after, moved, _Unsaved()
            if leaves:
                before.remove_all(list(moved.images))
            before.close()

    def discard(self) -> None:
        """Delete the project, and nothing in its folder that Patchfield did not write. It is closed afterwards.

        Raises
        ------
        ProjectError
            When the project is read-only.
        """
        self._check_writable()
        with self._saving:
            self._folder.remove_all([*self._description.images, *self._unsaved.dropped])

    def close(self) -> None:
        """Let others write to it; what is not saved is lost."""
        self._folder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _describe(self, dropped: tuple[str, ...] = (), **changes: Any) -> None:
        self._check_writable()
        with self._changing:
            self._description = replace(self._description, **changes)
            self._unsaved |= _Unsaved(description=True, dropped=dropped)

    def _write_probe(self, probe: LinearProbe | None) -> None:
        if probe is not None:
            probe.save(self._folder.probe)
        else:
            self._folder.remove(self._folder.probe)

    def _check_writable(self) -> None:
        if self.read_only:
            raise ProjectError(f"The project {self.path} is open read-only: save it elsewhere to change it.")
        if not self._folder.is_held:
            raise ProjectError(f"The project {self.path} is closed: open it again to change it.")


def _as_tuple(recipes: FeatureRecipe | Sequence[FeatureRecipe]) -> tuple[FeatureRecipe, ...]:
    return (recipes,) if isinstance(recipes, FeatureRecipe) else tuple(recipes)
