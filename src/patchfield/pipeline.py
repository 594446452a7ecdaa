"""Image -> field: backbones loaded once, recipes carried out on any image.

One way for all: files, napari layers, arrays and training images come here as a :class:`patchfield.images.Stack`, and
:func:`patchfield.images.model_image` decides what a model sees of them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from os import PathLike
from typing import Self

from numpy.typing import ArrayLike

from patchfield.backbones import Backbone, load_backbone
from patchfield.backbones.loading import RECIPE_OPTIONS
from patchfield.errors import ImageError, ProbeError
from patchfield.field import (
    ExtractionStep,
    FeatureField,
    FeatureRecipe,
    Interpolation,
    LookedAt,
    Sampling,
    estimate,
    extraction_steps,
    final_field,
    guide_fingerprint,
)
from patchfield.images import Contrast, ImageSettings, ModelImage, PlaneIndex, Stack, model_image

Progress = Callable[[ExtractionStep], None]
Download = Callable[[int, int], None]
"""Called with how many bytes of weights have arrived, and how many there are."""

Image = Stack | ArrayLike | ModelImage


@dataclass(frozen=True, eq=False)
class Extractor:
    """Loaded backbones and the recipes that say how they are used; several are joined channel by channel.

    Attributes
    ----------
    backbones : tuple of Backbone
    recipes : tuple of FeatureRecipe
        One for each backbone.

    Examples
    --------
    >>> import numpy as np
    >>> extractor = Extractor.load(FeatureRecipe("filters"))
    >>> field = extractor.field(np.eye(64))
    >>> field.recipes == extractor.recipes
    True
    """

    backbones: tuple[Backbone, ...]
    recipes: tuple[FeatureRecipe, ...]

    @classmethod
    def load(
        cls,
        recipes: FeatureRecipe | Sequence[FeatureRecipe],
        device: str = "auto",
        download: Download | None = None,
        files: Sequence[str | PathLike[str]] = (),
    ) -> Self:
        """Load the backbones of some recipes, such as ``probe.recipes``.

        Parameters
        ----------
        recipes : FeatureRecipe or sequence of them
        device : str
            As :func:`patchfield.load_backbone` takes it.
        download : callable, optional
            Called with (bytes done, bytes in all).
        files : sequence of str or Path
            Where else to find weights: names or files to use where their fingerprint is that of a recipe.

        Raises
        ------
        ProbeError
            When no recipe is given, or the weights found are not those of the recipe.
        BackboneError
            When a backbone cannot be loaded.
        """
        recipes = (recipes,) if isinstance(recipes, FeatureRecipe) else tuple(recipes)
        if not recipes:
            raise ProbeError("Nothing is known of how the features were made: extract the field yourself.")
        # Of several backbones that are joined, some may be where they always were.
        names = [(*files, recipe.backbone) if len(recipes) > 1 else files or (recipe.backbone,) for recipe in recipes]
        pairs = zip(recipes, names, strict=True)
        backbones = tuple(_load(recipe, device, download, candidates) for recipe, candidates in pairs)
        known = zip(recipes, backbones, strict=True)
        return cls(backbones, tuple(_completed(recipe, backbone) for recipe, backbone in known))

    @classmethod
    def from_backbone(
        cls,
        backbone: str | Backbone,
        sampling: str | Sampling = "balanced",
        interpolation: Interpolation = "bilinear",
        image: ImageSettings | None = None,
    ) -> Self:
        """An extractor of one backbone, which is loaded where that is still to do.

        Raises
        ------
        BackboneError, FieldError
            When the backbone cannot be loaded; when sampling or interpolation is unknown.
        """
        loaded = load_backbone(backbone)
        recipe = FeatureRecipe.for_backbone(loaded, sampling, interpolation, image)
        return cls((loaded,), (_completed(recipe, loaded),))

    @property
    def channels(self) -> int:
        """Length of the feature of a pixel."""
        return sum(backbone.channels for backbone in self.backbones)

    @property
    def axes(self) -> str | None:
        """What the recipes say about the axes of images that do not say it themselves."""
        return next((recipe.image.axes for recipe in self.recipes if recipe.image.axes is not None), None)

    def seen_with(self, settings: ImageSettings | None) -> Self:
        """The same features of images that are seen with other settings; None for those of the recipes."""
        if settings is None:
            return self
        return replace(self, recipes=tuple(replace(recipe, image=settings) for recipe in self.recipes))

    def steps(
        self, image: Image, plane: PlaneIndex | None = None, looked_at: LookedAt | None = None
    ) -> Iterator[ExtractionStep]:
        """The steps towards the field of one plane, with a usable field whenever another view of the last backbone
        is complete. Close the iterator (or just stop asking) to cancel.

        Parameters
        ----------
        image : Stack, array (H, W[, C]) or ModelImage
        plane : tuple of int, optional
            Which plane of a stack; may be left out where there is one.
        looked_at : callable, optional
            Says which region is looked at: its crops come first, and a field of them before the others are there.

        Raises
        ------
        ImageError
            When the image cannot be used, or has no such plane.
        """
        prepared = [_prepared(image, recipe.image, plane) for recipe in self.recipes]
        crops = [
            estimate(part.resampled().shape, backbone, recipe.sampling).tiles
            for part, backbone, recipe in zip(prepared, self.backbones, self.recipes, strict=True)
        ]
        finished: list[FeatureField] = []
        for number, (part, backbone, recipe) in enumerate(zip(prepared, self.backbones, self.recipes, strict=True)):
            done, field = sum(crops[:number]), None
            for step in _of_image(part, backbone, recipe, looked_at):
                field = step.field or field
                whole = number == len(crops) - 1 and step.field is not None
                so_far = reduce(or_, [*finished, step.field]) if whole and step.field is not None else None
                yield ExtractionStep(done + step.done, sum(crops), so_far)
            if field is not None:
                finished.append(field)

    def field(self, image: Image, plane: PlaneIndex | None = None, progress: Progress | None = None) -> FeatureField:
        """The field of one plane.

        Parameters
        ----------
        image : Stack, array (H, W[, C]) or ModelImage
        plane : tuple of int, optional
            Which plane of a stack; may be left out where there is one.
        progress : callable, optional
            Called with each :class:`ExtractionStep`; an exception raised in it ends the extraction.

        Raises
        ------
        ImageError
            When the image cannot be used, or has no such plane.
        """
        return final_field(self.steps(image, plane), progress)


def extract(
    image: Image,
    backbone: str | Backbone,
    sampling: str | Sampling = "balanced",
    interpolation: Interpolation = "bilinear",
    contrast: Contrast = "auto",
    channels: tuple[int, ...] | None = None,
    progress: Progress | None = None,
    plane: PlaneIndex | None = None,
) -> FeatureField:
    """The feature field of an image.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array of any dtype, Stack or ModelImage
        Grey, or with channels last; what :func:`patchfield.read_image` gives; or an image that is prepared already.
    backbone : str or Backbone
        A name or file for :func:`patchfield.load_backbone`, or a loaded backbone.
    sampling : str or Sampling
        Which views: ``"fast"`` one, ``"balanced"`` 2 x 2 sub-patch phases, ``"fine"`` 4 x 4, ``"hr-dv2"`` the 17 views
        of HR-Dv2 (Docherty et al., arXiv 2410.19836), or any :class:`Sampling`.
    interpolation : {"nearest", "bilinear", "bicubic", "guided"}
        Between tokens. "guided" weighs coarse tokens (seven pixels apart or more) by how alike they and a pixel look:
        crisp borders, as linear as bilinear.
    contrast : {"auto", "none", "percentile", "minmax"} or (low, high)
        How values become 0..1, see :class:`patchfield.ImageSettings`.
    channels : tuple of int, optional
        Which channels of a multi-channel image a model sees: one or three.
    progress : callable, optional
        Called with each :class:`ExtractionStep`; an exception raised in it ends the extraction.
    plane : tuple of int, optional
        Which plane of a stack; may be left out where there is one.

    Returns
    -------
    FeatureField

    Raises
    ------
    ImageError, BackboneError, FieldError
        One sentence each.

    Examples
    --------
    >>> import numpy as np, patchfield as pf
    >>> pf.extract(np.zeros((32, 48), np.uint8), "filters").shape
    (32, 48)
    """
    steps = extraction(image, backbone, sampling, interpolation, contrast, channels, plane)
    return final_field(steps, progress)


def extraction(
    image: Image,
    backbone: str | Backbone,
    sampling: str | Sampling = "balanced",
    interpolation: Interpolation = "bilinear",
    contrast: Contrast = "auto",
    channels: tuple[int, ...] | None = None,
    plane: PlaneIndex | None = None,
) -> Iterator[ExtractionStep]:
    """The steps of :func:`extract`: one per batch of crops, with a usable field after the first view.

    Close the iterator (or just stop asking) to cancel: nothing goes on in the background.

    Yields
    ------
    ExtractionStep

    Examples
    --------
    >>> import numpy as np
    >>> [step.done for step in extraction(np.eye(64), "filters", "fast")]
    [1]
    """
    settings = ImageSettings(contrast, channels)
    if isinstance(image, ModelImage) and settings == ImageSettings():
        settings = image.settings
    return Extractor.from_backbone(backbone, sampling, interpolation, settings).steps(image, plane)


def _prepared(image: Image, settings: ImageSettings, plane: PlaneIndex | None) -> ModelImage:
    """What a model sees of an image; one that is prepared already has to be what the recipe says."""
    if isinstance(image, ModelImage) and plane is not None:
        raise ImageError("An image that is prepared already is one plane: leave the plane out.")
    return model_image(image, settings, plane)


def _of_image(
    image: ModelImage, backbone: Backbone, recipe: FeatureRecipe, looked_at: LookedAt | None
) -> Iterator[ExtractionStep]:
    """The steps towards the field of an image, of its own pixels also where a model sees it resampled."""
    if recipe.image.zoom == 1:
        yield from extraction_steps(image, backbone, recipe, looked_at)
        return
    # How large the pixels of an image are is its own matter, and not part of how features are made.
    recipe, missing = replace(recipe, image=replace(recipe.image, zoom=1.0)), image.missing()
    for step in extraction_steps(image.resampled(), backbone, recipe):
        field = None if step.field is None else step.field.of_pixels(image.shape, (recipe,), missing)
        yield replace(step, field=field)


def _completed(recipe: FeatureRecipe, backbone: Backbone) -> FeatureRecipe:
    """The recipe with what is known once its backbone is loaded: a name that leads to it again, and fingerprints."""
    guide = guide_fingerprint() if recipe.interpolation == "guided" else ""
    if recipe.guide not in ("", guide):
        raise ProbeError(
            f"The features were upsampled with another guide than that of this version ({recipe.guide}): train again."
        )
    if recipe.fingerprint:
        return replace(recipe, guide=guide)
    return replace(recipe, backbone=backbone.name, fingerprint=backbone.fingerprint, guide=guide)


def _load(
    recipe: FeatureRecipe, device: str, download: Download | None, names: Sequence[str | PathLike[str]]
) -> Backbone:
    """The backbone of a recipe: the only place that makes sure that it is the one the features were made with."""
    unknown = sorted(set(recipe.options) - RECIPE_OPTIONS)
    if unknown:
        raise ProbeError(
            f"The features were made with the option '{unknown[0]}', which no backbone has: train again, or update "
            "Patchfield if the probe is of a newer one."
        )
    for name in names:
        wanted = recipe.fingerprint or None
        backbone = load_backbone(name, device=device, progress=download, fingerprint=wanted, **recipe.options)
        if recipe.fingerprint in ("", backbone.fingerprint):
            return backbone
    found = " and ".join(f"'{name}'" for name in names)
    raise ProbeError(
        f"The features were made with other weights than those of {found} here (fingerprint {recipe.fingerprint}): "
        f"give the original weights of '{recipe.backbone}', or train again."
    )
