"""What a command does to the segmentations of a probe, beside what the probe itself says."""

from copy import copy
from dataclasses import dataclass

from patchfield.objects import Cleaning, class_value
from patchfield.probe import LinearProbe


@dataclass(frozen=True)
class Finishing:
    """Steps of :class:`patchfield.objects.Cleaning` that were asked for; None leaves a step as the probe has it.

    Attributes
    ----------
    smoothing : float or None
        Radius in pixels; 0 is off.
    fill_holes : tuple of str or None
        Classes that take over what they enclose, by name or number.
    min_size : int or None
        Pixels; 0 is off.
    """

    smoothing: float | None = None
    fill_holes: tuple[str, ...] | None = None
    min_size: int | None = None

    def applied(self, probe: LinearProbe) -> LinearProbe:
        """The probe, or a copy of it that finishes as was asked for.

        Raises
        ------
        LabelError
            When the probe has no such class, or a setting makes no sense.
        """
        before = probe.finishing
        holes = before.fill_holes
        if self.fill_holes is not None:
            holes = tuple(class_value(name, probe.classes, "The probe") for name in self.fill_holes)
        finishing = Cleaning(
            before.smoothing if self.smoothing is None else self.smoothing,
            holes,
            before.min_size if self.min_size is None else self.min_size,
        )
        if finishing == before:
            return probe
        finished = copy(probe)
        finished.finishing = finishing
        return finished
