"""Results as pictures to look at: overlays, blended probabilities, sheets of several pictures."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

Picture = NDArray[np.uint8]
"""An (H, W, 3) uint8 array."""


def as_picture(values: NDArray[np.floating]) -> Picture:
    """Values 0 to 1, (H, W) grey or (H, W, 3) colours, as a picture.

    Examples
    --------
    >>> as_picture(np.array([[0.0, 1.0]])).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    colours = values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)
    return np.round(np.clip(colours, 0, 1) * 255).astype(np.uint8)


def overlay(picture: Picture, labels: NDArray[np.integer], colors: Mapping[int, str], opacity: float = 0.5) -> Picture:
    """A picture tinted by its labels; 0 stays clear.

    Parameters
    ----------
    picture : ndarray (H, W, 3) uint8
    labels : ndarray (H, W) of int
    colors : dict of label value to "#rrggbb"
    opacity : float
        0 leaves the picture as it is, 1 paints over it.
    """
    tinted = picture.copy()
    for value, color in colors.items():
        inside = labels == value
        mixed = (1 - opacity) * picture[inside] + opacity * np.array(ImageColor.getrgb(color))
        tinted[inside] = np.round(mixed).astype(np.uint8)
    return tinted


def blended(probabilities: NDArray[np.floating], colors: Sequence[str]) -> Picture:
    """Every class's colour weighted by its probability: pure where it is sure, mixed where it is not.

    Parameters
    ----------
    probabilities : ndarray (K, H, W)
        Adding up to 1 at every pixel.
    colors : sequence of K "#rrggbb"
    """
    palette = np.array([ImageColor.getrgb(color) for color in colors], np.float32)
    mixed = np.einsum("khw,kc->hwc", probabilities.astype(np.float32), palette)
    return np.round(np.clip(mixed, 0, 255)).astype(np.uint8)


def sheet(pictures: Mapping[str, Picture], columns: int = 3, gap: int = 12) -> Picture:
    """Pictures of one size side by side, each with its caption above it."""
    height, width = next(iter(pictures.values())).shape[:2]
    caption = max(18, width // 20)
    font = ImageFont.load_default(caption)
    rows = -(-len(pictures) // columns)
    columns = min(columns, len(pictures))
    line = height + caption + 2 * gap
    canvas = Image.new("RGB", (columns * (width + gap) + gap, rows * line + gap), "white")
    draw = ImageDraw.Draw(canvas)
    for index, (title, picture) in enumerate(pictures.items()):
        left, top = gap + index % columns * (width + gap), gap + index // columns * line
        draw.text((left, top), title, fill="black", font=font)
        canvas.paste(Image.fromarray(picture), (left, top + caption + gap))
    return np.asarray(canvas)
