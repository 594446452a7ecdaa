"""What light, detector and operator change from one image to the next: contrast, colour, blur, noise."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from training.episodes.scene import Pixels
from training.errors import require


@dataclass(frozen=True)
class LightSettings:
    """How far the pixel values of an episode's images are changed. Both images of an episode share most of it.

    Attributes
    ----------
    inversion : float
        Probability that bright and dark change places.
    gamma : float
        Deviation of the logarithm of the exponent; the second image deviates by a third of it again.
    gain : float
        Deviation of the logarithm of the contrast, for each image on its own.
    offset : float
        Deviation of the brightness in units of the contrast, for each image on its own.
    blur : float
        Probability of a blur of up to one pixel, for each image on its own.
    noise : float
        Largest deviation of white noise in units of the contrast.
    grey : float
        Probability that colours are taken away; else their order is drawn.
    apart : float
        Probability that the second image was taken with other settings: a gamma, a noise and a blur of its own, and
        twice the deviations of contrast and brightness.
    """

    inversion: float = 0.3
    gamma: float = 0.3
    gain: float = 0.12
    offset: float = 0.06
    blur: float = 0.2
    noise: float = 0.08
    grey: float = 0.3
    apart: float = 0.0

    def __post_init__(self) -> None:
        for name in ("inversion", "blur", "grey", "apart"):
            require(0 <= getattr(self, name) <= 1, f"light.{name} must lie between 0 and 1")
        for name in ("gamma", "gain", "offset", "noise"):
            require(0 <= getattr(self, name) < math.inf, f"light.{name} must be at least 0")


def relight(images: tuple[Pixels, Pixels], settings: LightSettings, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """Change the pixel values of two images (H, W, 3), in units of the contrast."""
    inverted, exponent = rng.random() < settings.inversion, rng.normal(0, settings.gamma)
    colours = rng.permutation(3) if rng.random() >= settings.grey else None
    noise = settings.noise * rng.random() ** 2

    def changed(image: Pixels, noise: float, apart: bool) -> Pixels:
        image = image[..., colours] if colours is not None else image.mean(-1, keepdims=True).repeat(3, -1)
        image = -image if inverted else image
        wide = 2 if apart else 1
        own = settings.gamma if apart else settings.gamma / 3
        image = _with_gamma(image, float(np.exp(exponent + rng.normal(0, own))))
        image = image * np.exp(rng.normal(0, wide * settings.gain)) + rng.normal(0, wide * settings.offset)
        if apart or rng.random() < settings.blur:
            image = ndimage.gaussian_filter(image, (rng.uniform(0.3, 1.0 * wide),) * 2 + (0,))
        return (image + noise * rng.standard_normal((*image.shape[:2], 1))).astype(np.float32)

    first = changed(images[0], noise, apart=False)
    apart = bool(settings.apart) and rng.random() < settings.apart
    return first, changed(images[1], settings.noise * rng.random() ** 2 if apart else noise, apart)


def _with_gamma(image: Pixels, exponent: float) -> Pixels:
    """A power law on values from half a contrast below the reference upwards, that keeps both in place."""
    lifted = image + 0.5
    return np.sign(lifted) * np.abs(lifted) ** exponent - 0.5**exponent
