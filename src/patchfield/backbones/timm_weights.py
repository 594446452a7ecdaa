"""Weights for models of timm: unwrapped, renamed by timm's own rules, and refused where they do not fit."""

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from patchfield.backbones.tensors import Tensors, checked_float32
from patchfield.backbones.timm_import import import_timm
from patchfield.errors import BackboneError

_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Where training codes keep the weights in their files, the better ones first, as timm looks for them."""

_COUNTERS = ("num_batches_tracked", "relative_position_index")
"""Whole numbers beside the weights, which the architecture makes itself."""


def fitted_state(content: Mapping[str, object], model: nn.Module, architecture: str) -> Tensors:
    """The weights in a file's content under the names of `model`, one for each of its tensors.

    Parameters
    ----------
    content : mapping
        Of a weight file; weights may lie below ``state_dict``, ``model`` or their averaged versions.
    model : nn.Module
        A model of timm without a classifier; left as it is.
    architecture : str
        Its name in timm.

    Raises
    ------
    BackboneError
        When a tensor is missing, has another shape or no place, or is not finite.
    """
    state = checked_float32(dict(_tensors(content)))
    state = _renamed(state, model, architecture)
    expected = {key: value for key, value in model.state_dict().items() if value.is_floating_point()}
    heads = _heads(model)
    surplus = sorted(
        key for key in state.keys() - expected.keys() if not any(key.startswith(f"{head}.") for head in heads)
    )
    missing = sorted(expected.keys() - state.keys())
    misshapen = [key for key in expected.keys() & state.keys() if expected[key].shape != state[key].shape]
    if missing:
        problem = f"'{missing[0]}' is missing ({len(missing)} of {len(expected)} tensors are)"
    elif misshapen:
        key = min(misshapen)
        problem = f"'{key}' has shape {tuple(state[key].shape)} instead of {tuple(expected[key].shape)}"
    elif surplus:
        problem = f"'{surplus[0]}' has no place in it ({len(surplus)} tensors have none)"
    else:
        return {key: state[key] for key in expected}
    raise BackboneError(f"The weights do not fit timm's {architecture}: {problem}.")


def _tensors(content: Mapping[str, object]) -> Iterator[tuple[str, torch.Tensor]]:
    """The named tensors of a file, without the prefix that training on several devices puts before them."""
    inner = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), content)
    assert isinstance(inner, Mapping)
    for key, value in inner.items():
        if isinstance(value, torch.Tensor) and not str(key).endswith(_COUNTERS):
            yield re.sub(r"^(module\.|_orig_mod\.)+", "", str(key)), value


def _renamed(state: Tensors, model: nn.Module, architecture: str) -> Tensors:
    """What timm itself makes of the names and shapes of released files of an architecture."""
    module = sys.modules[import_timm().model_entrypoint(architecture).__module__]
    rule: Any = getattr(module, "checkpoint_filter_fn", None)
    if rule is None:
        return state
    try:
        renamed: Tensors = dict(rule(dict(state), model))
    except (KeyError, IndexError, RuntimeError, ValueError, AssertionError):  # of weights of something else
        return state
    return renamed


def _heads(model: nn.Module) -> tuple[str, ...]:
    """Names of the classifiers, which released files hold and features do without."""
    stated: Any = getattr(model, "pretrained_cfg", {}).get("classifier") or ("head", "fc", "classifier")
    return (stated,) if isinstance(stated, str) else tuple(stated)
