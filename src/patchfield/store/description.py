"""What a project says about itself: ``project.json``, and ``view.json`` with where one was.

``project.json`` changes when images, classes or recipes do; ``view.json`` whenever another place is looked at. Both are
JSON. Keys are exactly those of this version: what is missing or unknown makes a file damaged, and a later version is
refused before anything else of it is read.

``project.json``: ``format`` ("patchfield-project"), ``version`` (1), ``images`` (see
:class:`patchfield.store.ProjectImage`), ``classes`` in the order of the list (value, name, color, key, visible),
``recipes`` (see :class:`patchfield.FeatureRecipe`; several are joined) and ``settings`` (any JSON of the program that
wrote it).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from patchfield.atomic import atomic_path
from patchfield.errors import PatchfieldError, ProjectError
from patchfield.field import FeatureRecipe
from patchfield.images import PlaneIndex
from patchfield.probe import ClassInfo
from patchfield.store.checks import listing, mapping, number, read_json, require, text, whole
from patchfield.store.image import ProjectImage
from patchfield.store.sparse import MAX_LABEL

DESCRIPTION, VIEW = "project.json", "view.json"
FORMAT, VERSION = "patchfield-project", 1
MAX_DESCRIPTION, MAX_VIEW = 2**26, 2**20
"""Bytes; a hundred thousand images have half of it."""

_KEYS = frozenset({"format", "version", "images", "classes", "recipes", "settings"})
_CLASS_KEYS = frozenset({"value", "name", "color", "key", "visible"})
_RECIPE_KEYS = frozenset({"backbone", "options", "fingerprint", "sampling", "interpolation", "image", "guide"})
_MAX_RECIPES = 64


@dataclass(frozen=True)
class ProjectClass:
    """A class as a project keeps it.

    Attributes
    ----------
    name : str
    color : str
        "#rrggbb".
    key : str
        The key that chooses it, as the window writes keys; "" for the one that its place in the list gives it.
    visible : bool
        Whether segmentations show it.

    Raises
    ------
    ProbeError
        When the colour is written otherwise.
    """

    name: str
    color: str
    key: str = ""
    visible: bool = True

    def __post_init__(self) -> None:
        ClassInfo(self.name, self.color)

    @property
    def info(self) -> ClassInfo:
        """What a probe keeps of it."""
        return ClassInfo(self.name, self.color)


@dataclass(frozen=True)
class ProjectView:
    """Where one was, to continue there.

    Attributes
    ----------
    image : str
        Id of the current image; "" for none.
    plane : tuple of int
        Of this image.
    center : tuple of float
        Of the camera, in (row, column), or (plane, row, column) where the viewer has three axes.
    zoom : float
        Of the camera; 0 where it is not known.
    selected_class : int
        Label value that is painted with.
    show : str
        Which result is on view, in the window's words; "" where nothing is said.
    shown_class : int
        Whose probability is shown.
    """

    image: str = ""
    plane: PlaneIndex = ()
    center: tuple[float, ...] = ()
    zoom: float = 0.0
    selected_class: int = 1
    show: str = ""
    shown_class: int = 1


@dataclass(frozen=True)
class Description:
    """What :data:`DESCRIPTION` holds.

    Attributes
    ----------
    images : dict of str to ProjectImage
        By id, in the order of the list.
    classes : dict of int to ProjectClass
        By label value, in the order of the list.
    recipes : tuple of FeatureRecipe
    settings : dict
    """

    images: dict[str, ProjectImage] = field(default_factory=dict)
    classes: dict[int, ProjectClass] = field(default_factory=dict)
    recipes: tuple[FeatureRecipe, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


def write_description(folder: Path, description: Description) -> None:
    """Write ``project.json``, whole or not at all.

    Raises
    ------
    ProjectError
        When the settings are no JSON.
    OSError
        When the disk is full, or the folder cannot be written to.
    """
    _write_json(
        folder / DESCRIPTION,
        {
            "format": FORMAT,
            "version": VERSION,
            "images": [image.to_json(folder) for image in description.images.values()],
            "classes": [{"value": value, **asdict(known)} for value, known in description.classes.items()],
            "recipes": [recipe.to_json() for recipe in description.recipes],
            "settings": description.settings,
        },
    )


def read_description(folder: Path) -> Description:
    """What :func:`write_description` wrote.

    Raises
    ------
    ProjectError
        When the folder is no project, or one that is damaged or of a newer version.
    """
    if not (folder / DESCRIPTION).is_file():
        raise ProjectError(f"{folder} is no project: give a folder that Patchfield saved as one (NAME.patchfield).")
    try:
        said = read_json(folder / DESCRIPTION, MAX_DESCRIPTION)
        require(said.get("format") == FORMAT, "it does not say that it is a project")
        version = whole(said["version"], 1, 2**31, "its version")
        if version == VERSION:
            return _description(mapping(said, "it", _KEYS), folder)
    except PatchfieldError as error:
        raise _damaged(folder / DESCRIPTION, str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _damaged(folder / DESCRIPTION, _reason(error)) from error
    raise ProjectError(f"The project {folder} was saved by a newer Patchfield: update Patchfield to open it.")


def write_view(folder: Path, view: ProjectView) -> None:
    """Write ``view.json``, whole or not at all.

    Raises
    ------
    OSError
        When the disk is full, or the folder cannot be written to.
    """
    _write_json(folder / VIEW, asdict(view))


def read_view(folder: Path) -> ProjectView:
    """What :func:`write_view` wrote; the beginning where nothing was written yet.

    Raises
    ------
    ProjectError
        When it is damaged.
    """
    if not (folder / VIEW).exists():
        return ProjectView()
    try:
        said = mapping(read_json(folder / VIEW, MAX_VIEW), "it", {each.name for each in fields(ProjectView)})
        return ProjectView(
            image=text(said["image"], "the image"),
            plane=tuple(whole(position, 0, 2**31, "the plane") for position in listing(said["plane"])),
            center=tuple(number(position, "the centre") for position in listing(said["center"])),
            zoom=number(said["zoom"], "the zoom"),
            selected_class=whole(said["selected_class"], 0, MAX_LABEL, "the selected class"),
            show=text(said["show"], "what is shown"),
            shown_class=whole(said["shown_class"], 0, MAX_LABEL, "the class that is shown"),
        )
    except ValueError as error:
        raise ProjectError(
            f"{folder / VIEW} is damaged ({_reason(error)}): delete this file, it only says what was on view."
        ) from error


def copy_of_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of settings, as a file gives them back.

    Raises
    ------
    ProjectError
        When they are no JSON.
    """
    try:
        copied: dict[str, Any] = json.loads(json.dumps(dict(values), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ProjectError(f"The settings of a project are plain JSON, and these are not: {error}.") from error
    return copied


def _description(said: dict[str, Any], folder: Path) -> Description:
    images = [ProjectImage.from_json(entry, folder) for entry in listing(said["images"], "its images")]
    by_id = {image.id: image for image in images}
    require(len(by_id) == len(images), "two images of one id")
    classes: dict[int, ProjectClass] = {}
    for entry in listing(said["classes"], "its classes"):
        known = mapping(entry, "a class", _CLASS_KEYS)
        value = whole(known["value"], 1, MAX_LABEL, "the value of a class")
        require(value not in classes and isinstance(known["visible"], bool), f"the class {value}")
        name, key = text(known["name"], "the name of a class"), text(known["key"], "the key of a class")
        classes[value] = ProjectClass(name, text(known["color"], "the colour of a class"), key, known["visible"])
    return Description(by_id, classes, _recipes(said["recipes"]), mapping(said["settings"], "its settings"))


def _recipes(entries: Any) -> tuple[FeatureRecipe, ...]:
    found: list[FeatureRecipe] = []
    for entry in listing(entries, "its recipes", _MAX_RECIPES):
        recipe = {"guide": ""} | mapping(entry, "a recipe")
        mapping(recipe, "a recipe", _RECIPE_KEYS)
        for name in ("backbone", "fingerprint", "sampling", "interpolation", "guide"):
            text(recipe[name], f"the {name} of a recipe")
        mapping(recipe["options"], "the options of a recipe")
        mapping(recipe["image"], "the image settings of a recipe")
        found.append(FeatureRecipe.from_json(recipe))
    return tuple(found)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1), encoding="ascii")


def _damaged(path: Path, reason: str) -> ProjectError:
    return ProjectError(f"{path} is damaged ({reason.rstrip('.')}): take the file from a backup; nothing was changed.")


def _reason(error: Exception) -> str:
    missing = isinstance(error, KeyError)
    return f"{error.args[0]!r} is missing" if missing else " ".join(str(error).split()).rstrip(".")
