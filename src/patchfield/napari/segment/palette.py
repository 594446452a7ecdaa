"""What can be done to the list of classes beside painting with them."""

from collections.abc import Mapping

from patchfield.errors import LabelError
from patchfield.napari.session.classes import SUGGESTED, suggested
from patchfield.napari.session.settings import Settings
from patchfield.napari.workspace import Workspace
from patchfield.probe import ClassInfo


class Palette:
    """Merges classes, walks through them, and keeps sets of them.

    Parameters
    ----------
    workspace : Workspace
    settings : Settings
        Where sets of classes are kept.
    """

    def __init__(self, workspace: Workspace, settings: Settings) -> None:
        self._workspace = workspace
        self._settings = settings

    def step(self, by: int) -> None:
        """Paint with the class that stands so many rows further down; the list is a ring."""
        values = self._workspace.classes.values
        place = values.index(self._workspace.selected_class)
        self._workspace.select_class(values[(place + by) % len(values)])

    def merge(self, value: int, into: int) -> None:
        """Give all strokes of a class to another one, on all images, and remove it.

        Undo, image by image, brings its strokes and the class back.
        """
        workspace = self._workspace
        if value == into:
            return
        for annotated in workspace.annotations:
            if annotated.labels.selected_label == value:
                annotated.labels.selected_label = into
        workspace.classes.remove(value, returns=workspace.annotations.relabel(value, into))
        workspace.select_class(into)

    @property
    def presets(self) -> Mapping[str, Mapping[int, ClassInfo]]:
        """Sets of classes by name: those that were kept, then those to begin with."""
        kept = self._settings.memory.presets
        return {**kept, **{name: suggested(names) for name, names in SUGGESTED.items() if name not in kept}}

    def is_kept(self, name: str) -> bool:
        """Whether a set was kept by the user."""
        return name in self._settings.memory.presets

    def keep(self, name: str) -> None:
        """Keep the classes as they are now under a name; a set of that name is replaced.

        Raises
        ------
        LabelError
            When the name is empty.
        """
        if not name.strip():
            raise LabelError("The set of classes has no name: write one.")
        self._settings.save_preset(name.strip(), self._workspace.classes.infos)

    def forget(self, name: str) -> None:
        """Keep a set no longer."""
        self._settings.remove_preset(name)

    def apply(self, name: str) -> None:
        """Take the classes of a set; classes with strokes that it lacks stay."""
        self._workspace.classes.replace(self.presets[name])
        self._workspace.select_class(self._workspace.selected_class)
