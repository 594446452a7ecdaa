"""Models of timm as backbones."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from patchfield.backbones.base import Backbone
from patchfield.backbones.devices import BatchSplitter, Precision, choose_device, choose_dtype, move_to
from patchfield.backbones.timm_names import TimmName
from patchfield.backbones.timm_networks import TimmNetwork, build_network


class TimmBackbone(Backbone):
    """A vision transformer or a convolutional pyramid of timm, with the input statistics that timm states.

    Parameters
    ----------
    network : TimmNetwork
        With its weights.
    architecture : str
        Its name in timm; part of the fingerprint.
    name : str
        What :func:`patchfield.load_backbone` finds it again by.
    device : str or torch.device
    precision : {"auto", "fp32", "bf16", "fp16"}
        As of :class:`patchfield.backbones.ViT`.

    Examples
    --------
    >>> random_timm("resnet10t", device="cpu").levels[0]
    Level(pitch=4, patch=1, channels=64)
    >>> random_timm("convnext_atto", device="cpu", blocks=(0, 1)).levels
    (Level(pitch=4, patch=4, channels=40), Level(pitch=8, patch=8, channels=80))
    """

    def __init__(
        self,
        network: TimmNetwork,
        architecture: str,
        name: str,
        *,
        device: str | torch.device = "auto",
        precision: Precision = "auto",
    ) -> None:
        self.name = name
        self.options = {} if network.default else {"blocks": list(network.blocks)}
        self.levels = network.levels
        self.tile = network.tile
        self.margin = network.margin
        self.fingerprint = _fingerprint(network, architecture)
        self.device = choose_device(device)
        self.dtype = choose_dtype(precision, self.device)
        self.network = network
        move_to(network, self.device)
        self._split = BatchSplitter()

    def encode(self, batch: torch.Tensor) -> list[torch.Tensor]:
        """Tokens of a batch of crops; see :meth:`Backbone.encode`.

        A batch that does not fit into the device's memory is halved until it does, with a warning.
        """
        return self._split(self._encode, batch)

    @torch.no_grad()
    def _encode(self, batch: torch.Tensor) -> list[torch.Tensor]:
        with self._autocast():
            tokens: list[torch.Tensor] = self.network(batch.to(self.device))
        return tokens

    def _autocast(self) -> AbstractContextManager[object]:
        return nullcontext() if self.dtype == torch.float32 else torch.autocast(self.device.type, self.dtype)


def random_timm(
    architecture: str,
    seed: int = 0,
    *,
    blocks: int | Sequence[int] | None = None,
    device: str | torch.device = "auto",
    precision: Precision = "auto",
    **changes: Any,
) -> TimmBackbone:
    """A backbone of timm's architecture with random weights: for tests and benchmarks.

    Parameters
    ----------
    architecture : str
        A name in timm.
    seed : int
    blocks, device, precision
        As of :func:`patchfield.load_backbone`.
    **changes
        Of timm's architecture, such as ``depth=2`` or ``img_size=112``.

    Raises
    ------
    BackboneError
        When timm does not know it, or it makes no grids of tokens.

    Examples
    --------
    >>> backbone = random_timm("vit_tiny_patch16_224", depth=2, device="cpu")
    >>> backbone.encode(torch.rand(1, 3, 64, 96))[0].shape
    torch.Size([1, 192, 4, 6])
    """
    name = TimmName(architecture)
    name.check()
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        network = build_network(name.architecture, None, blocks, changes)
    return TimmBackbone(network, architecture, f"random {architecture}", device=device, precision=precision)


def _fingerprint(network: TimmNetwork, architecture: str) -> str:
    """Of the weights, of what is taken from them, and of how input is standardised."""
    said = [architecture, list(network.blocks), network.mean.flatten().tolist(), network.std.flatten().tolist()]
    digest = hashlib.sha256(json.dumps(said).encode())
    for key, value in sorted(network.model.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()[:16]
