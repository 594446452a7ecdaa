"""The patches that are ranked: drawn from a queue of earlier batches, or from the batch itself.

All random numbers come from the generator that is passed in. It lives on the CPU and is seeded alike in every
process, so that several processes draw what one process with the whole batch would draw.
"""

import torch

from training.data.crops import CropSettings
from training.engine.sharing import Sharing
from training.neco.settings import LossSettings

PUSHED_PER_IMAGE = 10
"""Patches of each image that enter the queue of each global crop, as published."""


def draws(available: int, count: int, generator: torch.Generator) -> torch.Tensor:
    """`count` random indices below `available`; each occurs once before any occurs twice."""
    rounds = -(-count // available)
    order = torch.cat([torch.randperm(available, generator=generator) for _ in range(rounds)])
    return order[:count]


class ReferenceQueue(torch.nn.Module):
    """First in, first out: the teacher's projected patches of the latest images, one queue per global crop.

    Parameters
    ----------
    queues : int
        Number of queues.
    capacity : int
        Patches that a queue holds.
    channels : int
        Length of a patch's vector.
    """

    patches: torch.Tensor
    filled: torch.Tensor
    next: torch.Tensor

    def __init__(self, queues: int, capacity: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("patches", torch.zeros(queues, capacity, channels))
        self.register_buffer("filled", torch.zeros(queues, dtype=torch.long))
        self.register_buffer("next", torch.zeros(queues, dtype=torch.long))

    @property
    def capacity(self) -> int:
        return self.patches.shape[1]

    @torch.no_grad()
    def push(self, queue: int, patches: torch.Tensor) -> None:
        """Add patches (n, channels) in order; the oldest leave. Of more than fit, the last are kept."""
        patches = patches[-self.capacity :].to(self.patches)
        slots = (self.next[queue] + torch.arange(len(patches), device=patches.device)) % self.capacity
        self.patches[queue, slots] = patches
        self.next[queue] = (self.next[queue] + len(patches)) % self.capacity
        self.filled[queue] = (self.filled[queue] + len(patches)).clamp(max=self.capacity)

    def draw(self, queue: int, count: int, generator: torch.Generator) -> torch.Tensor:
        """Slots (count,) of `queue` that are filled, distinct while there are enough of them."""
        return draws(int(self.filled[queue]), count, generator)

    def take(self, queue: int, slots: torch.Tensor) -> torch.Tensor:
        """The patches (..., channels) in `slots` (...)."""
        return self.patches[queue, slots.to(self.patches.device)]


def draw_from_batch(
    cells: torch.Tensor, count: int, generator: torch.Generator, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """Shuffle the teacher's aligned cells of each pair and hand `count` to every image.

    Parameters
    ----------
    cells : Tensor (pairs, B, n, channels)
    count : int
        References per image; with ``count == n`` and no mask every cell is used exactly once.
    mask : Tensor (pairs, B, n) bool, optional
        Cells that may serve as references; where a pair has none, all may.

    Returns
    -------
    Tensor (pairs, B, count, channels)
    """
    pairs, images, _, channels = cells.shape
    chosen = []
    for pair in range(pairs):
        candidates = cells[pair].flatten(0, 1)
        if mask is not None and mask[pair].any():
            candidates = candidates[mask[pair].flatten()]
        order = draws(len(candidates), images * count, generator)
        chosen.append(candidates[order.to(cells.device)])
    return torch.stack(chosen).view(pairs, images, count, channels)


class References:
    """The references of every pair of a batch, drawn as the settings say.

    Parameters
    ----------
    settings : LossSettings
    crops : CropSettings
    channels : int
        Of the projected patches.
    sharing : Sharing
    """

    def __init__(self, settings: LossSettings, crops: CropSettings, channels: int, sharing: Sharing) -> None:
        self._count = settings.references
        self._crops = crops
        self._sharing = sharing
        queues = crops.global_crops if settings.source == "queue" else 0
        self.queue = ReferenceQueue(queues, settings.queue, channels) if queues else None

    def for_pairs(
        self,
        features: torch.Tensor,
        cells: torch.Tensor,
        generator: torch.Generator,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """References of every image in every pair.

        Parameters
        ----------
        features : Tensor (global crops * B, channels, n, n)
            The teacher's projected patches; some of them enter the queue first.
        cells : Tensor (pairs, B, cells, channels)
            The teacher's aligned cells.
        mask : Tensor (pairs, B, cells) bool, optional
            Cells that may serve as references when they come from the batch.

        Returns
        -------
        Tensor (pairs, B, references, channels)
        """
        if self.queue is not None:
            return self._from_queue(self.queue, features, cells.shape[1], generator)
        global_cells = self._sharing.gathered(cells, dim=1)
        mask = None if mask is None else self._sharing.gathered(mask.float(), dim=1) > 0
        return self._sharing.own(draw_from_batch(global_cells, self._count, generator, mask), dim=1)

    def _from_queue(
        self, queue: ReferenceQueue, features: torch.Tensor, images: int, generator: torch.Generator
    ) -> torch.Tensor:
        patches = features.flatten(2).transpose(1, 2).unflatten(0, (-1, images))
        global_batch = images * self._sharing.processes
        rows = torch.arange(images, device=features.device)[:, None]
        for index, of_crop in enumerate(patches):
            picked = [draws(of_crop.shape[1], PUSHED_PER_IMAGE, generator) for _ in range(global_batch)]
            own = self._sharing.own(torch.stack(picked), dim=0).to(features.device)
            queue.push(index, self._sharing.gathered(of_crop[rows, own], dim=0).flatten(0, 1))
        references = []
        for index, _ in self._crops.pairs:
            slots = queue.draw(index, global_batch * self._count, generator).view(global_batch, self._count)
            references.append(queue.take(index, self._sharing.own(slots, dim=0)))
        return torch.stack(references)
