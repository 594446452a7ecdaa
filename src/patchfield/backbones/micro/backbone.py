"""A small network as a backbone: pitch 2, contrast and structure measured on the whole image."""

import hashlib
from copy import copy

import torch
from torch import Tensor
from torch.nn import functional

from patchfield.backbones.base import Backbone, Level
from patchfield.backbones.contrast import Reference
from patchfield.backbones.devices import Precision, choose_device, choose_dtype
from patchfield.backbones.filters import FilterBank, ImageStatistics, measure
from patchfield.backbones.micro.network import PITCH, MicroNet
from patchfield.images import ModelImage

VERSION = 2
"""Counts up whenever the same weights give other features: probes of another version are refused."""


class Micro(Backbone):
    """A trained :class:`MicroNet`.

    Parameters
    ----------
    net : MicroNet
        With its trained weights; taken over and frozen.
    name : str
        What :func:`patchfield.load_backbone` is called with.
    device : str or torch.device
    precision : {"auto", "fp32", "bf16", "fp16"}
    reference : {"middle", "median"}
        What intensities are counted from; see :class:`patchfield.backbones.filters.FilterBank`.

    Examples
    --------
    >>> import patchfield as pf
    >>> pf.load_backbone("micro").levels
    (Level(pitch=2, patch=2, channels=64),)
    """

    tile = 512
    margin = 48

    def __init__(
        self,
        net: MicroNet,
        name: str,
        device: str | torch.device = "auto",
        precision: Precision = "auto",
        reference: Reference = "middle",
    ) -> None:
        self.name = name
        self.options = {}
        self.reference = reference
        self.levels = (Level(PITCH, PITCH, net.spec.channels),)
        self.fingerprint = micro_fingerprint(net, reference)
        self.device = choose_device(device)
        self._dtype = choose_dtype(precision, self.device)
        # Measured on a CPU: a tenth less time than channels first.
        self._net = net.fused().to(self.device).to(memory_format=torch.channels_last)
        self._statistics = ImageStatistics()

    def adapted(self, image: ModelImage) -> "Micro":
        """The backbone that knows contrast and structure of `image`."""
        other = copy(self)
        other._statistics = measure(image, self.reference)
        return other

    @torch.inference_mode()
    def encode(self, batch: Tensor) -> list[Tensor]:
        """Features of a batch of crops; see :meth:`patchfield.backbones.base.Backbone.encode`."""
        images = self._statistics.normalised(batch.to(self.device))
        height, width = images.shape[2:]
        coarsest = self._net.spec.coarsest
        images = functional.pad(images, (0, -width % coarsest, 0, -height % coarsest), mode="replicate")
        with torch.autocast(self.device.type, self._dtype, enabled=self._dtype != torch.float32):
            features = self._net(images, self._statistics.energies)
        return [features[:, :, : height // PITCH, : width // PITCH].float()]


def micro_fingerprint(net: MicroNet, reference: Reference) -> str:
    """Of the features of a network that was not fused yet."""
    bank = FilterBank(reference=reference)
    digest = hashlib.sha256(f"micro {VERSION} {bank.fingerprint} {net.spec}".encode())
    for key, value in sorted(net.state_dict().items()):
        digest.update(key.encode() + value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
