"""Which plane of which image."""

from dataclasses import dataclass
from typing import Protocol

from patchfield.images import ImageSettings, PlaneIndex, Stack


class SeenStack(Stack, Protocol):
    """An image, and how it is seen: a layer of the viewer, or a file that waits."""

    @property
    def settings(self) -> ImageSettings:
        """Contrast and channels."""
        ...


@dataclass(frozen=True)
class Plane:
    """One plane of one image: what a field belongs to.

    Attributes
    ----------
    image : str
        The image's identity; it stays the same while its layer lives.
    index : tuple of int
        Along the image's leading axes; () for an image of one plane.
    """

    image: str
    index: PlaneIndex
