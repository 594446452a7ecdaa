"""A probe that was loaded: what it would change, said before it is used; and images of another magnification."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from patchfield.field import FeatureRecipe
from patchfield.images import ImageSettings
from patchfield.napari.session.questions import Question
from patchfield.napari.workspace import Workspace
from patchfield.probe import LinearProbe, PixelSizeMismatch


def question_about(probe: LinearProbe, workspace: Workspace) -> Question | None:
    """What to ask before a probe is used; None where it changes nothing that anyone chose."""
    facts = tuple(_changes(probe, workspace))
    if not facts:
        return None
    return Question("This probe sees images in another way", facts, "Use this probe", "Keep what is here")


def _changes(probe: LinearProbe, workspace: Workspace) -> Iterator[str]:
    now, then = workspace.features.recipes, probe.recipes
    if _names(now) != _names(then):
        yield f"Features are computed anew: {_names(then)} in the place of {_names(now)}."
    elif not workspace.features.is_made_by(then):
        if _details(now) != _details(then):
            yield f"Features are computed anew: detail {_details(then)} in the place of {_details(now)}."
        else:
            yield f"Features are computed anew: {_names(then)} with other weights."
    if workspace.current is not None and then:
        yield from _changes_of_image(workspace.current.source.settings, then[0].image)
    strokes = [annotated for annotated in workspace.annotations if annotated.snapshots]
    if strokes and not len(probe.kept):
        yield (
            "It was saved by an older Patchfield and keeps no samples: it segments until two classes are painted, and "
            "the strokes that are here make a new one."
        )
    found = None if workspace.current is None else probe.pixel_size_mismatch(workspace.current.source.calibration)
    if found is not None:
        yield f"The image can be resampled, under Segment. {pixels_sentence(found)}"


def _changes_of_image(now: ImageSettings, then: ImageSettings) -> Iterator[str]:
    if now.contrast != then.contrast:
        yield f"Images are seen in the contrast {_said(then.contrast)} in the place of {_said(now.contrast)}."
    if now.channels != then.channels:
        yield f"Images are seen through {_channels(then)} in the place of {_channels(now)}."


def _names(recipes: Sequence[FeatureRecipe]) -> str:
    return " | ".join(recipe.backbone for recipe in recipes) or "unknown features"


def _details(recipes: Sequence[FeatureRecipe]) -> str:
    return " | ".join(dict.fromkeys(f"{recipe.sampling}, {recipe.interpolation}" for recipe in recipes))


def _said(contrast: object) -> str:
    return f"{contrast[0]:g} to {contrast[1]:g}" if isinstance(contrast, tuple) else f"'{contrast}'"


def _channels(settings: ImageSettings) -> str:
    if settings.channels is None:
        return "all channels"
    return f"channel{'s' if len(settings.channels) > 1 else ''} {', '.join(str(one + 1) for one in settings.channels)}"


def pixels_sentence(found: PixelSizeMismatch) -> str:
    """How the pixels of an image differ from those that a probe knows.

    Examples
    --------
    >>> pixels_sentence(PixelSizeMismatch(0.5, 5.0, (10.0, 10.0)))
    'Its pixels are 2 times smaller than the probe knows.'
    """
    times, how = (found.factor, "larger") if found.factor > 1 else (1 / found.factor, "smaller")
    return f"Its pixels are {times:.3g} times {how} than the probe knows."


class Magnification:
    """Sees the current image as large as the probe knows things, when asked to.

    Parameters
    ----------
    workspace : Workspace
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    @property
    def mismatch(self) -> PixelSizeMismatch | None:
        """How the current image, as it is seen, differs from what the probe knows; None where it does not."""
        current, probe = self._workspace.current, self._workspace.live.probe
        if current is None or probe is None:
            return None
        return probe.pixel_size_mismatch(current.source.calibration, current.source.settings.zoom)

    @property
    def zoom(self) -> float:
        """How many times the current image is seen enlarged."""
        current = self._workspace.current
        return 1.0 if current is None else current.source.settings.zoom

    def resample(self) -> None:
        """See the current image as large as the probe knows things; results keep the pixels of the image."""
        current, found = self._workspace.current, self.mismatch
        if current is not None and found is not None:
            self._workspace.annotations.set_zoom(found.settings(current.source.settings).zoom)

    def as_it_is(self) -> None:
        """See the current image as it is."""
        self._workspace.annotations.set_zoom(1.0)


def seen_alike(settings: ImageSettings, other: ImageSettings) -> bool:
    """Whether two images are seen alike but for their magnification, which is each image's own."""
    return replace(settings, zoom=1.0) == replace(other, zoom=1.0)
