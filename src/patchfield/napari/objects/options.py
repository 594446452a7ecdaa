"""Which objects are to be found: what the form, the job and the command line share."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from patchfield.batch.objects import ObjectJob
from patchfield.objects import DEFAULT_NECK, Cleaning


@dataclass(frozen=True)
class ObjectOptions:
    """What is counted as an object, as :func:`patchfield.objects` takes it.

    Attributes
    ----------
    value : int
        The class.
    min_size : int
        Pieces of fewer pixels, of any class, go to the class around them.
    fill_holes : bool
        Whether the class takes over what it encloses.
    split : bool
        Whether objects that touch are parted.
    neck : float
        How narrow a neck must be for that, as part of the width of the narrower object.
    exclude_border : bool
        Whether objects at the edge of the image are left out.
    volume : bool
        Whether slices are one body; then all planes are used.
    all_planes : bool
        Whether the objects of all planes are found, or those of the plane on view.
    intensity : bool
        Whether mean intensities are measured.
    """

    value: int = 2
    min_size: int = 0
    fill_holes: bool = False
    split: bool = False
    neck: float = DEFAULT_NECK
    exclude_border: bool = False
    volume: bool = False
    all_planes: bool = False
    intensity: bool = True

    @property
    def cleaning(self) -> Cleaning:
        """What is done to the class map first."""
        return Cleaning(min_size=self.min_size, fill_holes=(self.value,) if self.fill_holes else ())

    def job(self, class_name: str) -> ObjectJob:
        """The same as a job on files."""
        return ObjectJob(
            (),
            Path(),
            class_name,
            Cleaning(min_size=self.min_size),
            self.fill_holes,
            self.split,
            self.neck,
            self.exclude_border,
            self.volume,
        )

    def command(self, class_name: str, segmentation: str) -> str:
        """The command that finds the same objects in a segmentation that was saved.

        Examples
        --------
        >>> ObjectOptions(split=True, min_size=20).command("open pore", "a_segmentation.tif")
        "patchfield objects a_segmentation.tif -o objects --class 'open pore' --min-size 20 --split"
        """
        _, _, _, *options = shlex.split(self.job("-").made_with)
        words = ["patchfield", "objects", segmentation, "-o", "objects", "--class", class_name, *options]
        return shlex.join(words)
