"""How long something will take, told from how long its parts took."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from patchfield.napari.session.status import Progress


@dataclass
class Pace:
    """Progress of a number of parts, and the seconds that are left.

    Attributes
    ----------
    total : int
    unit : str
        What the parts are: "planes".
    clock : callable
        Gives seconds.

    Examples
    --------
    >>> seconds = iter([0.0, 10.0, 20.0])
    >>> pace = Pace(12, "planes", lambda: next(seconds))
    >>> str(pace.progress()), str(pace.step()), str(pace.step())
    ('0 of 12 planes', '1 of 12 planes, about 2 min left', '2 of 12 planes, about 2 min left')
    """

    total: int
    unit: str
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    _began: float = field(init=False)
    _worked: int = -1

    def __post_init__(self) -> None:
        self._began = self.clock()

    def progress(self) -> Progress:
        """How far it is; nothing is known about the time at first."""
        return Progress(self.done, self.total, self.unit)

    def step(self) -> Progress:
        """Another part is done."""
        self.done += 1
        seconds = (self.clock() - self._began) / self.done * (self.total - self.done)
        return Progress(self.done, self.total, self.unit, seconds)

    def at(self, begun: int) -> Progress:
        """Another part is begun, and so many before it are done; some of these took no time at all."""
        self.done, self._worked = begun, self._worked + 1
        if not self._worked:
            return self.progress()
        seconds = (self.clock() - self._began) / self._worked * (self.total - self.done)
        return Progress(self.done, self.total, self.unit, seconds)
