"""Windows of the images, drawn while training, and the crops that are cut from them."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from patchfield.images import ImageSettings
from patchfield.images.settings import Contrast
from training.data.augment import AugmentSettings, augment
from training.data.cache import ImageCache
from training.data.collection import Collection, Plane
from training.data.crops import CropSettings, cut, draw_boxes, orient
from training.errors import require

_TRIES = 10


@dataclass(frozen=True)
class TileSettings:
    """Which parts of which images are trained on.

    Attributes
    ----------
    window : float
        Side of the window that crops are cut from, in sides of a global crop; 0 takes whole images.
    blank : float
        A window that varies less than this share of its image is drawn again; 0 takes all.
    least_side : int, optional
        Images with a shorter side in pixels are left out; by default the side of a global crop.
    contrast : str or (float, float)
        Which values become black and white, decided from whole images: auto, none, percentile, minmax, or two
        values.
    channels : tuple of int, optional
        One channel (as grey) or three, counted from 0, where images have others than grey or RGB.
    axes : str, optional
        What the axes of an image mean where its file does not say it, such as TYX, CYX or YXC.
    cache : int
        Megabytes of decoded images kept by all loading workers of a process together.
    """

    window: float = 1.5
    blank: float = 0.25
    least_side: int | None = None
    contrast: Contrast = "auto"
    channels: tuple[int, ...] | None = None
    axes: str | None = None
    cache: int = 2048

    def __post_init__(self) -> None:
        require(self.window == 0 or 1 <= self.window < math.inf, "tiles.window must be 0 (whole images) or at least 1")
        require(0 <= self.blank < math.inf, "tiles.blank must be at least 0")
        require(self.least_side is None or self.least_side >= 1, "tiles.least_side must be at least 1")
        require(self.cache >= 0, "tiles.cache must be at least 0")
        # Refuses what neither contrast, channels nor axes can be.
        _ = self.image_settings

    @property
    def image_settings(self) -> ImageSettings:
        """How the numbers of the images become pixels."""
        return ImageSettings(self.contrast, self.channels, self.axes)


@dataclass(frozen=True)
class SampleSettings:
    """What decides the samples of a run.

    Attributes
    ----------
    seed : int
    crops, augmentation, tiles : settings
    clean_teacher : bool
        Show the teacher its crops without changes of pixel values.
    """

    seed: int
    crops: CropSettings = field(default_factory=CropSettings)
    augmentation: AugmentSettings = field(default_factory=AugmentSettings)
    tiles: TileSettings = field(default_factory=TileSettings)
    clean_teacher: bool = True


class Batch(NamedTuple):
    """Crops of B images; tensors (B, crops of the kind, 3, side, side) float32 with values 0 to 1.

    Attributes
    ----------
    student_globals, student_locals : Tensor
        What the student sees.
    teacher_globals : Tensor
        The same global crops for the teacher: as the student sees them, or without changes of pixel values.
    boxes : Tensor (B, crops, 4)
        Where the crops lie in their window.
    """

    student_globals: torch.Tensor
    teacher_globals: torch.Tensor
    student_locals: torch.Tensor
    boxes: torch.Tensor

    def student_crops(self) -> list[torch.Tensor]:
        """What the student sees, (crops * B, 3, side, side) of each size: global crops, and local ones if there are."""
        groups = [self.student_globals, *([self.student_locals] if self.student_locals.ndim == 5 else [])]
        return [_crop_major(crops) for crops in groups]

    def teacher_crops(self) -> torch.Tensor:
        """What the teacher sees, (global crops * B, 3, side, side)."""
        return _crop_major(self.teacher_globals)


class CropDataset(Dataset[Batch]):
    """Sample i of a run, for any i: the crops of one window.

    Parameters
    ----------
    collection : Collection
    samples : SampleSettings
    workers : int
        Processes that share the cache's size.
    """

    def __init__(self, collection: Collection, samples: SampleSettings, workers: int = 0) -> None:
        self._planes = collection.planes
        self._samples = samples
        self._cache = ImageCache(collection.settings, samples.tiles.cache * 2**20 // max(workers, 1))
        self._epoch = -1
        self._order = np.arange(0)

    def __getitem__(self, index: int) -> Batch:
        crops = self._samples.crops
        generator = np.random.default_rng([self._samples.seed, index])
        window = orient(self._window(self.plane(index), generator), generator, crops)
        boxes = draw_boxes(generator, window.shape[1], window.shape[2], crops)
        clean = [cut(window, box, size) for box, size in zip(boxes, crops.sizes, strict=True)]
        changed = [augment(crop, generator, self._samples.augmentation) for crop in clean]
        first_local = crops.global_crops
        student_locals = torch.stack(changed[first_local:]) if crops.local_crops else torch.empty(0)
        student_globals = torch.stack(changed[:first_local])
        teacher_globals = torch.stack(clean[:first_local]) if self._samples.clean_teacher else student_globals
        return Batch(student_globals, teacher_globals, student_locals, torch.from_numpy(boxes))

    def plane(self, index: int) -> Plane:
        """The plane of sample `index`.

        Every plane once in random order, then every plane again: images weigh the same whatever their size.
        """
        epoch, position = divmod(index, len(self._planes))
        if epoch != self._epoch:
            self._order = np.random.default_rng([self._samples.seed, 2**32, epoch]).permutation(len(self._planes))
            self._epoch = epoch
        return self._planes[self._order[position]]

    def _window(self, plane: Plane, generator: np.random.Generator) -> torch.Tensor:
        """A window (3, h, w) that is not blank, or the liveliest of a few."""
        image = self._cache.image(plane)
        tiles = self._samples.tiles
        side = round(tiles.window * self._samples.crops.global_size) or max(image.shape)
        height, width = min(side, plane.height), min(side, plane.width)
        liveliest: tuple[float, NDArray[np.float32]] | None = None
        for _ in range(_TRIES):
            top = int(generator.integers(plane.height - height + 1))
            left = int(generator.integers(plane.width - width + 1))
            window = image.crop(np.arange(top, top + height), np.arange(left, left + width))
            deviation = float(window.std())
            if liveliest is None or deviation > liveliest[0]:
                liveliest = deviation, window
            if liveliest[0] >= tiles.blank * plane.deviation:
                break
        assert liveliest is not None
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(liveliest[1], -1, 0)))


def _crop_major(crops: torch.Tensor) -> torch.Tensor:
    """(B, crops, 3, side, side) as (crops * B, 3, side, side), all images of the first crop first."""
    return crops.transpose(0, 1).flatten(0, 1)
