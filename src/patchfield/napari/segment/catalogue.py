"""The models of timm, looked up beside everything else: timm takes a while to come up."""

from collections.abc import Iterator
from functools import partial

from psygnal import Signal

from patchfield.backbones import TIMM_PREFIX, Weight, find_weight
from patchfield.backbones.timm_names import TimmName, pretrained_names
from patchfield.errors import error_sentence
from patchfield.napari.jobs import Job, Runner, Slot


class Catalogue:
    """What timm has, and what it says about a model: looked up when it is asked for, and kept.

    Parameters
    ----------
    runner : Runner

    Attributes
    ----------
    timm_names : tuple of str
        Without the prefix; empty before they are known.
    problem : str
        Why the last look-up failed; "" where it did not.
    """

    changed = Signal()
    """Something was found, or could not be."""

    def __init__(self, runner: Runner) -> None:
        self.timm_names: tuple[str, ...] = ()
        self.problem = ""
        self._weights: dict[str, Weight] = {}
        self._listing = Slot(runner)
        self._details = Slot(runner)

    @property
    def listing(self) -> bool:
        """Whether the names are being looked up."""
        return self._listing.busy

    def list_timm(self) -> None:
        """Look up all names of timm."""
        if not self.timm_names and not self._listing.busy:
            self._listing.submit(Job(_names, self._on_names, self._on_error))

    def weight(self, backbone: str) -> Weight | None:
        """What is known of a backbone; one of timm is looked up, and `changed` says when it is there."""
        known = find_weight(backbone) or self._weights.get(backbone)
        if known is None and backbone.startswith(TIMM_PREFIX):
            work = partial(_look_up, backbone)
            self._details.submit(Job(work, partial(self._on_weight, backbone), self._on_error))
        return known

    def close(self) -> None:
        """Stop looking things up."""
        self._listing.cancel()
        self._details.cancel()

    def _on_names(self, names: tuple[str, ...]) -> None:
        self.timm_names, self.problem = names, ""
        self.changed.emit()

    def _on_weight(self, backbone: str, weight: Weight) -> None:
        self._weights[backbone], self.problem = weight, ""
        self.changed.emit()

    def _on_error(self, error: Exception) -> None:
        self.problem = error_sentence(error) or f"timm could not be asked: {error}"
        self.changed.emit()


def _names() -> Iterator[tuple[str, ...]]:
    yield tuple(pretrained_names())


def _look_up(backbone: str) -> Iterator[Weight]:
    name = TimmName.parse(backbone)
    assert name is not None
    yield name.weight()
