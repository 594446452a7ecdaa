"""What a sample is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Sample:
    """A micrograph that ships with Patchfield, with strokes as a user would paint them.

    Attributes
    ----------
    name, title : str
        Short identifier; one line for menus.
    image : ndarray (H, W), (H, W, 3) or (N, H, W)
        The image, or a stack of N planes when `planes` is more than 1.
    strokes : ndarray uint8, (H, W) or (N, H, W)
        Sparse labels: 0 = unlabelled, classes from 1.
    mask : ndarray uint8, same shape as `strokes`, or None
        The exact class of every pixel, where the image was generated from it.
    class_names : dict of int to str
        Name of every class.
    """

    name: str
    title: str
    image: NDArray[Any]
    strokes: NDArray[Any]
    mask: NDArray[Any] | None
    class_names: dict[int, str]

    @property
    def planes(self) -> int:
        """Number of planes; 1 for a single image."""
        return len(self.strokes) if self.strokes.ndim == 3 else 1


@dataclass(frozen=True)
class SampleEntry:
    """A sample as the list shows it, before it is made."""

    name: str
    title: str
    make: Callable[["SampleEntry"], Sample]
