"""What a reader finds in a file, whatever its format."""

from dataclasses import dataclass
from pathlib import Path

from patchfield.images.calibration import Calibration
from patchfield.images.notes import Notes
from patchfield.images.readers.axes import Planes
from patchfield.images.readers.orientation import UPRIGHT


@dataclass(frozen=True)
class Contents:
    """The planes of a file and what it says about them.

    Attributes
    ----------
    planes : Planes
        Turned as the file says, alpha dropped.
    calibration : Calibration or None
    orientation : int
        How the file said that its image is turned, as EXIF counts.
    lossy : str
        The name of the compression when it changes values: "JPEG"; else "".
    notes : Notes or None
        What Patchfield wrote into the file; None when it is not one of ours.
    others : tuple of Path
        Further files that the image lies in, where it lies in several.
    """

    planes: Planes
    calibration: Calibration | None = None
    orientation: int = UPRIGHT
    lossy: str = ""
    notes: Notes | None = None
    others: tuple[Path, ...] = ()
