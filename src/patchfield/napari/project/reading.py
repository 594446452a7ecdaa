"""A project as it is read, away from the GUI thread: its images, what is painted on them, its probe."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from patchfield.errors import PatchfieldError, error_sentence
from patchfield.napari.layers.annotations import PaintedElsewhere
from patchfield.napari.project.images import Listed
from patchfield.napari.project.stored import FileStack
from patchfield.napari.project.writer import WINDOW
from patchfield.probe import LinearProbe, PaintedPixels
from patchfield.store import Project, ProjectImage, ProjectView, is_held, recoverable


@dataclass(frozen=True, eq=False)
class Opened:
    """A project that was opened.

    Attributes
    ----------
    project : Project
    items : tuple of Listed
        Its images, in the order of the list.
    painted : dict of str to PaintedElsewhere
        What is painted on images that can be read, by keys of the list.
    probe : LinearProbe or None
    view : ProjectView
        Where one was.
    warning : str
        What is amiss and hinders nothing, a sentence.
    """

    project: Project
    items: tuple[Listed, ...]
    painted: dict[str, PaintedElsewhere]
    probe: LinearProbe | None
    view: ProjectView
    warning: str = ""

    @property
    def settings(self) -> dict[str, Any]:
        """What the window keeps in it."""
        found = self.project.settings.get(WINDOW, {})
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Offer:
    """A project to go on with.

    Attributes
    ----------
    path : Path
    time : float
        When it was written to last, in seconds since 1970.
    images : tuple of str
        Their names.
    strokes : int
    is_unsaved : bool
        Whether no person has saved it anywhere yet.
    """

    path: Path
    time: float
    images: tuple[str, ...] = field(default=())
    strokes: int = 0
    is_unsaved: bool = False


def read_project(path: Path) -> Opened:
    """Open a project and read what the window needs of it.

    Raises
    ------
    ProjectError
        When it is no project, is damaged, was saved by a newer version, or is open elsewhere. Nothing is changed.
    OSError
        When it cannot be read, or not be written to.
    """
    project = Project.open(path)
    try:
        items = listed_images(project)
        painted = {item.key: found for item in items if (found := painted_on(project, item)) is not None}
        probe, warning = _probe(project)
        return Opened(project, items, painted, probe, project.view, warning)
    except (PatchfieldError, OSError):
        project.close()
        raise


def listed_images(project: Project) -> tuple[Listed, ...]:
    """The images of a project as the list has them, with what speaks against opening one."""
    missing = {image.id for image in project.missing}
    edited = {image.id for image in project.changed}
    found = {image.id: _listed(project, image, image.id in missing, image.id in edited) for image in project.images}
    said = project.settings.get(WINDOW, {})
    order = said.get("order", []) if isinstance(said, dict) else []
    first = [found.pop(stored) for stored in order if isinstance(stored, str) and stored in found]
    return (*first, *found.values())


def painted_on(project: Project, item: Listed) -> PaintedElsewhere | None:
    """What is painted on an image of a project, where its pixels are what they were."""
    image = project.image(item.stored)
    planes = project.labels.planes(image)
    if not planes or item.problem:
        return None
    labels = {index: PaintedPixels.from_array(project.labels[image, index]) for index in planes}
    return PaintedElsewhere(item.key, FileStack.from_stored(image), labels)


def offers(recent: Iterable[Path]) -> Iterator[tuple[Offer, ...]]:
    """Projects to go on with, the latest first: unsaved ones that were left, and those that were open last."""
    found = [Offer(each.path, each.time, each.images, each.strokes, True) for each in recoverable() if not each.problem]
    for path in recent:
        try:
            if path.is_dir() and not is_held(path):
                found.append(_offer(path))
        except (PatchfieldError, OSError):
            continue  # it says why when somebody opens it
    yield tuple(sorted(found, key=lambda offer: -offer.time))


def _offer(path: Path) -> Offer:
    with Project.open(path, read_only=True) as project:
        times = [file.stat().st_mtime for file in path.iterdir() if file.is_file()]
        names = tuple(image.name for image in project.images)
        return Offer(path, max(times, default=0.0), names, project.labels.strokes())


def _listed(project: Project, image: ProjectImage, missing: bool, edited: bool) -> Listed:
    own = image.path.is_relative_to(project.path)
    item = Listed(image.name, None if own else image.path, stored=image.id, settings=image.settings)
    item.kept = image.path if own else None
    item.painted = bool(project.labels.planes(image))
    if missing:
        item.problem = f"{image.path} is not there any more: find it again in the Project menu."
    elif edited:
        item.problem = f"{image.path} is another image than when it was added: say in the Project menu what to do."
    return item


def _probe(project: Project) -> tuple[LinearProbe | None, str]:
    """The probe of a project; a damaged one is left alone, for the strokes make another."""
    try:
        return project.probe, ""
    except (PatchfieldError, OSError) as error:
        return None, error_sentence(error) or str(error)
