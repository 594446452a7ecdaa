"""Windows of the images, drawn while training, and the crops that are cut from them.

Everything about sample number i follows from the run's seed and i alone. So it does not matter how many
processes and workers share the samples, and a resumed run sees what the uninterrupted one would have seen.
"""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from patchfield.images import ImageSettings
from patchfield.images.settings import Contrast
from training.data.augment import AugmentSettings, augment
from training.data.collection import Collection, ImageCache, Plane
from training.data.crops import CropSettings, cut, draw_boxes, orient

_WINDOW_TRIES = 10


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
    cache : int
        Megabytes of decoded images kept by all loading workers of a process together.
    """

    window: float = 1.5
    blank: float = 0.25
    least_side: int | None = None
    contrast: Contrast = "auto"
    channels: tuple[int, ...] | None = None
    cache: int = 2048

    @property
    def image_settings(self) -> ImageSettings:
        return ImageSettings(self.contrast, self.channels)


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


class Tiles(Dataset[Batch]):
    """Sample i of a run, for any i.

    Parameters
    ----------
    collection : Collection
    crops, augmentation, tiles : settings
    clean_teacher : bool
        Show the teacher its crops without changes of pixel values.
    seed : int
    workers : int
        Processes that share the cache's size.
    """

    def __init__(
        self,
        collection: Collection,
        crops: CropSettings,
        augmentation: AugmentSettings,
        tiles: TileSettings,
        clean_teacher: bool,
        seed: int,
        workers: int = 0,
    ) -> None:
        self._planes = collection.planes
        self._crops = crops
        self._augmentation = augmentation
        self._tiles = tiles
        self._clean_teacher = clean_teacher
        self._seed = seed
        self._cache = ImageCache(collection.settings, tiles.cache * 2**20 // max(workers, 1))
        self._epoch = -1
        self._order = np.arange(0)

    def __getitem__(self, index: int) -> Batch:
        generator = np.random.default_rng([self._seed, index])
        window = orient(self._window(self._plane(index), generator), generator, self._crops)
        boxes = draw_boxes(generator, window.shape[1], window.shape[2], self._crops)
        clean = [cut(window, box, size) for box, size in zip(boxes, self._crops.sizes, strict=True)]
        seen = [augment(crop, generator, self._augmentation) for crop in clean]
        first_local = self._crops.globals
        locals_ = torch.stack(seen[first_local:]) if self._crops.locals else torch.empty(0)
        student = torch.stack(seen[:first_local])
        teacher = torch.stack(clean[:first_local]) if self._clean_teacher else student
        return Batch(student, teacher, locals_, torch.from_numpy(boxes))

    def _plane(self, index: int) -> Plane:
        """Every plane once in random order, then every plane again: images weigh the same whatever their size."""
        epoch, place = divmod(index, len(self._planes))
        if epoch != self._epoch:
            self._order = np.random.default_rng([self._seed, 2**32, epoch]).permutation(len(self._planes))
            self._epoch = epoch
        return self._planes[self._order[place]]

    def _window(self, plane: Plane, generator: np.random.Generator) -> torch.Tensor:
        """A window (3, h, w) that is not blank, or the liveliest of a few."""
        image = self._cache.image(plane)
        side = round(self._tiles.window * self._crops.global_size) or max(image.shape)
        height, width = min(side, plane.height), min(side, plane.width)
        liveliest: tuple[float, NDArray[np.float32]] | None = None
        for _ in range(_WINDOW_TRIES):
            top = int(generator.integers(plane.height - height + 1))
            left = int(generator.integers(plane.width - width + 1))
            window = image.crop(np.arange(top, top + height), np.arange(left, left + width))
            deviation = float(window.std())
            if liveliest is None or deviation > liveliest[0]:
                liveliest = deviation, window
            if liveliest[0] >= self._tiles.blank * plane.deviation:
                break
        assert liveliest is not None
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(liveliest[1], -1, 0)))


class StepSampler(Sampler[list[int]]):
    """The samples of each step that fall to one process, from a first step on.

    Process r of w gets samples ``step * batch + r * batch / w`` onwards, `batch` being that of all processes.
    """

    def __init__(self, batch: int, first_step: int, steps: int, rank: int = 0, processes: int = 1) -> None:
        self._batch = batch
        self._steps = range(first_step, steps)
        self._share = range(rank * batch // processes, (rank + 1) * batch // processes)

    def __iter__(self) -> Iterator[list[int]]:
        for step in self._steps:
            yield [step * self._batch + place for place in self._share]

    def __len__(self) -> int:
        return len(self._steps)


def tile_loader(tiles: Tiles, sampler: StepSampler, workers: int, pinned: bool) -> DataLoader[Batch]:
    """Load batches in background processes, two ahead of each worker."""
    return DataLoader(
        tiles,
        batch_sampler=sampler,
        num_workers=workers,
        pin_memory=pinned,
        worker_init_fn=quiet_worker,
        persistent_workers=False,
    )


def quiet_worker(_: int) -> None:
    """One thread each; Ctrl+C is for the training process, which lets its workers finish the step."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
