"""What is shown of a prediction."""

from enum import StrEnum

from psygnal import Signal


class Show(StrEnum):
    """What is shown of a prediction."""

    SEGMENTATION = "segmentation"
    PROBABILITY = "probability"
    UNCERTAINTY = "uncertainty"


class ViewState:
    """Which result is on view, for all images of a viewer alike.

    Attributes
    ----------
    show : Show
    shown_class : int
        Label value of the class whose probability is shown.

    Examples
    --------
    >>> view = ViewState()
    >>> view.choose(Show.PROBABILITY, 2)
    >>> view.show.value, view.shown_class
    ('probability', 2)
    """

    changed = Signal()
    """A result was chosen, be it the one that was on view already."""

    def __init__(self) -> None:
        self.show = Show.SEGMENTATION
        self.shown_class = 1

    def choose(self, show: Show, shown_class: int | None = None) -> None:
        """Show another result, of another class where one is given."""
        self.show = show
        if shown_class is not None:
            self.shown_class = shown_class
        self.changed.emit()
