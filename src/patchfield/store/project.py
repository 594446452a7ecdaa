"""A project: images, strokes, classes and a probe as one folder, written as one paints."""

import os
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.errors import ProjectError
from patchfield.field import ExtractionStep
from patchfield.images import ImageSettings, Micrograph, PlaneIndex, Stack, read_image
from patchfield.objects import Cleaning
from patchfield.probe import LinearProbe
from patchfield.store import training
from patchfield.store.description import Description, ProjectView
from patchfield.store.document import Document
from patchfield.store.folder import ProjectFolder
from patchfield.store.image import ProjectImage
from patchfield.store.kept import write_kept_image
from patchfield.store.labels import ImageKey
from patchfield.store.moving import find_again


class Project(Document):
    """A project's folder, open.

    Changes are in memory until :meth:`save`, which writes only what changed: a stroke costs one small file. All may be
    called from any thread; saving goes on beside painting. Close a project, or use it in a ``with`` block, so that
    others may write to it.

    Made by :meth:`create`, :meth:`create_unsaved` and :meth:`open`.

    Attributes
    ----------
    labels : ProjectLabels
        What is painted, (H, W) arrays by (image, plane).

    Examples
    --------
    >>> import patchfield as pf
    >>> from patchfield.images import write_image
    >>> pixels = np.zeros((64, 64), np.uint8)
    >>> pixels[:, 32:] = 200
    >>> write_image("steel.tif", pixels)
    >>> labels = np.zeros((64, 64), np.uint8)
    >>> labels[10:20, 5], labels[10:20, 60] = 1, 2
    >>> with pf.Project.create("steel.patchfield", pf.FeatureRecipe("filters")) as project:
    ...     image = project.add("steel.tif")
    ...     project.labels[image, ()] = labels
    ...     project.classes = {1: pf.ProjectClass("ferrite", "#4aa8ff"), 2: pf.ProjectClass("pearlite", "#ffb000")}
    ...     probe = project.fit()
    ...     project.save()
    >>> with pf.Project.open("steel.patchfield", read_only=True) as project:
    ...     segmentation = project.segment(project.images[0])
    ...     [project.classes[value].name for value in np.unique(segmentation)]
    ['ferrite', 'pearlite']
    """

    def __init__(self, folder: ProjectFolder, description: Description, view: ProjectView) -> None:
        super().__init__(folder, description, view)
        self._extractors = training.Extractors()

    def add(
        self,
        image: str | Path | Stack,
        settings: ImageSettings | None = None,
        name: str = "",
        file: str | Path | None = None,
    ) -> ProjectImage:
        """Add an image; one whose file is in the project already is given back as it is.

        Parameters
        ----------
        image : str, Path or Stack
            A file, or an image that is open. One without a file is written into the project.
        settings : ImageSettings, optional
            How it is seen; that of the first recipe when left out.
        name : str
            What a person calls it; the name of the file when left out.
        file : str or Path, optional
            The file of a stack that does not say it itself.

        Raises
        ------
        ImageError
            When the file cannot be read.
        ProjectError
            When the project is read-only, or the image has no file and is too large to be kept in the project.
        """
        self._check_writable()
        if file is None:
            file = image if isinstance(image, str | Path) else image.path if isinstance(image, Micrograph) else None
        if file is not None:
            path = Path(os.path.abspath(file))
            known = [entry for entry in self.images if os.path.realpath(entry.path) == os.path.realpath(path)]
            if known:
                return known[0]
        settings = settings or next((recipe.image for recipe in self.recipes), ImageSettings())
        stack = read_image(image, axes=settings.axes) if isinstance(image, str | Path) else image
        identifier = secrets.token_hex(6)
        if file is None:
            path = self._folder.kept_image(identifier)
            write_kept_image(path, stack)
        entry = ProjectImage.from_stack(identifier, name or path.name, path, stack, settings)
        self._replace_images({entry.id: entry})
        return entry

    def remove(self, image: ImageKey) -> None:
        """Remove an image with what is painted on it; its file stays."""
        self._check_writable()
        found = self.image(image)
        with self._changing:
            others = {key: each for key, each in self._description.images.items() if key != found.id}
            self._describe(images=others, dropped=(found.id,))
            self.labels.forget(found)

    def rename(self, image: ImageKey, name: str) -> None:
        """Call an image something else; its file keeps its name."""
        found = self.image(image)
        if name and name != found.name:
            self._check_writable()
            self._replace_images({found.id: replace(found, name=name)})

    def see(self, image: ImageKey, settings: ImageSettings) -> ProjectImage:
        """See an image with other settings.

        Raises
        ------
        ImageError
            When it cannot be read with them.
        ProjectError
            When its axes would be others, and something is painted on it.
        """
        found = self.image(image)
        seen = replace(found, settings=settings)
        if settings.axes != found.settings.axes:
            seen = seen.with_geometry_of(seen.read())
        same = (seen.axes, seen.lengths, seen.shape) == (found.axes, found.lengths, found.shape)
        if not same and self.labels.planes(found):
            raise ProjectError(
                f"{found.name} would have other planes, and something is painted on those that it has: remove the "
                "image from the project and add it again."
            )
        self._replace_images({seen.id: seen})
        return seen

    @property
    def missing(self) -> tuple[ProjectImage, ...]:
        """Images whose files are not where they were."""
        return tuple(image for image in self.images if image.is_missing)

    @property
    def changed(self) -> tuple[ProjectImage, ...]:
        """Images whose files have another content now; only files of another time or size are read.

        Raises
        ------
        OSError
            When a file cannot be read.
        """
        marks = {image: image.present_mark() for image in self.images if not image.is_missing}
        if not self.read_only:
            touched = [
                image for image, mark in marks.items() if mark != image.mark and mark.content == image.mark.content
            ]
            self._replace_images({image.id: replace(image, mark=marks[image]) for image in touched})
        return tuple(image for image, mark in marks.items() if mark.content != image.mark.content)

    def relocate(self, where: str | Path, accept: bool = False) -> tuple[ProjectImage, ...]:
        """Find images that are missing or changed, by name and content.

        Parameters
        ----------
        where : str or Path
            A folder, searched at all depths, or a file.
        accept : bool
            Whether a file of an image's name and shape is taken even if its content is another: it was edited.

        Returns
        -------
        tuple of ProjectImage
            Those that were found.

        Raises
        ------
        ProjectError
            When there is no such folder or file, or the project is read-only.
        """
        self._check_writable()
        lost = (*self.missing, *self.changed)
        found = find_again(lost, Path(os.path.abspath(where)), accept)
        self._replace_images({image.id: image for image in found})
        return tuple(found)

    # -- what it can do

    def fit(
        self,
        device: str = "auto",
        progress: Callable[[ProjectImage, ExtractionStep], None] | None = None,
        download: Callable[[int, int], None] | None = None,
    ) -> LinearProbe:
        """Train the probe on all that is painted, with the project's recipes; as the window and the command line do.

        Parameters
        ----------
        device : str
            As :func:`patchfield.load_backbone` takes it.
        progress : callable, optional
            Called with the image and how far its features are.
        download : callable, optional
            Called with (bytes done, bytes in all) of weights.

        Raises
        ------
        LabelError
            When fewer than two classes are painted.
        ProjectError
            When images that something is painted on are missing or changed.
        BackboneError
            When a backbone cannot be loaded.
        """
        self._check_writable()
        planes = training.labelled_planes(self)
        extractor = self._extractors.load(self.recipes, device, download)
        finishing = Cleaning() if self.probe is None else self.probe.finishing
        self.probe = probe = training.train(planes, extractor, self.classes, progress, finishing)
        return probe

    def segment(
        self, image: ImageKey | Stack, plane: PlaneIndex | None = None, device: str = "auto"
    ) -> NDArray[np.unsignedinteger[Any]]:
        """Segment an image with the project's probe.

        Parameters
        ----------
        image : ProjectImage, str, Path or Stack
            Of the project, or any other image: a file, or one that is open.
        plane : tuple of int, optional
            Only this plane of a stack.
        device : str
            As :func:`patchfield.load_backbone` takes it.

        Returns
        -------
        (H, W) array of label values, or (..., H, W) with the leading axes of a stack

        Raises
        ------
        ProjectError
            When there is no probe yet.
        ImageError
            When the image cannot be used.
        """
        if self.probe is None:
            raise ProjectError(f"The project {self.path} has no probe yet: paint two classes, then fit it.")
        extractor = self._extractors.load(self.probe.recipes, device)
        stack, settings = training.opened(self, image, extractor.axes)
        return training.segmentation(stack, settings, plane, self.probe, extractor)

    def _replace_images(self, images: dict[str, ProjectImage]) -> None:
        with self._changing:
            known = self._description.images
            if any(known.get(key) != image for key, image in images.items()):
                self._describe(images=known | images)
