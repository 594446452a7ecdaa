"""What a person should know of the result on view, and what can be done about it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from psygnal import Signal

from patchfield.napari.segment.apply import Applying
from patchfield.napari.segment.arriving import Magnification, pixels_sentence
from patchfield.napari.session.results import ResultState
from patchfield.napari.workspace import Workspace


@dataclass(frozen=True)
class Notice:
    """A sentence, and what a button beside it does.

    Attributes
    ----------
    sentence, button, tip : str
    press : callable
    """

    sentence: str
    button: str
    tip: str
    press: Callable[[], None]


class Notices:
    """What there is to say now; and an outdated segmentation looks paler than one that holds.

    Parameters
    ----------
    workspace : Workspace
    applying : Applying
    magnification : Magnification
    """

    changed = Signal()
    """There may be other notices."""

    def __init__(self, workspace: Workspace, applying: Applying, magnification: Magnification) -> None:
        self._workspace = workspace
        self._applying = applying
        self._magnification = magnification
        self._viewer = workspace.viewer
        for signal in (
            workspace.results.changed,
            workspace.live.changed,
            workspace.annotations.selected,
            workspace.annotations.images_changed,
            applying.changed,
        ):
            signal.connect(self._on_change)
        self._viewer.dims.events.current_step.connect(self._on_change)

    def __iter__(self) -> Iterator[Notice]:
        """The notices, the most urgent first."""
        if self._workspace.current is None:
            return
        yield from self._of_magnification()
        if self._applying.progress is None and self._workspace.live.probe is not None:
            yield from self._of_image()
            yield from self._of_other_images()

    def close(self) -> None:
        """Stop listening to the viewer."""
        self._viewer.dims.events.current_step.disconnect(self._on_change)

    def _of_magnification(self) -> Iterator[Notice]:
        magnification, found = self._magnification, self._magnification.mismatch
        if found is not None:
            tip = "Features are computed of the image resampled to what the probe knows; results keep its own pixels"
            yield Notice(pixels_sentence(found), "Resample", tip, magnification.resample)
        elif magnification.zoom != 1:
            seen = f"Seen {magnification.zoom:.3g} times as large, as the probe knows it."
            yield Notice(seen, "As it is", "Compute features of the image's own pixels again", magnification.as_it_is)

    def _of_image(self) -> Iterator[Notice]:
        workspace = self._workspace
        assert workspace.current is not None
        source = workspace.current.source
        state, made = workspace.results.state(source), workspace.results.made(source)
        planes = len(source.indices())
        if planes == 1 or state in (ResultState.NONE, ResultState.CURRENT):
            return
        identity = None if workspace.live.probe is None else workspace.live.probe.identity
        current = sum(plane.probe == identity for plane in made.values())
        older = len(made) - current
        sentence = f"{older} of {planes} planes are outdated." if older else f"{current} of {planes} planes segmented."
        tip = "Segment the other planes with the probe as it is now, in the background"
        yield Notice(sentence, "All planes", tip, self._applying.to_all_planes)

    def _of_other_images(self) -> Iterator[Notice]:
        workspace = self._workspace
        assert workspace.current is not None
        outdated = {image for image, state in workspace.results.states.items() if state is ResultState.OUTDATED}
        outdated -= {workspace.current.source.id}
        if outdated:
            tip = "Segment all open images with the probe as it is now, in the background"
            sentence = "1 other image is outdated." if len(outdated) == 1 else f"{len(outdated)} others are outdated."
            yield Notice(sentence, "All images", tip, self._applying.to_all_images)

    def _on_change(self, event: Any = None) -> None:
        workspace = self._workspace
        # Between a stroke and its result everything is outdated for a moment, which nobody has to see.
        if workspace.live.updating:
            return
        if workspace.current is not None:
            source = workspace.current.source
            workspace.results.fade(source, source.index_at(self._viewer.dims.point))
        self.changed.emit()
