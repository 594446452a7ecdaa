"""Kinds of images, as files that other programs write, with the planes that they hold.

Each kind is a file, its planes as arrays (H, W) or (H, W, C) in the order of its leading axes, and what a person who
opens it has to say about it: which channels, and what the axes mean where the file does not say it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from patchfield.images import ImageSettings

HEIGHT, WIDTH = 48, 64


@dataclass(frozen=True)
class Kind:
    """A file of some kind.

    Attributes
    ----------
    write : callable
        Writes the file into a folder and returns its path.
    axes : str
        Leading axes.
    planes : array (*lengths, H, W) or (*lengths, H, W, C)
        What a model should see, before channels are chosen.
    settings : ImageSettings
        What has to be said about it.
    """

    write: Callable[[Path], Path]
    axes: str
    planes: NDArray[np.generic]
    settings: ImageSettings = field(default_factory=ImageSettings)


def scene(seed: int = 0, *lengths: int) -> NDArray[np.float64]:
    """Two phases, the right half brighter and rougher, (*lengths, H, W) from 0 to 1; planes differ and drift."""
    rng = np.random.default_rng(seed)
    base = np.where(np.arange(WIDTH) < WIDTH // 2, 0.25, 0.6)
    rough = np.where(np.arange(WIDTH) < WIDTH // 2, 0.02, 0.08)
    planes = base + rough * rng.standard_normal((*lengths, HEIGHT, WIDTH))
    drift = np.linspace(1, 1.3, int(np.prod(lengths))).reshape(*lengths, 1, 1) if lengths else 1.0
    return np.clip(planes * drift, 0, 1)


def _tiff(name: str, data: NDArray[np.generic], **options: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        tifffile.imwrite(path, data, **options)
        return path

    return write


def _picture(name: str, data: NDArray[np.generic]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        Image.fromarray(data).save(folder / name)
        return folder / name

    return write


def _imagej(name: str, data: NDArray[np.generic], axes: str) -> Callable[[Path], Path]:
    return _tiff(name, data, imagej=True, metadata={"axes": axes})


GREY8 = (scene() * 255).astype(np.uint8)
GREY16 = (scene() * 9000 + 400).astype(np.uint16)
FLOAT = (scene() * 3 - 1).astype(np.float32)
RGB = np.dstack([GREY8, (scene(1) * 200).astype(np.uint8), 255 - GREY8])
STACK16 = (scene(2, 5) * 9000).astype(np.uint16)
MOVIE8 = (scene(3, 4) * 255).astype(np.uint8)
TZYX16 = (scene(4, 2, 3) * 9000).astype(np.uint16)
CHANNELS = (np.stack([scene(5), scene(6)[::-1, ::-1], scene(7)[::-1], scene(8)]) * 9000).astype(np.uint16)
TCYX = (np.stack([scene(9, 3), scene(10, 3)[:, ::-1, ::-1]], axis=1) * 255).astype(np.uint8)
GREEN = np.stack([np.zeros(256), np.arange(256), np.zeros(256)]).astype(np.uint16) * 257

KINDS = {
    "grey, 8 bits, PNG": Kind(_picture("a.png", GREY8), "", GREY8),
    "grey, 16 bits, PNG": Kind(_picture("a.png", GREY16), "", GREY16),
    "grey, 16 bits, TIFF": Kind(_tiff("a.tif", GREY16), "", GREY16),
    "floats, TIFF": Kind(_tiff("a.tif", FLOAT), "", FLOAT),
    "RGB, PNG": Kind(_picture("a.png", RGB), "", RGB),
    "RGB, TIFF": Kind(_tiff("a.tif", RGB, photometric="rgb"), "", RGB),
    "white is zero": Kind(_tiff("a.tif", 255 - GREY8, photometric="miniswhite"), "", GREY8),
    "palette": Kind(
        _tiff("a.tif", GREY8, photometric="palette", colormap=GREEN), "", np.dstack([0 * GREY8, GREY8, 0 * GREY8])
    ),
    "on its side": Kind(_tiff("a.tif", np.rot90(GREY16).copy(), extratags=[(274, "H", 1, 6, True)]), "", GREY16),
    "upside down, colours": Kind(
        _tiff("a.tif", RGB[::-1, ::-1], photometric="rgb", extratags=[(274, "H", 1, 3, True)]), "", RGB
    ),
    "channels first, ImageJ": Kind(
        _imagej("a.tif", CHANNELS, "CYX"), "", np.moveaxis(CHANNELS, 0, -1), ImageSettings(channels=(2,))
    ),
    "channels first, OME": Kind(
        _tiff("a.ome.tif", CHANNELS, ome=True, photometric="minisblack", metadata={"axes": "CYX"}),
        "",
        np.moveaxis(CHANNELS, 0, -1),
        ImageSettings(channels=(3, 1, 1)),
    ),
    "channels first, not said": Kind(
        _tiff("a.tif", CHANNELS, photometric="minisblack"),
        "",
        np.moveaxis(CHANNELS, 0, -1),
        ImageSettings(channels=(2,), axes="CYX"),
    ),
    "channels last, not said": Kind(
        _tiff("a.tif", np.moveaxis(CHANNELS[:2], 0, -1), photometric="minisblack"),
        "",
        np.moveaxis(CHANNELS[:2], 0, -1),
        ImageSettings(channels=(1,), axes="YXC"),
    ),
    "stack, ImageJ": Kind(_imagej("a.tif", STACK16, "ZYX"), "Z", STACK16),
    "stack, OME": Kind(
        _tiff("a.ome.tif", STACK16, ome=True, photometric="minisblack", metadata={"axes": "ZYX"}), "Z", STACK16
    ),
    "time-lapse": Kind(_imagej("a.tif", MOVIE8, "TYX"), "T", MOVIE8),
    "time-lapse of stacks": Kind(_imagej("a.tif", TZYX16, "TZYX"), "TZ", TZYX16),
    "time-lapse with channels": Kind(
        _imagej("a.tif", TCYX, "TCYX"), "T", np.moveaxis(TCYX, 1, -1), ImageSettings(channels=(1,))
    ),
}

CONTRASTS = ("auto", "none", "percentile", "minmax", (1000.0, 6000.0))
