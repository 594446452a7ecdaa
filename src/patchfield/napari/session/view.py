"""What is seen over the image: one of many views."""

from enum import StrEnum

from psygnal import Signal


class Show(StrEnum):
    """A view: nothing, something of a prediction, or what the features show by themselves."""

    IMAGE = "image"
    SEGMENTATION = "segmentation"
    BORDERS = "borders"
    PROBABILITY = "probability"
    UNCERTAINTY = "uncertainty"
    PCA = "PCA"
    CLUSTERS = "clusters"
    SIMILARITY = "similar places"
    ATTENTION = "attention"
    FOREGROUND = "foreground"


RESULTS = (Show.SEGMENTATION, Show.BORDERS, Show.PROBABILITY, Show.UNCERTAINTY, Show.IMAGE)
"""What was learned from the strokes, and nothing of it."""
EXPLORATIONS = (Show.PCA, Show.CLUSTERS, Show.SIMILARITY, Show.ATTENTION, Show.FOREGROUND)
"""What needs no strokes: looked at for a while, and gone when something else is looked at or the brush taken up."""
SEGMENTATIONS = (Show.SEGMENTATION, Show.BORDERS)
"""Two ways to draw the same layer."""


class ViewState:
    """Which view is chosen, for all images of a viewer alike.

    Attributes
    ----------
    show : Show
    result : Show
        The last of RESULTS that was chosen: what is seen again when an exploration ends.
    shown_class : int
        Label value of the class whose probability is shown.

    Examples
    --------
    >>> view = ViewState()
    >>> view.choose(Show.PROBABILITY, 2)
    >>> view.choose(Show.PCA)
    >>> view.exploring, view.result.value, view.shown_class
    (True, 'probability', 2)
    """

    changed = Signal()
    """A view was chosen, be it the one that was chosen already."""

    def __init__(self) -> None:
        self.show = self.result = Show.SEGMENTATION
        self.shown_class = 1
        self._segmentation = Show.SEGMENTATION

    @property
    def exploring(self) -> bool:
        """Whether what is seen is one of EXPLORATIONS."""
        return self.show in EXPLORATIONS

    def choose(self, show: Show, shown_class: int | None = None) -> None:
        """Show another view, the probability of another class where one is given."""
        self.show = show
        if show in RESULTS:
            self.result = show
        if show in SEGMENTATIONS:
            self._segmentation = show
        if shown_class is not None:
            self.shown_class = shown_class
        self.changed.emit()

    def end_exploration(self) -> None:
        """Go back to the result that was seen before; nothing happens where one is seen."""
        if self.exploring:
            self.choose(self.result)

    def toggle_segmentation(self) -> None:
        """The segmentation, as areas or borders, whichever was chosen last; or the image, where it is seen already."""
        self.choose(Show.IMAGE if self.show in SEGMENTATIONS else self._segmentation)

    def toggle_uncertainty(self) -> None:
        """The uncertainty; or the segmentation, where it is seen already."""
        self.choose(self._segmentation if self.show is Show.UNCERTAINTY else Show.UNCERTAINTY)
