"""What a window says of itself at a moment, as a project keeps it."""

from dataclasses import replace

from patchfield.napari.layers.camera import place
from patchfield.napari.project.images import Images
from patchfield.napari.project.writer import Said
from patchfield.napari.workspace import Workspace
from patchfield.store import ProjectClass, ProjectView


def said(
    workspace: Workspace, images: Images, of_others: list[str], *, probe_is_due: bool = False, listing: bool = True
) -> Said:
    """All that a project says beside labels, as it is now.

    Parameters
    ----------
    workspace : Workspace
    images : Images
    of_others : list of str
        Images, by their ids, that the probe keeps samples of and whose strokes are not in the project.
    probe_is_due : bool
        Whether the probe is written.
    listing : bool
        Whether images that nothing is painted on are added.
    """
    return Said(
        classes={entry.value: ProjectClass(entry.name, entry.color, "", entry.visible) for entry in workspace.classes},
        recipes=tuple(replace(recipe, image=workspace.annotations.default) for recipe in workspace.features.recipes),
        settings={"live": workspace.live.following, "kept": of_others},
        view=_view(workspace),
        current=images.current,
        probe=workspace.live.probe,
        probe_is_due=probe_is_due,
        items=tuple(images),
        listing=listing,
    )


def _view(workspace: Workspace) -> ProjectView:
    shown = ProjectView(
        selected_class=workspace.selected_class,
        show=workspace.view.show.value,
        shown_class=workspace.view.shown_class,
    )
    if workspace.current is None:
        return shown
    plane, center, zoom = place(workspace.viewer, workspace.current.source)
    return replace(shown, plane=plane, center=center, zoom=zoom)
