"""Folders that are dropped on the viewer: images go to the list, projects are opened; all else is napari's."""

from pathlib import Path

from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QDropEvent, QGuiApplication

from patchfield.images import IMAGE_SUFFIXES
from patchfield.napari._qt.notices import notify_refusals
from patchfield.napari.controller import Controller
from patchfield.napari.project.images import images_in
from patchfield.store import SUFFIX


class Dropping(QObject):
    """Takes what the list of images or the project is for, while the panel is open.

    With Shift or Alt, which mean something to napari, nothing is taken.

    Parameters
    ----------
    parent : QObject
        The panel.
    viewer : Viewer
    controller : Controller
    """

    def __init__(self, parent: QObject, viewer: Viewer, controller: Controller) -> None:
        super().__init__(parent)
        self._controller = controller
        # napari 0.9 has no public way to the widget that takes drops.
        viewer.window._qt_viewer.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if not isinstance(event, QDropEvent) or event.type() != QEvent.Type.Drop:
            return False
        modifiers = QGuiApplication.keyboardModifiers()
        mime = event.mimeData()
        if mime is None or modifiers & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.AltModifier):
            return False
        urls = mime.urls()
        paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
        if len(paths) != len(urls) or not self.take(paths):
            return False
        event.acceptProposedAction()
        return True

    def take(self, paths: list[Path]) -> bool:
        """Take what was dropped, if it is a project, a folder of images, or several images; whether it was."""
        if len(paths) == 1 and paths[0].is_dir():
            return self._take_folder(paths[0])
        images = len(paths) > 1 and all(path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES for path in paths)
        if images:
            notify_refusals(self._controller.images.add_files)(paths)
        return images

    def _take_folder(self, folder: Path) -> bool:
        if folder.suffix == SUFFIX:
            self._controller.project.open(folder)
            return True
        try:
            found = images_in(folder)
        except OSError:
            return False
        if found:
            notify_refusals(self._controller.images.add_files)(found)
        return bool(found)
