"""How a field was made, so that it can be made again of another image."""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from patchfield.errors import FieldError
from patchfield.field.axis import Interpolation
from patchfield.images import ImageSettings

if TYPE_CHECKING:
    from patchfield.backbones import Backbone
    from patchfield.field.field import FeatureField


@dataclass(frozen=True)
class Recipe:
    """Backbone, sampling, interpolation and image settings of a field.

    Attributes
    ----------
    backbone : str
        Name or file that :func:`patchfield.load_backbone` takes.
    options : dict
        Its keyword options.
    fingerprint : str
        Hash of its weights and options; features of different fingerprints have nothing to do with each other.
    sampling : str
        As :meth:`patchfield.Sampling.parse` reads it.
    interpolation : {"nearest", "bilinear", "bicubic"}
    image : ImageSettings
        Contrast and choice of channels.
    """

    backbone: str
    fingerprint: str
    sampling: str
    interpolation: Interpolation
    image: ImageSettings
    options: dict[str, Any] = field(default_factory=dict, compare=False)

    def extract(self, image: np.ndarray) -> "FeatureField":
        """The field of another image, made in the same way.

        Raises
        ------
        FieldError
            When the backbone of that name is no longer the one that was used.
        """
        from patchfield.field.extract import extract

        backbone = _loaded(self.backbone, self.fingerprint, json.dumps(self.options))
        contrast, channels = self.image.contrast, self.image.channels
        return extract(image, backbone, self.sampling, self.interpolation, contrast, channels)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return {
            "backbone": self.backbone,
            "options": self.options,
            "fingerprint": self.fingerprint,
            "sampling": self.sampling,
            "interpolation": self.interpolation,
            "image": self.image.to_json(),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Recipe":
        """The inverse of :meth:`to_json`."""
        return cls(
            backbone=values["backbone"],
            options=dict(values["options"]),
            fingerprint=values["fingerprint"],
            sampling=values["sampling"],
            interpolation=cast(Interpolation, values["interpolation"]),
            image=ImageSettings.from_json(values["image"]),
        )


@lru_cache(maxsize=1)
def _loaded(name: str, fingerprint: str, options: str) -> "Backbone":
    """The backbone that a field was made with; kept, because a recipe is rarely used for one image alone."""
    from patchfield.backbones import load_backbone

    backbone = load_backbone(name, **json.loads(options))
    if backbone.fingerprint != fingerprint:
        raise FieldError(
            f"The weights called '{name}' here (fingerprint {backbone.fingerprint}) are not those the features were "
            f"made with ({fingerprint}): load the original file, or train again."
        )
    return backbone
