"""Results as pictures to look at: overlays, blended probabilities, sheets of several pictures."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont
from skimage.color import label2rgb

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

    Examples
    --------
    >>> overlay(np.zeros((1, 2, 3), np.uint8), np.array([[0, 3]]), {3: "#ff8000"}, opacity=1).tolist()
    [[[0, 0, 0], [255, 128, 0]]]
    """
    shown = np.where(np.isin(labels, list(colors)), labels, 0)
    rgb = [np.array(ImageColor.getrgb(colors[value])) / 255 for value in np.unique(shown[shown != 0]).tolist()]
    if not rgb:
        return picture.copy()
    tinted = label2rgb(shown, picture, rgb, alpha=opacity, bg_label=0, bg_color=None, saturation=1)
    return as_picture(tinted)


def blended(probabilities: NDArray[np.floating], colors: Sequence[str]) -> Picture:
    """Every class's colour weighted by its probability: pure where it is sure, mixed where it is not.

    Parameters
    ----------
    probabilities : ndarray (K, H, W)
        Adding up to 1 at every pixel.
    colors : sequence of K "#rrggbb"

    Examples
    --------
    >>> blended(np.array([[[1.0]], [[0.0]]]), ["#102030", "#ffffff"]).tolist()
    [[[16, 32, 48]]]
    """
    palette = np.array([ImageColor.getrgb(color) for color in colors], np.float32)
    mixed = np.einsum("khw,kc->hwc", probabilities.astype(np.float32), palette)
    picture: Picture = np.round(np.clip(mixed, 0, 255)).astype(np.uint8)
    return picture


def sheet(pictures: Mapping[str, Picture], columns: int = 3, gap: int = 12) -> Picture:
    """Pictures of one size side by side, each with its caption above it.

    Parameters
    ----------
    pictures : dict of caption to (H, W, 3) uint8 array
    columns : int
        Pictures in a row.
    gap : int
        Pixels between pictures.

    Examples
    --------
    >>> sheet({"before": np.zeros((60, 80, 3), np.uint8), "after": np.zeros((60, 80, 3), np.uint8)}).shape
    (114, 196, 3)
    """
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
