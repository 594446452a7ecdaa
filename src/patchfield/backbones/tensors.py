"""Weights as they come out of a file: refused where no network can be made of them."""

from collections.abc import Mapping

import torch

from patchfield.errors import BackboneError

Tensors = dict[str, torch.Tensor]

MAX_WEIGHT = 1e18
"""Products of two larger numbers overflow float32."""


def checked_float32(state: Mapping[str, torch.Tensor]) -> Tensors:
    """The tensors as float32 on the CPU; those that are float32 already are not copied.

    Parameters
    ----------
    state : mapping of str to Tensor

    Raises
    ------
    BackboneError
        When a tensor is sparse, quantised, complex, of whole numbers or without content, when it claims to be larger
        than what is stored of it, or when it holds NaN, infinity or values that no trained network has.
    """
    return {key: _checked(key, value) for key, value in state.items()}


def check_finite(state: Mapping[str, torch.Tensor]) -> None:
    """Refuse weights with NaN, infinity or absurdly large values, in one sentence that names the first such tensor."""
    for key, value in state.items():
        if value.numel() and value.is_floating_point():
            low, high = (float(bound) for bound in torch.aminmax(value.detach()))
            if not (low >= -MAX_WEIGHT and high <= MAX_WEIGHT):
                found = "NaN" if low != low else "values that are infinite or too large to compute with"
                raise BackboneError(
                    f"The weights are damaged or their training went wrong: '{key}' holds {found}. Fetch the file "
                    "again, or take an earlier checkpoint."
                )


def _checked(key: str, value: torch.Tensor) -> torch.Tensor:
    problem = _problem(value)
    if problem:
        raise BackboneError(f"'{key}' {problem}: save the weights as plain float32 tensors.")
    converted = value.detach().float()
    check_finite({key: converted})
    return converted


def _problem(value: torch.Tensor) -> str:
    """What keeps a tensor from being used as weights; empty when nothing does."""
    if value.layout is not torch.strided:
        return "is a sparse tensor"
    if value.is_quantized:
        return "is a quantised tensor"
    if not value.is_floating_point():
        return f"holds {str(value.dtype).removeprefix('torch.')} numbers"
    if value.device.type != "cpu":
        return "was saved without its values"
    if value.untyped_storage().nbytes() < value.numel() * value.element_size():
        return "is larger than what the file holds of it"
    return ""
