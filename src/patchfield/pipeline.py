"""From an image file to its field: backbones loaded once, used for many images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Self

from patchfield.backbones import Backbone, load_backbone
from patchfield.errors import ProbeError
from patchfield.field import ExtractionStep, FeatureField, Interpolation, Sampling, extract
from patchfield.images import ImageSettings, Micrograph
from patchfield.probe import LinearProbe

Progress = Callable[[ExtractionStep], None]
Download = Callable[[int, int], None]
"""Told how many bytes of weights have arrived, and how many there are."""


@dataclass(frozen=True)
class Part:
    """One backbone and how it looks at an image."""

    backbone: Backbone
    sampling: Sampling
    interpolation: Interpolation
    settings: ImageSettings


@dataclass(frozen=True)
class Pipeline:
    """How image files become fields; several parts are joined channel by channel.

    Examples
    --------
    >>> pipeline = Pipeline.chosen(["filters"])                            # doctest: +SKIP
    >>> field = pipeline.field(read_image("alloy.tif"))                    # doctest: +SKIP
    """

    parts: tuple[Part, ...]

    @classmethod
    def chosen(
        cls,
        backbones: Sequence[str | Backbone],
        sampling: str | Sampling = "balanced",
        settings: ImageSettings | None = None,
        device: str = "auto",
        download: Download | None = None,
    ) -> Self:
        """A pipeline of named (or loaded) backbones that look at images in the same way.

        Raises
        ------
        BackboneError, FieldError
            When a backbone cannot be loaded or the sampling is unknown.
        """
        views = Sampling.parse(sampling)
        loaded = [load_backbone(backbone, device=device, progress=download) for backbone in backbones]
        return cls(tuple(Part(backbone, views, "bilinear", settings or ImageSettings()) for backbone in loaded))

    @classmethod
    def of_probe(cls, probe: LinearProbe, device: str = "auto", download: Download | None = None) -> Self:
        """The pipeline that a probe was trained with.

        Raises
        ------
        ProbeError
            When the weights of that name are no longer those the probe was trained on.
        BackboneError
            When a backbone cannot be loaded.
        """
        parts = []
        for recipe in probe.recipes:
            backbone = load_backbone(recipe.backbone, device=device, progress=download, **recipe.options)
            if backbone.fingerprint != recipe.fingerprint:
                raise ProbeError(
                    f"The probe was trained on other weights than '{recipe.backbone}' stands for here: "
                    "give it the original weights, or train again."
                )
            parts.append(Part(backbone, Sampling.parse(recipe.sampling), recipe.interpolation, recipe.image))
        return cls(tuple(parts))

    def field(self, micrograph: Micrograph, progress: Progress | None = None) -> FeatureField:
        """The field of a micrograph's chosen plane.

        Raises
        ------
        ImageError
            When the image has channels that must be chosen.
        """
        fields = []
        for part in self.parts:
            seen = micrograph.model_image(part.settings)
            contrast, channels = part.settings.contrast, part.settings.channels
            fields.append(extract(seen, part.backbone, part.sampling, part.interpolation, contrast, channels, progress))
        return reduce(or_, fields)
