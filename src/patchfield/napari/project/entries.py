"""What the list of images says about each of them."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ImageEntry:
    """One image of the list.

    Attributes
    ----------
    key : str
        Its identity in the list, whatever it is called.
    name : str
    path : Path or None
        Its file; None for images that have none, such as samples and layers made in Python.
    is_open : bool
        Whether it is a layer of the viewer.
    is_current : bool
        Whether it is painted on.
    painted : bool
        Whether something is painted on it.
    segmented : bool
        Whether it has a segmentation.
    outdated : bool
        Whether its segmentation, or a part of it, was not made by the probe as it is now.
    only_here : bool
        Whether it has no file: its pixels are kept in the project once something is painted.
    problem : str
        Why it cannot be opened, a sentence; "" where nothing is known against it.
    thumbnail : (h, w, 3) uint8 array or None
        None before it was made.
    """

    key: str
    name: str
    path: Path | None = None
    is_open: bool = False
    is_current: bool = False
    painted: bool = False
    segmented: bool = False
    outdated: bool = False
    only_here: bool = False
    problem: str = ""
    thumbnail: NDArray[np.uint8] | None = field(default=None, repr=False)

    @property
    def marks(self) -> str:
        """What is known of it, in a few words.

        Examples
        --------
        >>> ImageEntry("1", "steel", painted=True, segmented=True, outdated=True).marks
        'painted · outdated'
        >>> ImageEntry("1", "steel").marks
        ''
        """
        result = ["outdated"] if self.outdated else ["segmented"] if self.segmented else []
        here = ["cannot be opened"] if self.problem else ["no file"] if self.only_here else []
        return " · ".join([*(["painted"] if self.painted else []), *result, *here])
