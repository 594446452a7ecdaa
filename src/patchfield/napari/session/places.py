"""Places in images that one can go to."""

from dataclasses import dataclass

from patchfield.napari.session.planes import Plane


@dataclass(frozen=True)
class Place:
    """Somewhere in a plane of an image.

    Attributes
    ----------
    plane : Plane
    row, column : float
        Of its middle, in pixels.
    extent : float
        Side in pixels of what is to be seen there; the ring lies around it.
    """

    plane: Plane
    row: float
    column: float
    extent: float = 16.0
