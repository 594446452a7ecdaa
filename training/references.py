"""The patches that are ranked: drawn from a queue of earlier batches, or from the batch itself.

All random numbers come from the generator that is passed in. It lives on the CPU and is seeded alike in every
process, so that several processes draw what one process with the whole batch would draw.
"""

import torch

PUSHED_PER_IMAGE = 10


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
        """`count` patches (count, channels) from filled slots, distinct while there are enough of them."""
        return self.patches[queue, _draws(int(self.filled[queue]), count, generator).to(self.patches.device)]


def pick_for_queue(features: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Pick the patches of each image that enter the queue, the same number of each.

    Parameters
    ----------
    features : Tensor (B, patches, channels)

    Returns
    -------
    Tensor (B * PUSHED_PER_IMAGE, channels)
    """
    images, patches, _ = features.shape
    picked = torch.stack([_draws(patches, PUSHED_PER_IMAGE, generator) for _ in range(images)])
    rows = torch.arange(images)[:, None]
    return features[rows.to(features.device), picked.to(features.device)].flatten(0, 1)


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
        order = _draws(len(candidates), images * count, generator)
        chosen.append(candidates[order.to(cells.device)])
    return torch.stack(chosen).view(pairs, images, count, channels)


def _draws(available: int, count: int, generator: torch.Generator) -> torch.Tensor:
    """`count` random indices below `available`; each occurs once before any occurs twice."""
    rounds = -(-count // available)
    order = torch.cat([torch.randperm(available, generator=generator) for _ in range(rounds)])
    return order[:count]
