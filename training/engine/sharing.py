"""What processes of one run tell each other, so that together they compute what one process would.

Process r of w holds the r-th part of the global batch. References are drawn for the whole batch by generators that
are seeded alike everywhere, and every process takes its own part.
"""

import torch
from lightning_fabric import Fabric


class Sharing:
    """A thin layer over Fabric's collectives; does nothing when there is one process.

    Parameters
    ----------
    fabric : Fabric
    """

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self.processes = fabric.world_size
        self.rank = fabric.global_rank

    def gathered(self, tensor: torch.Tensor, dim: int) -> torch.Tensor:
        """The tensors of all processes, concatenated along the images of the global batch; no gradient."""
        if self.processes == 1:
            return tensor
        own = tensor.detach().contiguous()
        parts = [torch.empty_like(own) for _ in range(self.processes)]
        torch.distributed.all_gather(parts, own)
        return torch.cat(parts, dim=dim)

    def own(self, tensor: torch.Tensor, dim: int) -> torch.Tensor:
        """This process's part of something computed for the global batch."""
        return tensor.chunk(self.processes, dim=dim)[self.rank]

    def mean(self, tensor: torch.Tensor) -> torch.Tensor:
        """The mean over processes."""
        if self.processes == 1:
            return tensor
        total = tensor.detach().clone()
        torch.distributed.all_reduce(total)
        return total / self.processes

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        if self.processes == 1:
            return flag
        return bool(self.mean(torch.tensor(float(flag), device=self._fabric.device)) > 0)
