"""From a project to the window: classes, features, probe, view, and strokes with what can be undone."""

from typing import Any

import numpy as np

from patchfield.errors import PatchfieldError
from patchfield.images import PlaneIndex, Stack
from patchfield.napari.layers.annotated import AnnotatedImage
from patchfield.napari.layers.camera import go_to, look_at
from patchfield.napari.project.images import Images
from patchfield.napari.project.reading import Opened
from patchfield.napari.project.stored import index_in_layer
from patchfield.napari.session.classes import PaintClass
from patchfield.napari.session.view import Show
from patchfield.napari.workspace import Workspace
from patchfield.store import Edit, Project, ProjectImage, ProjectView


class Restoring:
    """Puts a window in the state that a project was left in.

    Parameters
    ----------
    workspace : Workspace
    images : Images
    """

    def __init__(self, workspace: Workspace, images: Images) -> None:
        self._workspace, self._images = workspace, images
        self._view: tuple[str, ProjectView] | None = None
        self._of_others: frozenset[str] | None = None
        self._is_whole = True
        workspace.features.ready.connect(self._on_field)
        workspace.groups.taken_up.connect(self._on_taken_up)

    @property
    def of_others(self) -> list[str]:
        """The images, by their ids, that the probe keeps samples of and whose strokes are not in the project."""
        kept = {source.id for source in self._workspace.live.kept.sources}
        return sorted(kept if self._of_others is None else self._of_others)

    def restore(self, opened: Opened) -> None:
        """Take over what a project says, and open the image that was current."""
        workspace, view = self._workspace, opened.view
        workspace.annotations.elsewhere.update(opened.painted)
        self._is_whole = all(item.key in opened.painted for item in opened.items if item.painted)
        self._make_features(opened)
        said = opened.settings.get("kept", [])
        self._of_others = frozenset(map(str, said)) if isinstance(said, list) else frozenset()
        workspace.classes.restore(
            PaintClass(value, known.info, visible=known.visible) for value, known in opened.project.classes.items()
        )
        workspace.follow(bool(opened.settings.get("live", True)))
        if view.show in list(Show):
            workspace.show(Show(view.show), view.shown_class)
        if opened.painted:
            workspace.annotations.strokes_changed.emit()
        self._on_field()
        item = next((item for item in opened.items if item.stored == view.image), None)
        item = item or next(iter(opened.items), None)
        if item is not None and not item.problem:
            self._view = (item.key, view)
            self._images.choose(item.key)

    def _make_features(self, opened: Opened) -> None:
        """Features as the project has them, and its probe where that was trained on these."""
        workspace, recipes = self._workspace, opened.project.recipes
        try:
            if opened.probe is not None:
                workspace.adopt(opened.probe)
            elif recipes:
                workspace.annotations.default = recipes[0].image
                workspace.make_features(recipes)
        except PatchfieldError as error:
            workspace.on_error(error)

    def _on_field(self, _: object = None) -> None:
        """Once all strokes are learned from again, the probe keeps no samples of them beside."""
        if self._of_others is None or not self._is_whole:
            return
        planes = [plane for plane, _, _ in self._workspace.annotations.painted_planes()]
        if planes and all(self._workspace.features.is_complete(plane) for plane in planes):
            images, self._of_others = self._of_others, None
            self._workspace.live.keep_only(images)

    def _on_taken_up(self) -> None:
        """The image that was current is there: look where one looked."""
        current, item = self._workspace.current, self._images.current
        if self._view is None or current is None or item is None:
            return
        (key, view), self._view = self._view, None
        if item.key != key:
            return
        if len(view.plane) == len(current.source.lengths):
            go_to(self._workspace.viewer, current.source, view.plane)
        if view.zoom > 0 and len(view.center) >= 2:
            look_at(self._workspace.viewer, view.center, view.zoom)
        if view.selected_class in self._workspace.classes:
            self._workspace.select_class(view.selected_class)


def restore_strokes(annotated: AnnotatedImage, project: Project, image: ProjectImage) -> None:
    """Put the strokes of a project on an image whose labels are blank, with what can be undone.

    Raises
    ------
    ImageError
        When its planes are others than those that were painted on.
    """
    source = annotated.source
    painted = project.labels.planes(image)
    planes = {index_in_layer(image, source, index): project.labels[image, index] for index in painted}
    history = project.labels.history(image)
    done, undone = ([_step(edit, image, source) for edit in edits] for edits in (history.done, history.undone))
    annotated.restore(planes, done, undone)


def _step(edit: Edit, image: ProjectImage, source: Stack) -> list[Any]:
    """A step of undo as napari has it, for the planes as a layer calls them."""
    atoms = []
    for (*lead, rows, columns), before, after in edit.assignments(image.shape):
        index: PlaneIndex = tuple(int(positions[0]) for positions in lead)
        where = [np.full(len(rows), position) for position in index_in_layer(image, source, index)]
        atoms.append(((*where, rows, columns), before, after))
    return atoms
