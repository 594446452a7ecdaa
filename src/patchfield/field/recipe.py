"""How a field was made, so that it can be made again of another image."""

import json
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, cast

from patchfield.field.axis import Interpolation, check_interpolation
from patchfield.field.views import Sampling
from patchfield.images import ImageSettings


class Identified(Protocol):
    """What a recipe notes of a backbone."""

    name: str
    options: dict[str, Any]
    fingerprint: str


@dataclass(frozen=True)
class FeatureRecipe:
    """Everything that decides the features of an image: backbone, sampling, interpolation and image settings.

    Plain data: it loads nothing. :class:`patchfield.Extractor` carries it out.

    Attributes
    ----------
    backbone : str
        Name or file that :func:`patchfield.load_backbone` takes.
    sampling : str
        As :meth:`patchfield.Sampling.parse` reads it.
    interpolation : {"nearest", "bilinear", "bicubic", "guided"}
        Between tokens.
    image : ImageSettings
        Contrast, choice of channels, meaning of axes.
    options : dict
        JSON-able keyword options for :func:`patchfield.load_backbone`.
    fingerprint : str
        Hash of weights and options: features of different fingerprints have nothing to do with each other. "" before
        the backbone is loaded: whatever weights the name stands for.
    guide : str
        Hash of what guided interpolation goes by; "" for other interpolations, and before the backbone is loaded.

    Raises
    ------
    FieldError
        When sampling or interpolation is unknown.

    Examples
    --------
    >>> recipe = FeatureRecipe("micro", image=ImageSettings(channels=(2,)))
    >>> FeatureRecipe.from_json(recipe.to_json()) == recipe
    True
    """

    backbone: str
    sampling: str = "balanced"
    interpolation: Interpolation = "bilinear"
    image: ImageSettings = field(default_factory=ImageSettings)
    options: dict[str, Any] = field(default_factory=dict, hash=False)
    fingerprint: str = ""
    guide: str = ""

    def __post_init__(self) -> None:
        Sampling.parse(self.sampling)
        check_interpolation(self.interpolation)
        # As a file gives them back: lists for tuples.
        object.__setattr__(self, "options", json.loads(json.dumps(self.options)))

    @classmethod
    def for_backbone(
        cls,
        backbone: Identified,
        sampling: str | Sampling = "balanced",
        interpolation: Interpolation = "bilinear",
        image: ImageSettings | None = None,
    ) -> Self:
        """The recipe of a loaded backbone."""
        image = image or ImageSettings()
        return cls(backbone.name, str(sampling), interpolation, image, backbone.options, backbone.fingerprint)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        values = {
            "backbone": self.backbone,
            "options": self.options,
            "fingerprint": self.fingerprint,
            "sampling": self.sampling,
            "interpolation": self.interpolation,
            "image": self.image.to_json(),
        }
        # Only where it says something: older versions read the recipes of all other interpolations.
        return {**values, "guide": self.guide} if self.guide else values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_json`."""
        return cls(
            backbone=values["backbone"],
            options=dict(values["options"]),
            fingerprint=values["fingerprint"],
            sampling=values["sampling"],
            interpolation=cast(Interpolation, values["interpolation"]),
            image=ImageSettings.from_json(values["image"]),
            guide=values.get("guide", ""),
        )
