"""Where things stand: one sentence, always true."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The states of an annotation, in the order in which they usually come."""

    NO_IMAGE = "no image"
    LOADING_WEIGHTS = "loading weights"
    COMPUTING = "computing features"
    STOPPED = "stopped"
    NEED_CLASSES = "need classes"
    LIVE = "live"
    STALE = "stale"


@dataclass(frozen=True)
class Progress:
    """How far something is: `done` of `total` `unit`; an unknown total is 0; and the seconds left, if known."""

    done: int
    total: int
    unit: str
    seconds: float | None = None

    def __str__(self) -> str:
        if self.unit == "bytes":
            done, total = self.done / 1e6, self.total / 1e6
            return f"{done:.0f} of {total:.0f} MB" if self.total else f"{done:.0f} MB"
        left = "" if self.seconds is None else f", {time_left(self.seconds)}"
        return f"{self.done} of {self.total} {self.unit}{left}"


def time_left(seconds: float) -> str:
    """A duration as one says it.

    Examples
    --------
    >>> time_left(4), time_left(40), time_left(400), time_left(40_000)
    ('about 4 s left', 'about 40 s left', 'about 7 min left', 'about 11 h left')
    """
    if seconds < 90:
        return f"about {max(1, round(seconds))} s left"
    return f"about {seconds / 60:.0f} min left" if seconds < 5400 else f"about {seconds / 3600:.0f} h left"


@dataclass(frozen=True)
class Situation:
    """All that the state depends on.

    Attributes
    ----------
    image : str or None
        Name of the chosen image.
    images : int
        How many images are open.
    backbone : str
        What the features are made with.
    loading, extracting : Progress or None
        Of the weights and of the features, while they go on.
    problem : str or None
        Why there are no features, when something went wrong or was stopped.
    has_field : bool
        Whether the plane on view has features, be they of the first view only.
    painted : int
        Classes with strokes that take part.
    has_probe, stale, live : bool
        Whether something can segment; whether strokes were made that it does not know; whether it follows them.
    updating : bool
        Whether a new segmentation is under way.
    seconds, agreement : float or None
        How long the last update took; the agreement of strokes that were held out.
    """

    image: str | None = None
    images: int = 0
    backbone: str = ""
    loading: Progress | None = None
    extracting: Progress | None = None
    problem: str | None = None
    has_field: bool = False
    painted: int = 0
    has_probe: bool = False
    stale: bool = False
    live: bool = True
    updating: bool = False
    seconds: float | None = None
    agreement: float | None = None


@dataclass(frozen=True)
class Status:
    """A state, the sentence that says it, and a progress where something goes on."""

    state: State
    sentence: str
    progress: Progress | None = None


def status_for(situation: Situation) -> Status:
    """The state that a situation amounts to.

    Examples
    --------
    >>> status_for(Situation(image="steel", has_field=True, painted=1)).sentence
    'Now paint another class: click its row below, or press Shift+Q, Shift+W.'
    """
    s = situation
    if s.image is None:
        what = "Choose an image in the list to go on." if s.images else "Open or drop an image to begin."
        return Status(State.NO_IMAGE, what)
    if s.loading is not None:
        amount = f": {s.loading}" if s.loading.done else ""
        return Status(State.LOADING_WEIGHTS, f"Loading {s.backbone}{amount}", s.loading)
    if not s.has_field:
        return _without_features(s)
    if s.stale and not s.live:
        return Status(State.STALE, "The strokes changed: press Update (Shift+S).", s.extracting)
    if not s.has_probe:
        return Status(State.NEED_CLASSES, _what_to_paint(s.painted), s.extracting)
    return Status(State.LIVE, _live(s), s.extracting)


def _without_features(s: Situation) -> Status:
    if s.problem is not None:
        return Status(State.STOPPED, s.problem)
    if s.extracting is None:
        return Status(State.COMPUTING, "Computing features")
    hint = "" if s.painted >= 2 else "; you can paint meanwhile"
    return Status(State.COMPUTING, f"Computing features: {s.extracting}{hint}", s.extracting)


def _what_to_paint(painted: int) -> str:
    if painted == 0:
        return "Paint a few thin strokes of class 1, then of class 2 (Shift+W)."
    if painted == 1:
        return "Now paint another class: click its row below, or press Shift+Q, Shift+W."
    return "Learning from the strokes"


def _live(s: Situation) -> str:
    parts = ["Live" if s.live else "Segmented"]
    if s.updating:
        parts.append("updating")
    elif s.seconds is not None:
        parts.append(f"updated in {s.seconds:.2f} s")
    if s.agreement is not None:
        parts.append(f"agreement {s.agreement:.2f}")
    if s.extracting is not None:
        parts.append(f"refining features, {s.extracting}")
    elif s.problem is not None:
        parts.append(s.problem)
    return " · ".join(parts)
