"""From one panel to the next in the same viewer: a panel that closes leaves in the labels which project is theirs."""

from pathlib import Path

from patchfield.errors import PatchfieldError
from patchfield.napari.layers import roles
from patchfield.napari.project.images import Images, Listed
from patchfield.napari.project.reading import painted_on, read_project
from patchfield.napari.project.recording import Recording
from patchfield.napari.project.writer import Writer
from patchfield.napari.workspace import Workspace

_PROJECT = "project"


def leave_in_labels(project: Path, workspace: Workspace, images: Images) -> None:
    """Note in all labels layers which project, and which image of it, is theirs."""
    for annotated in workspace.annotations:
        item = images.item_for(annotated.source.layer)
        annotated.labels.metadata[roles.METADATA_KEY][_PROJECT] = (str(project), item.stored)


def go_on_from_labels(recording: Recording, workspace: Workspace, images: Images) -> None:
    """Go on with the project of a panel that was closed in this viewer, whose labels are still there."""
    waiting: dict[str, Listed] = {}
    for annotated in workspace.annotations:
        left = annotated.labels.metadata[roles.METADATA_KEY].pop(_PROJECT, None)
        if left is None:
            continue
        try:
            if recording.writer.path is None:
                opened = read_project(Path(left[0]))
                recording.writer = Writer(opened.project)
                waiting = {item.stored: item for item in opened.items}
            item = waiting.pop(left[1], None)
            if item is not None:
                images.item_for(annotated.source.layer).stored = item.stored
        except (PatchfieldError, OSError) as error:
            workspace.on_error(error)
            return
    if recording.writer.project is not None:
        others = tuple(waiting.values())
        images.take_over(others)
        recording.writer.adopt(images)
        for item in others:
            painted = painted_on(recording.writer.project, item)
            if painted is not None:
                workspace.annotations.elsewhere[item.key] = painted
