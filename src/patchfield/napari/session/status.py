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
    FLAT = "nothing to tell apart"


NOTHING_TO_TELL_APART = (
    "All of the image has one value: there is nothing to tell apart. Choose another image, channel or contrast."
)
WHAT_NEXT = "correct it where it is wrong (N: next unsure place)"


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
    flat : bool
        Whether the plane on view is one grey value, or has none.
    outdated : bool
        Whether a segmentation is on view that other features or another probe made.
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
    flat: bool = False
    outdated: bool = False
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
    if s.flat:
        return Status(State.FLAT, NOTHING_TO_TELL_APART, s.extracting)
    if not s.has_field:
        return _without_features(s)
    if s.stale and not s.live:
        return Status(State.STALE, "The strokes changed: press Update (Shift+S).", s.extracting)
    if not s.has_probe:
        return Status(State.NEED_CLASSES, _joined(_what_to_paint(s), _what_goes_on(s)), s.extracting)
    return Status(State.LIVE, _live(s), s.extracting)


def _without_features(s: Situation) -> Status:
    old = " What is on view is still of the features before." if s.outdated else ""
    if s.problem is not None:
        return Status(State.STOPPED, f"{s.problem}{old}")
    if s.extracting is None:
        return Status(State.COMPUTING, f"Computing features of {s.backbone}; you can paint meanwhile.{old}")
    hint = "" if s.painted >= 2 else "; you can paint meanwhile"
    return Status(State.COMPUTING, f"Computing features: {s.extracting}{hint}.{old}", s.extracting)


def _what_to_paint(s: Situation) -> str:
    if s.painted == 0:
        return "Paint a few thin strokes of class 1, then of class 2 (Shift+W)."
    if s.painted == 1:
        return "Now paint another class: click its row below, or press Shift+Q, Shift+W."
    if s.extracting is not None or s.problem is not None:
        return "Strokes are learned from as soon as their part of the image has features."
    return "Learning from the strokes"


def _what_goes_on(s: Situation) -> str:
    if s.extracting is not None:
        return f"features: {s.extracting}"
    return s.problem or ""


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _live(s: Situation) -> str:
    updated = "" if s.seconds is None else f"updated in {s.seconds:.2f} s"
    return _joined(
        "Live" if s.live else "Segmented",
        "updating" if s.updating else updated,
        "" if s.agreement is None else f"agreement {s.agreement:.2f}",
        _what_goes_on(s) or WHAT_NEXT,
    )
