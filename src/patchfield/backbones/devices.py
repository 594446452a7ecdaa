"""Where and in which precision a backbone computes, and what happens when its memory is full."""

import warnings
from collections.abc import Callable
from typing import Literal

import torch
from torch import nn

from patchfield.errors import BackboneError

Precision = Literal["auto", "fp32", "bf16", "fp16"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(device: str | torch.device = "auto") -> torch.device:
    """The device of that name; ``"auto"``: CUDA where there is one, else MPS (Apple), else the CPU.

    Raises
    ------
    BackboneError
        When this machine does not have it.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise BackboneError(f"device='{device}' is unknown: give 'auto', 'cuda', 'cuda:1', 'mps' or 'cpu'.") from None
    missing = (chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count()) or (
        chosen.type == "mps" and not torch.backends.mps.is_available()
    )
    if missing:
        raise BackboneError(f"device='{device}' is not there or its driver is not: give 'auto' or 'cpu'.")
    return chosen


def choose_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The type that matrix products are computed in.

    ``"auto"`` is bfloat16 on NVIDIA GPUs that have it in hardware, float16 on older ones with tensor cores, and
    float32 elsewhere: on a CPU bfloat16 saves about a quarter of the time at best, at an error of 0.6 % of a token,
    which does not justify features that depend on the machine.

    Raises
    ------
    BackboneError
        For a precision of another name.
    """
    if precision != "auto":
        if precision not in _DTYPES:
            raise BackboneError(f"precision='{precision}' is unknown: give 'auto', 'fp32', 'bf16' or 'fp16'.")
        return _DTYPES[precision]
    if device.type != "cuda" or torch.version.hip:
        return torch.float32
    major, _ = torch.cuda.get_device_capability(device)
    return torch.bfloat16 if major >= 8 else torch.float16 if major == 7 else torch.float32


def move_to(module: nn.Module, device: torch.device) -> None:
    """Move a module to a device.

    Raises
    ------
    BackboneError
        When its weights do not fit into the device's memory.
    """
    try:
        module.to(device)
    except RuntimeError as error:
        if not _is_full_memory(error):
            raise
        raise BackboneError(
            f"The weights do not fit into the memory of '{device}': choose a smaller backbone, or device='cpu'."
        ) from None


def _is_full_memory(error: RuntimeError) -> bool:
    """MPS has no class of its own for this."""
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error)


class BatchSplitter:
    """Calls a function on as much of a batch as fits into the device's memory.

    When memory runs out the batch is halved, a warning says so, and later batches start at what was possible.
    """

    def __init__(self) -> None:
        self._limit: int | None = None

    def __call__(
        self, function: Callable[[torch.Tensor], list[torch.Tensor]], batch: torch.Tensor
    ) -> list[torch.Tensor]:
        """The results of `function` for all of `batch`, each list entry concatenated along its first axis.

        Raises
        ------
        BackboneError
            When not even one element fits.
        """
        parts: list[list[torch.Tensor]] = []
        done = 0
        while done < len(batch):
            size = min(self._limit or len(batch), len(batch) - done)
            result = self._attempt(function, batch[done : done + size])
            if result is None:
                self._shrink(size, batch)
            else:
                parts.append(result)
                done += size
        return parts[0] if len(parts) == 1 else [torch.cat(level) for level in zip(*parts, strict=True)]

    @staticmethod
    def _attempt(
        function: Callable[[torch.Tensor], list[torch.Tensor]], part: torch.Tensor
    ) -> list[torch.Tensor] | None:
        """None when memory ran out. The error must be gone when this returns: its traceback holds the tensors."""
        try:
            return function(part)
        except RuntimeError as error:
            if not _is_full_memory(error):
                raise
        return None

    def _shrink(self, size: int, batch: torch.Tensor) -> None:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if size == 1:
            raise BackboneError(
                f"One crop of {batch.shape[2]} x {batch.shape[3]} pixels does not fit into the memory of the device: "
                "choose a smaller backbone, a larger stride, or device='cpu'."
            )
        self._limit = size // 2
        warnings.warn(
            f"The device's memory is full: crops are sent {self._limit} at a time instead of {size}.",
            RuntimeWarning,
            stacklevel=4,
        )
