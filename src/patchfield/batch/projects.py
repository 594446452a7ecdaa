"""Projects and files: labels into a project and out of it, and its probe over files."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from patchfield.batch.job import Job, Results, Watch
from patchfield.batch.labels import LabelFiles
from patchfield.batch.matching import match_labels
from patchfield.batch.names import output_names
from patchfield.batch.outputs import check_folder
from patchfield.batch.segmentation import segment_with_probe
from patchfield.errors import LabelError, OutputError, ProjectError
from patchfield.images import ImageSettings, PlaneIndex, read_provenance, write_labels
from patchfield.pipeline import Extractor
from patchfield.probe import ClassInfo
from patchfield.store import Project, ProjectClass, ProjectImage

STROKES = "_strokes.tif"


@dataclass(frozen=True)
class Imported:
    """Labels of a file, taken into a project.

    Attributes
    ----------
    image : ProjectImage
    file : Path
    planes : int
        How many planes something is painted on.
    """

    image: ProjectImage
    file: Path
    planes: int


def import_labels(project: Project, files: Sequence[Path], plane: PlaneIndex | None = None) -> list[Imported]:
    """Set the labels of a project's images from label files, matched by name; all or none.

    Parameters
    ----------
    project : Project
    files : sequence of Path
    plane : tuple of int, optional
        The only plane of stacks that is used.

    Raises
    ------
    LabelError
        When no file fits an image, or labels do not fit theirs.
    ImageError
        When a file cannot be read.
    """
    images = {image.path: image for image in project.images}
    job, label_files = Job(tuple(images), Path(), plane=plane), LabelFiles()
    matched = match_labels(list(images), files)
    read = {file: label_files.read(job, images[path].open(), file) for path, file in matched.items()}
    if not any(read.values()):
        raise LabelError("Nothing is painted in any of the label files.")
    values: set[int] = set()
    for path, file in matched.items():
        project.labels.paint(images[path], {each.index: each.labels for each in read[file]})
        values |= {int(value) for each in read[file] for value in np.unique(each.labels) if value}
    named = {value: ClassInfo.default(value) for value in sorted(values)} | label_files.classes
    new = {value: ProjectClass(info.name, info.color) for value, info in named.items()}
    project.classes = new | project.classes
    return [Imported(images[path], file, len(read[file])) for path, file in matched.items()]


def export_labels(project: Project, folder: Path) -> list[Path]:
    """Write what is painted on each image as NAME_strokes.tif, with names and colours of the classes.

    Raises
    ------
    OutputError
        When the folder cannot be written to, or a file would be replaced that is no earlier export.
    ImageError
        When an image cannot be read.
    """
    painted = {image.path: image for image in project.images if project.labels.planes(image)}
    check_folder(folder)
    names = output_names(list(painted))
    targets = {path: folder / f"{name}{STROKES}" for path, name in names.items()}
    for target in targets.values():
        if os.path.lexists(target) and (read_provenance(target) or {}).get("project") != str(project.path):
            raise OutputError(f"{target} is no export of this project and would be replaced: write elsewhere.")
    classes = {value: known.info for value, known in project.classes.items()}
    for path, image in painted.items():
        stack = image.open()
        labels = np.zeros((*image.lengths, *image.shape), np.uint32)
        for index in project.labels.planes(image):
            labels[index] = project.labels[image, index]
        provenance = {"image": str(path), "project": str(project.path)}
        write_labels(targets[path], labels, stack.calibration, image.axes, classes, provenance)
    return list(targets.values())


def segment_project(
    project: Project, images: Sequence[Path], options: Job, extractor: Extractor, watch: Watch
) -> Results:
    """Segment images with a project's probe: its own ones as each is seen there, others as the probe's recipes say.

    Parameters
    ----------
    project : Project
    images : sequence of Path
        Files, or nothing for all images of the project.
    options : Job
        Where results go, and what they are; its images do not count.
    extractor : Extractor
        Of the probe's recipes.
    watch : callable
        Called with the file that is worked on and how far its field is.

    Raises
    ------
    PatchfieldError
        When there is no probe, or results would replace what they must not.
    """
    probe = project.probe
    if probe is None or not project.probe_file.exists():
        raise ProjectError(f"The project {project.path} has no probe yet: `patchfield project fit {project.path}`.")
    alike: dict[ImageSettings | None, list[Path]] = {}
    for path in images or [image.path for image in project.images]:
        alike.setdefault(_settings_of(project, path), []).append(path)
    if not alike:
        raise ProjectError(f"The project {project.path} has no images yet: add some, or give the files to segment.")
    parts: list[Results] = []
    for settings, files in alike.items():
        axes = options.axes or (extractor.axes if settings is None else settings.axes)
        job = replace(options, images=tuple(files), axes=axes)
        parts.append(segment_with_probe(job, probe, extractor.seen_with(settings), watch, project.probe_file))
    for part in parts[1:]:
        parts[0].failures.sentences.update(part.failures.sentences)
        parts[0].finished.extend(part.finished)
        parts[0].earlier.extend(part.earlier)
        parts[0].warnings.update(part.warnings)
        parts[0].names.update(part.names)
    return parts[0]


def _settings_of(project: Project, path: Path) -> ImageSettings | None:
    try:
        return project.image(path).settings
    except ProjectError:
        return None
