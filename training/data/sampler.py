"""Which samples a step takes, and the processes that load them.

Everything about sample number i follows from the run's seed and i alone. So it does not matter how many processes and
workers share the samples, and a resumed run sees what the uninterrupted one would have seen.
"""

import signal
from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from patchfield.errors import PatchfieldError
from training.errors import TrainingError

BatchT = TypeVar("BatchT", bound=tuple[Tensor, ...])


class StepSampler(Sampler[list[int]]):
    """The samples of each step that fall to one process, from a first step on.

    Process r of w gets samples ``step * batch + r * batch / w`` onwards, `batch` being that of all processes.

    Examples
    --------
    >>> list(StepSampler(4, first_step=1, steps=3, rank=1, processes=2))
    [[6, 7], [10, 11]]
    """

    def __init__(self, batch: int, first_step: int, steps: int, rank: int = 0, processes: int = 1) -> None:
        self._batch = batch
        self._steps = range(first_step, steps)
        self._share = range(rank * batch // processes, (rank + 1) * batch // processes)

    def __iter__(self) -> Iterator[list[int]]:
        for step in self._steps:
            yield [step * self._batch + number for number in self._share]

    def __len__(self) -> int:
        return len(self._steps)


def load_batches(dataset: Dataset[BatchT], sampler: StepSampler, workers: int, pinned: bool) -> Iterator[BatchT]:
    """Batches of stacked samples, loaded in background processes, two ahead of each worker.

    Raises
    ------
    TrainingError
        What a sample could not be made from, or that a loading process was killed.
    """
    loader = DataLoader(
        dataset,
        batch_sampler=sampler,
        num_workers=workers,
        pin_memory=pinned,
        worker_init_fn=quiet_worker,
        persistent_workers=False,
    )
    try:
        yield from loader
    except PatchfieldError as error:
        if not workers:
            raise
        # PyTorch raises what happened in a worker again with its traceback for a message.
        sentence = str(error).rstrip().rpartition("\n")[2].partition(": ")[2]
        raise TrainingError(sentence or str(error)) from error
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker (pid"):
            raise
        raise TrainingError(
            "a process that loads samples was killed, perhaps because memory was full: lower --workers or --batch."
        ) from error


def quiet_worker(_: int) -> None:
    """One thread each; Ctrl+C is for the training process, which lets its workers finish the step."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
