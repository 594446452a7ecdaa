"""What is to be done with which files, and what came of it."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from patchfield.batch.failures import Failures
from patchfield.batch.finishing import Finishing
from patchfield.errors import ImageError
from patchfield.field import ExtractionStep
from patchfield.images import Micrograph, PlaneIndex, Stack, plane_indices, read_image

Watch = Callable[[Path, ExtractionStep], None]
"""Called with the file that is worked on and how far its field is."""


@dataclass(frozen=True)
class Job:
    """What is to be done with which files.

    Attributes
    ----------
    images : tuple of Path
        The files, as :func:`patchfield.batch.selection.find_images` found them.
    output : Path
        Folder for the results.
    suffix : "tif", "tiff", "png" or "ome.zarr"
    axes : str or None
        What the axes of files are that do not say it themselves, as in :class:`patchfield.ImageSettings`.
    plane : tuple of int or None
        The only plane of stacks that is used: its index along the leading axes, or its number in the file's order.
    probabilities : bool
        Whether probability maps are written beside segmentations.
    overwrite : bool
        Whether results are made again that are there already.
    resample : bool
        Whether images of another magnification than a probe knows are resampled to what it knows.
    finishing : Finishing
        What is done to segmentations, beside what the probe says.
    """

    images: tuple[Path, ...]
    output: Path
    suffix: str = "tif"
    axes: str | None = None
    plane: PlaneIndex | None = None
    probabilities: bool = False
    overwrite: bool = False
    resample: bool = False
    finishing: Finishing = field(default_factory=Finishing)

    def open(self, path: Path) -> Micrograph:
        """Open an image file.

        Raises
        ------
        ImageError
            When it cannot be read.
        """
        return read_image(path, axes=self.axes)

    def planes(self, stack: Stack) -> list[PlaneIndex]:
        """The planes that are used.

        Raises
        ------
        ImageError
            When the image has no such plane.
        """
        indices = plane_indices(stack)
        return indices if self.plane is None else [_chosen(stack, indices, self.plane)]

    def axes_of_result(self, stack: Stack) -> tuple[str, tuple[int, ...]]:
        """Letters and lengths of the leading axes of what is made of an image: none when one plane is chosen."""
        return (stack.axes, stack.lengths) if self.plane is None else ("", ())

    @property
    def made_with(self) -> dict[str, str]:
        """What of the job decides the pixels of its results."""
        plane = "all" if self.plane is None else ",".join(map(str, self.plane))
        return {"plane": plane, "axes": self.axes or ""}


class Outcome(Enum):
    """What came of a file."""

    FINISHED = "finished"
    EARLIER = "earlier"
    """Its results were there already."""
    PART = "part"
    """It is one of several files of an image that is done already."""


@dataclass
class Results:
    """What came of a job.

    Attributes
    ----------
    failures : Failures
        Why files were not finished.
    finished, earlier, parts : list of Path
        Images that were finished now, those whose results were there already, and further files of an image that
        lies in several.
    names : dict of Path to str
        What the results of each image are called.
    warnings : dict of Path to str
        What makes the result of an image doubtful: its pixels are not of the size that the probe knows.
    """

    failures: Failures
    finished: list[Path] = field(default_factory=list)
    earlier: list[Path] = field(default_factory=list)
    parts: list[Path] = field(default_factory=list)
    names: dict[Path, str] = field(default_factory=dict)
    warnings: dict[Path, str] = field(default_factory=dict)

    def note(self, file: Path, outcome: Outcome) -> None:
        """Enter what came of a file."""
        lists = {Outcome.FINISHED: self.finished, Outcome.EARLIER: self.earlier, Outcome.PART: self.parts}
        lists[outcome].append(file)

    def is_done_with_another(self, micrograph: Micrograph) -> bool:
        """Whether an image that lies in several files was opened through another of them."""
        others = {os.path.realpath(path) for path in micrograph.others}
        return bool(others) and any(os.path.realpath(file) in others for file in (*self.finished, *self.earlier))


def _chosen(stack: Stack, indices: list[PlaneIndex], plane: PlaneIndex) -> PlaneIndex:
    if plane in indices:
        return plane
    if len(plane) == 1 and plane[0] < len(indices):
        return indices[plane[0]]
    shape = " x ".join(f"{axis} {length}" for axis, length in zip(stack.axes, stack.lengths, strict=True)) or "1"
    asked = ",".join(map(str, plane))
    raise ImageError(f"{stack.name} has no plane {asked}: it has {shape} plane(s), counted from 0.")
