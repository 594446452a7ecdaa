"""What light and detector do to an image: changes of pixel values that leave the structure alone."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torchvision.transforms.v2 import functional

from training.errors import require


@dataclass(frozen=True)
class AugmentSettings:
    """How the pixel values of a crop are changed before the student sees it.

    The defaults suit micrographs: mild changes of acquisition, no tricks with colour, no blur that would destroy
    grain boundaries.

    Attributes
    ----------
    jitter_probability : float
        Probability that brightness, contrast, gamma, saturation and hue are changed, in random order.
    brightness : float
        Brightness is multiplied by 1 - b to 1 + b.
    contrast : float
        Contrast about the mean is multiplied by 1 - c to 1 + c.
    gamma : float
        Values are raised to a power between 1 / (1 + g) and 1 + g.
    saturation : float
        Saturation is multiplied by 1 - s to 1 + s.
    hue : float
        Hue is turned by -h to h; 0.5 is half the circle.
    grey_probability : float
        Probability that colours are dropped.
    blur_probability : float
        Probability of a Gaussian blur.
    blur_sigma : (float, float)
        Its standard deviation in pixels of the crop.
    noise_probability : float
        Probability of noise with a part that is constant (read-out) and one that grows with the signal (shot).
    noise : float
        Largest standard deviation of the noise; white is 1.
    invert_probability : float
        Probability of the negative; only for collections that hold both polarities.
    """

    jitter_probability: float = 0.8
    brightness: float = 0.2
    contrast: float = 0.2
    gamma: float = 0.2
    saturation: float = 0.0
    hue: float = 0.0
    grey_probability: float = 0.0
    blur_probability: float = 0.3
    blur_sigma: tuple[float, float] = (0.1, 1.0)
    noise_probability: float = 0.5
    noise: float = 0.04
    invert_probability: float = 0.0

    def __post_init__(self) -> None:
        for name in ("jitter", "grey", "blur", "noise", "invert"):
            require(
                0 <= getattr(self, f"{name}_probability") <= 1,
                f"augmentation.{name}_probability must lie between 0 and 1",
            )
        for name in ("brightness", "contrast", "saturation"):
            require(0 <= getattr(self, name) <= 1, f"augmentation.{name} must lie between 0 and 1")
        require(0 <= self.hue <= 0.5, "augmentation.hue must lie between 0 and 0.5")
        require(0 <= self.gamma < math.inf, "augmentation.gamma must be at least 0")
        require(0 <= self.noise < math.inf, "augmentation.noise must be at least 0")
        low, high = self.blur_sigma
        require(0 < low <= high < math.inf, "augmentation.blur_sigma must be two positive numbers, the smaller first")


def augment(crop: torch.Tensor, generator: np.random.Generator, settings: AugmentSettings) -> torch.Tensor:
    """A changed copy of a crop.

    Parameters
    ----------
    crop : Tensor (3, H, W) float32
        Values 0 to 1.
    generator : numpy.random.Generator
        The only source of randomness.

    Returns
    -------
    Tensor (3, H, W) float32
        Values 0 to 1.
    """
    if generator.random() < settings.invert_probability:
        crop = 1 - crop
    if generator.random() < settings.jitter_probability:
        crop = _jittered(crop, generator, settings)
    if generator.random() < settings.grey_probability:
        crop = functional.rgb_to_grayscale(crop, num_output_channels=3)
    if generator.random() < settings.blur_probability:
        sigma = float(generator.uniform(*settings.blur_sigma))
        crop = functional.gaussian_blur(crop, 2 * int(np.ceil(3 * sigma)) + 1, sigma)
    if generator.random() < settings.noise_probability:
        crop = _noisy(crop, generator, settings.noise)
    return crop.clamp(0, 1)


def _jittered(crop: torch.Tensor, generator: np.random.Generator, settings: AugmentSettings) -> torch.Tensor:
    for change in generator.permutation(5):
        amount = float(generator.uniform(-1, 1))
        if change == 0 and settings.brightness:
            crop = functional.adjust_brightness(crop, 1 + amount * settings.brightness)
        elif change == 1 and settings.contrast:
            crop = functional.adjust_contrast(crop, 1 + amount * settings.contrast)
        elif change == 2 and settings.gamma:
            crop = crop.clamp(0, 1) ** ((1 + settings.gamma) ** amount)
        elif change == 3 and settings.saturation:
            crop = functional.adjust_saturation(crop, 1 + amount * settings.saturation)
        elif change == 4 and settings.hue:
            crop = functional.adjust_hue(crop.clamp(0, 1), amount * settings.hue)
    return crop


def _noisy(crop: torch.Tensor, generator: np.random.Generator, largest: float) -> torch.Tensor:
    """Noise that is the same in all channels where they are equal, as in a grey image."""
    height, width = crop.shape[1:]
    is_grey = torch.equal(crop[0], crop[1]) and torch.equal(crop[0], crop[2])
    drawn = generator.standard_normal((1 if is_grey else 3, height, width), dtype=np.float32)
    shot = float(generator.random())
    deviation = float(generator.uniform(0, largest)) * (1 - shot + shot * crop.clamp(min=0).sqrt())
    return crop + deviation * torch.from_numpy(drawn)
