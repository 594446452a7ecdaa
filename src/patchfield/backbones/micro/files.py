"""Files of small networks: half-precision convolutions, and a header that says what they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from patchfield.backbones.contrast import Reference
from patchfield.backbones.files import WeightFile, errors_name, read_weights, write_weights
from patchfield.backbones.filters import FilterBank
from patchfield.backbones.header import Header, other_version
from patchfield.backbones.micro.network import MicroNet, MicroSpec
from patchfield.backbones.tensors import checked_float32
from patchfield.errors import BackboneError

SHIPPED = Path(__file__).with_name("micro.safetensors")
"""The weights of ``micro``."""


def write_micro(
    path: str | Path, net: MicroNet, details: Mapping[str, Any] | None = None, reference: Reference = "middle"
) -> None:
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
    reference : {"middle", "median"}
        What intensities were counted from in training.

    Raises
    ------
    BackboneError
        When a weight is NaN or too large for float16: nothing is written.
    """
    tensors = {
        key: value.detach().cpu().to(torch.float16 if value.ndim > 1 else torch.float32).contiguous()
        for key, value in net.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    header = Header("micro", net.spec.to_json(), dict(details or {}), FilterBank(reference=reference).fingerprint)
    write_weights(path, tensors, header)


def read_micro(file: str | Path | WeightFile) -> MicroNet:
    """The network in a file that :func:`write_micro` wrote, in evaluation mode.

    Parameters
    ----------
    file : str, Path or WeightFile
        Where it is, or its content.

    Raises
    ------
    BackboneError
        When the file is damaged, holds something else, or was trained on another version of the filter bank.

    Examples
    --------
    >>> read_micro(SHIPPED).spec
    MicroSpec(widths=(32, 64, 96, 128), blocks=(1, 1, 2, 2), channels=64)
    """
    file = file if isinstance(file, WeightFile) else read_weights(file)
    if file.header is None or file.header.kind != "micro":
        raise BackboneError(f"'{file.path}' holds no network of Patchfield's training.episodes.")
    if FilterBank.known(file.header.filters) is None:
        raise other_version(file.path)
    with errors_name(file.path):
        state = checked_float32({key: value for key, value in file.content.items() if isinstance(value, torch.Tensor)})
        spec = MicroSpec.from_state(state)
        if spec != MicroSpec.from_json(file.header.spec):
            raise BackboneError(f"Its weights are those of a {spec.summary()}, which is not what its header says.")
        return _built(spec, state)


def stated_reference(header: Header) -> Reference:
    """What intensities are counted from where a network is used: what they were counted from when it was trained."""
    bank = FilterBank.known(header.filters)
    return "middle" if bank is None else bank.reference


def _built(spec: MicroSpec, state: Mapping[str, torch.Tensor]) -> MicroNet:
    """The network with its weights; its memory is taken when it is known that they fit."""
    with torch.device("meta"):
        outline = MicroNet(spec).state_dict()
    expected = {key: value.shape for key, value in outline.items() if not key.endswith("num_batches_tracked")}
    found = {key: value.shape for key, value in state.items()}
    if found != expected:
        key = min(key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key))
        raise BackboneError(f"Its '{key}' is missing, misshapen or of another network: download or train it again.")
    net = MicroNet(spec)
    net.load_state_dict(state, strict=False)
    return net.eval()
