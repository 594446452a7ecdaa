"""Several images, their painted labels and one probe, kept as a folder."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.atomic import atomic_path
from patchfield.errors import LabelError, ProjectError
from patchfield.field import FeatureField
from patchfield.images import ImageSettings, Micrograph, read_image, read_labels, write_labels
from patchfield.pipeline import Pipeline, Progress
from patchfield.probe import ClassInfo, LinearProbe

VERSION = 1
DOCUMENT = "project.json"
PROBE = "project.probe"
LABELS = "labels"


@dataclass(eq=False)
class ProjectImage:
    """An image file and what was painted on it.

    Attributes
    ----------
    path : Path
        The image file; it is referred to, never copied or changed.
    labels : ndarray of int or None
        0 = unlabelled; (H, W) or, for a stack of N planes, (N, H, W).
    plane : int or None
        The only plane of a stack that is used; all of them when None.
    """

    path: Path
    labels: NDArray[Any] | None = None
    plane: int | None = None

    def planes(self, micrograph: Micrograph) -> list[int]:
        """The planes that are used."""
        return list(range(micrograph.planes)) if self.plane is None else [micrograph.at(self.plane).plane]

    def training_fields(
        self, pipeline: Pipeline, progress: Progress | None = None
    ) -> Iterator[tuple[int, FeatureField, NDArray[Any]]]:
        """Number, field and labels (H, W) of every painted plane; nothing is read when nothing is painted.

        Raises
        ------
        ImageError
            When the image cannot be read.
        LabelError
            When the labels have another shape than the image.
        """
        if self.labels is None or not self.labels.any():
            return
        micrograph = read_image(self.path)
        for plane, labels in self._labels_of_planes(micrograph).items():
            if labels.any():
                yield plane, pipeline.field(micrograph.at(plane), progress), labels

    def _labels_of_planes(self, micrograph: Micrograph) -> dict[int, NDArray[Any]]:
        planes = self.planes(micrograph)
        assert self.labels is not None
        if self.labels.shape == micrograph.shape and len(planes) == 1:
            return {planes[0]: self.labels}
        if self.labels.shape == (micrograph.planes, *micrograph.shape):
            return {plane: self.labels[plane] for plane in planes}
        raise LabelError(
            f"The labels of {self.path} have shape {self.labels.shape}, but the image has {micrograph.planes} plane(s) "
            f"of shape {micrograph.shape}: give labels of the same shape, or say which plane they belong to."
        )


def segmented(
    image: ProjectImage, probe: LinearProbe, pipeline: Pipeline, progress: Progress | None = None
) -> NDArray[Any]:
    """Segment an image file: (H, W) label values, or (N, H, W) when N planes are used."""
    micrograph = read_image(image.path)
    planes = [probe.segment(pipeline.field(micrograph.at(plane), progress)) for plane in image.planes(micrograph)]
    return planes[0] if len(planes) == 1 else np.stack(planes)


@dataclass
class Project:
    """Images, labels, classes and one probe that belong together.

    Attributes
    ----------
    images : list of ProjectImage
    backbones : tuple of str
        Names or files for :func:`patchfield.load_backbone`; the fields of several are joined.
    sampling : str
        As :class:`patchfield.Sampling` reads it.
    settings : ImageSettings
        Contrast and channels of all images.
    classes : dict of label value to ClassInfo
        Names and colours.
    probe : LinearProbe or None
        The last fit.

    Examples
    --------
    >>> project = Project([ProjectImage(Path("alloy.tif"), labels)])       # doctest: +SKIP
    >>> project.fit()                                                      # doctest: +SKIP
    >>> segmentation = project.segment(project.images[0])                  # doctest: +SKIP
    >>> project.save("alloy.project")                                      # doctest: +SKIP
    """

    images: list[ProjectImage] = field(default_factory=list)
    backbones: tuple[str, ...] = ("micro",)
    sampling: str = "balanced"
    settings: ImageSettings = field(default_factory=ImageSettings)
    classes: dict[int, ClassInfo] = field(default_factory=dict)
    probe: LinearProbe | None = None

    @property
    def missing(self) -> list[Path]:
        """The image files that are not where they were."""
        return [image.path for image in self.images if not image.path.is_file()]

    def fit(self, progress: Progress | None = None) -> LinearProbe:
        """Train the probe on everything painted, on all images at once.

        Raises
        ------
        PatchfieldError
            When an image with labels cannot be read, labels do not fit, or fewer than two classes are painted.
        """
        pipeline = Pipeline.chosen(self.backbones, self.sampling, self.settings)
        pairs = [
            (field, labels) for image in self.images for _, field, labels in image.training_fields(pipeline, progress)
        ]
        self.probe = LinearProbe().fit(pairs, classes=self.classes or None)
        return self.probe

    def segment(self, image: ProjectImage, progress: Progress | None = None) -> NDArray[Any]:
        """Segment an image with the probe: (H, W) label values, or (N, H, W) for a stack.

        Raises
        ------
        ProjectError
            When nothing has been fitted yet.
        """
        if self.probe is None:
            raise ProjectError("The project has no probe yet: paint at least two classes and fit it first.")
        return segmented(image, self.probe, Pipeline.of_probe(self.probe), progress)

    def save(self, folder: str | Path) -> None:
        """Write the project; a failure leaves what was saved before intact.

        The folder holds ``project.json``, one TIFF of labels for every painted image, and ``project.probe``. Images
        stay where they are and are referred to by their path relative to the folder.
        """
        folder = Path(folder)
        before = _label_files(_document(folder)) if (folder / DOCUMENT).exists() else set()
        images = [self._saved_image(image, folder) for image in self.images]
        if self.probe is not None:
            self.probe.save(folder / PROBE)
        document = {
            "format": "patchfield-project",
            "version": VERSION,
            "backbones": list(self.backbones),
            "sampling": self.sampling,
            "image": self.settings.to_json(),
            "classes": {str(value): [info.name, info.color] for value, info in self.classes.items()},
            "probe": None if self.probe is None else PROBE,
            "images": images,
        }
        with atomic_path(folder / DOCUMENT) as temporary:
            temporary.write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")
        # Only now nothing refers to the labels of the save before.
        for file in before - _label_files(document):
            (folder / file).unlink(missing_ok=True)

    @staticmethod
    def _saved_image(image: ProjectImage, folder: Path) -> dict[str, Any]:
        """Write an image's labels under a name made of their content, and return its entry in the document."""
        entry: dict[str, Any] = {"path": _relative(image.path, folder), "plane": image.plane, "labels": None}
        if image.labels is not None and image.labels.any():
            content = hashlib.sha256(repr(image.labels.shape).encode() + image.labels.tobytes()).hexdigest()
            entry["labels"] = f"{LABELS}/{image.path.stem}-{content[:12]}.tif"
            if not (folder / entry["labels"]).exists():
                write_labels(folder / entry["labels"], image.labels)
        return entry

    @classmethod
    def load(cls, folder: str | Path) -> "Project":
        """Read a project; images that are gone are kept and listed in `missing`.

        Raises
        ------
        ProjectError
            When the folder holds no project, a damaged one, or one of a newer version.
        """
        folder = Path(folder)
        document = _document(folder)
        try:
            return cls(
                images=[_loaded_image(entry, folder) for entry in document["images"]],
                backbones=tuple(document["backbones"]),
                sampling=document["sampling"],
                settings=ImageSettings.from_json(document["image"]),
                classes={int(value): ClassInfo(*info) for value, info in document["classes"].items()},
                probe=LinearProbe.load(folder / document["probe"]) if document["probe"] else None,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ProjectError(f"{folder / DOCUMENT} is damaged ({error!r}): restore it from a copy.") from error


def _document(folder: Path) -> dict[str, Any]:
    try:
        document = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ProjectError(f"{folder} holds no project: there is no {DOCUMENT} in it.") from None
    except (OSError, ValueError) as error:
        raise ProjectError(f"{folder / DOCUMENT} cannot be read ({error}): restore it from a copy.") from error
    if not isinstance(document, dict) or document.get("format") != "patchfield-project":
        raise ProjectError(f"{folder / DOCUMENT} is not a Patchfield project.")
    if document.get("version") != VERSION:
        raise ProjectError(
            f"{folder} was saved by another version of Patchfield (format {document.get('version')}, this one reads "
            f"{VERSION}): update Patchfield."
        )
    return document


def _label_files(document: dict[str, Any]) -> set[str]:
    return {entry["labels"] for entry in document.get("images", []) if entry["labels"]}


def _loaded_image(entry: dict[str, Any], folder: Path) -> ProjectImage:
    path = Path(os.path.normpath(folder / entry["path"]))
    return ProjectImage(path, read_labels(folder / entry["labels"]) if entry["labels"] else None, entry["plane"])


def _relative(path: Path, folder: Path) -> str:
    """`path` as seen from `folder`, or absolute where that is impossible (another drive)."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return path.absolute().as_posix()
