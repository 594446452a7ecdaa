"""Files of small networks: safetensors with half-precision convolutions, and a header that says what they are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from patchfield.atomic import atomic_path
from patchfield.backbones.filters import FilterBank
from patchfield.backbones.micro.network import MicroNet, MicroSpec
from patchfield.errors import BackboneError

SHIPPED = Path(__file__).with_name("micro.safetensors")
"""The weights of ``micro``."""

_HEADER = "patchfield-micro"


@dataclass(frozen=True)
class MicroHeader:
    """What a file says about itself: the network, facts of the training, the number of parameters."""

    spec: MicroSpec
    details: dict[str, Any]
    parameters: int


def write_micro(path: str | Path, net: MicroNet, details: Mapping[str, Any] | None = None) -> None:
    """Write a network that :func:`patchfield.load_backbone` can load by path or name.

    Convolutions are kept as float16, which moves features by less than a thousandth; statistics of normalisations as
    float32.

    Parameters
    ----------
    path : str or Path
        An existing file is replaced as a whole.
    net : MicroNet
        Not yet fused.
    details : mapping, optional
        JSON-able facts to keep: ``summary`` and ``licence`` are shown in lists of backbones.
    """
    tensors = {
        key: value.detach().cpu().to(torch.float16 if value.ndim > 1 else torch.float32).contiguous()
        for key, value in net.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    written = {"spec": net.spec.to_json(), "filters": FilterBank().fingerprint, "details": dict(details or {})}
    header = json.dumps(written)
    with atomic_path(Path(path)) as temporary:
        save_file(tensors, temporary, metadata={"format": "pt", _HEADER: header})


def read_micro_header(path: str | Path) -> MicroHeader | None:
    """What :func:`write_micro` wrote beside the weights; None for other files.

    Raises
    ------
    BackboneError
        When the file is of another version, or was trained on another version of the filter bank.
    """
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_HEADER)
            parameters = sum(prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118
    except (OSError, SafetensorError):
        return None
    if text is None:
        return None
    try:
        values = json.loads(text)
        header = MicroHeader(MicroSpec.from_json(values["spec"]), values["details"], parameters)
        known = values["filters"] == FilterBank().fingerprint
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise BackboneError(
            f"'{path}' was written by another version of Patchfield: use that version, or train the network again."
        )
    return header


def read_micro(path: str | Path) -> MicroNet:
    """The network in a file that :func:`write_micro` wrote.

    Raises
    ------
    BackboneError
        When the file is damaged or holds something else.
    """
    header = read_micro_header(path)
    if header is None:
        raise BackboneError(f"'{path}' holds no network of Patchfield's training.episodes.")
    net = MicroNet(header.spec)
    state = {key: value.float() for key, value in load_file(path).items()}
    try:
        missing, surplus = net.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise BackboneError(f"'{path}' does not hold the network that it says: download or train it again.") from error
    if surplus or any(not key.endswith("num_batches_tracked") for key in missing):
        raise BackboneError(f"'{path}' does not hold the network that it says: download or train it again.")
    return net.eval()
