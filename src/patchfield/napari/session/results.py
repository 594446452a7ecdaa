"""Which probe made which plane of a result, and what follows: whether it is whole, and whether it still holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from patchfield.images import PlaneIndex


class ResultState(StrEnum):
    """How the segmentation of an image stands to the probe as it is now."""

    NONE = "none"
    """There is no segmentation."""
    CURRENT = "current"
    """Every plane is what the probe says now."""
    OUTDATED = "outdated"
    """Some plane was made by another probe."""
    PARTIAL = "partial"
    """What is there is what the probe says now, but planes are missing or are still being refined."""


@dataclass(frozen=True)
class Made:
    """How a plane of a segmentation was made.

    Attributes
    ----------
    probe : str
        Identity of the probe (:attr:`patchfield.LinearProbe.identity`).
    whole : bool
        Whether all of the plane is that probe's, of features of all views.
    """

    probe: str
    whole: bool = True


def state_of(made: Mapping[PlaneIndex, Made], planes: int, probe: str | None) -> ResultState:
    """The state of a segmentation of so many planes.

    Parameters
    ----------
    made : mapping of plane to Made
        The planes that are there.
    planes : int
        How many the image has.
    probe : str or None
        Identity of the probe as it is now.

    Examples
    --------
    >>> state_of({(0,): Made("a"), (1,): Made("a")}, 2, "a").value
    'current'
    >>> state_of({(0,): Made("b"), (1,): Made("a")}, 2, "a").value
    'outdated'
    >>> state_of({(1,): Made("a")}, 2, "a").value
    'partial'
    """
    if not made:
        return ResultState.NONE
    if any(plane.probe != probe for plane in made.values()):
        return ResultState.OUTDATED
    whole = sum(plane.whole for plane in made.values())
    return ResultState.CURRENT if whole == planes else ResultState.PARTIAL
