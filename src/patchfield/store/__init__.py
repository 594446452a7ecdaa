"""Projects: images, strokes, classes, probe, recipes and view as one folder, written while one paints.

``NAME.patchfield`` holds:

===========================  =========================================================================================
file                         what it is
===========================  =========================================================================================
``project.json``             images (by path, and by a hash of their content), classes, recipes, settings
                             (:mod:`patchfield.store.description`)
``labels/IMAGE/p....npz``    what is painted on a plane, and its last changes (:mod:`patchfield.store.plane_files`)
``probe.probe``              the probe (:mod:`patchfield.probe.file`)
``view.json``                where one was
``images/IMAGE.tif``         images that have no file elsewhere
``project.lock``             held by the process that writes
===========================  =========================================================================================

JSON for what a person may want to read, NumPy archives for labels: anything reads both, neither can hold code, and a
plane is one small file, so that a stroke costs kilobytes whatever the size of the stack. Every file is replaced as a
whole: a process that is killed leaves each as it was before or after, and only the last write is lost. What is newer or
damaged is refused, and never written over. Paths of images are relative where they lie below or beside the project, so
that they may move together.
"""

from patchfield.store.arranged import ArrangedStack, arranged
from patchfield.store.description import ProjectClass, ProjectView
from patchfield.store.folder import SUFFIX, is_held, recovery_folder
from patchfield.store.history import Edit, History
from patchfield.store.image import ProjectImage
from patchfield.store.labels import ImageKey, ProjectLabels
from patchfield.store.project import Project
from patchfield.store.recovery import Recoverable, recoverable
from patchfield.store.sparse import Change

__all__ = [
    "SUFFIX",
    "ArrangedStack",
    "Change",
    "Edit",
    "History",
    "ImageKey",
    "Project",
    "ProjectClass",
    "ProjectImage",
    "ProjectLabels",
    "ProjectView",
    "Recoverable",
    "arranged",
    "is_held",
    "recoverable",
    "recovery_folder",
]
