"""What a probe remembers of the planes that it learns from: found once, where the update runs."""

from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

from patchfield.images import PlaneIndex, Stack
from patchfield.napari.segment.updates import Labelled
from patchfield.probe import TrainingImage, pixel_size


class KnownImages:
    """The content of planes, hashed when first asked for; an image that changes comes as another stack.

    Examples
    --------
    >>> import numpy as np
    >>> from patchfield.images import ArrayStack, Calibration
    >>> from patchfield.napari.session.planes import Plane
    >>> stack = ArrayStack(np.eye(8), "YX", calibration=Calibration(2, 2, "nm"))
    >>> [image] = KnownImages().of([Labelled(Plane("a", ()), np.zeros((8, 8)), None, stack)])
    >>> image.pixel_size
    2.0
    """

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Stack, dict[PlaneIndex, TrainingImage]] = WeakKeyDictionary()

    def of(self, labelled: Sequence[Labelled]) -> list[TrainingImage]:
        """What is known of each of some planes.

        Raises
        ------
        ImageError
            When a plane cannot be read.
        """
        return [self._of_plane(entry) for entry in labelled]

    def _of_plane(self, entry: Labelled) -> TrainingImage:
        planes, index = self._known.setdefault(entry.stack, {}), entry.plane.index
        if index not in planes:
            planes[index] = TrainingImage.from_plane(entry.stack, index)
        # A person may say at any time how large a pixel is.
        return replace(planes[index], pixel_size=pixel_size(entry.stack.calibration, entry.zoom))
