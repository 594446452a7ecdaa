"""Vision transformers as backbones."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from patchfield.backbones.attention import use_xformers
from patchfield.backbones.base import Backbone, Level
from patchfield.backbones.conversion import ConversionReport, convert
from patchfield.backbones.devices import BatchSplitter, Precision, choose_device, choose_dtype, move_to
from patchfield.backbones.spec import State, ViTSpec
from patchfield.backbones.timm_import import import_timm
from patchfield.backbones.transformer import Facet, Transformer
from patchfield.errors import BackboneError

_NATIVE = 448
"""Models trained on images of at least this side are at their best on crops of that side. Smaller ones (DINO's 224)
get crops of twice the side: their own dense evaluations use 480 px, and margins would waste half of a small crop."""


class ViT(Backbone):
    """A vision transformer: tokens of one or several blocks, normalised by the final LayerNorm.

    Parameters
    ----------
    spec : ViTSpec
    state : mapping of str to Tensor
        Weights under timm's names.
    name : str
        What :func:`patchfield.load_backbone` finds it again by.
    stride : int, optional
        Distance of tokens in pixels, at most the patch's side (the default). Half of it makes four times the tokens.
    blocks : int or sequence of int, optional
        Which blocks' tokens, concatenated along the channels in increasing order; negative ones count from the
        last. The last block by default.
    device : str or torch.device
        ``"auto"``: CUDA, else MPS, else CPU.
    precision : {"auto", "fp32", "bf16", "fp16"}
        Of the matrix products, see :func:`patchfield.backbones.devices.choose_dtype`; tokens are float32. It is not
        part of the fingerprint: features agree to a rounding error.
    options : dict, optional
        Further options that `name` was loaded with.
    report : ConversionReport, optional
        What became of the tensors in the file it was loaded from; kept as an attribute.

    Raises
    ------
    BackboneError
        For weights, stride, blocks, device or precision that do not exist or fit.

    Examples
    --------
    >>> vit = random_vit("vit_tiny_patch16_224", depth=3, stride=8, blocks=(-2, -1), device="cpu")
    >>> vit.levels
    (Level(pitch=8, patch=16, channels=384),)
    >>> vit.encode(torch.rand(2, 3, 64, 96))[0].shape
    torch.Size([2, 384, 7, 11])
    """

    def __init__(
        self,
        spec: ViTSpec,
        state: State,
        name: str,
        *,
        stride: int | None = None,
        blocks: int | Sequence[int] | None = None,
        device: str | torch.device = "auto",
        precision: Precision = "auto",
        options: dict[str, Any] | None = None,
        report: ConversionReport | None = None,
    ) -> None:
        self.name = name
        self.spec = spec
        self.report = report
        self.device = choose_device(device)
        self.dtype = choose_dtype(precision, self.device)
        self.blocks = _checked_blocks(blocks, spec.depth)
        self.transformer = Transformer(spec, state, stride).eval().requires_grad_(False)
        move_to(self.transformer, self.device)
        if self.device.type == "cuda":
            use_xformers(self.transformer.vit)
        pitch = self.transformer.stride
        self.levels = (Level(pitch, spec.patch, spec.channels * len(self.blocks)),)
        side = spec.native_side if spec.native_side >= _NATIVE else 2 * spec.native_side
        self.tile = self.levels[0].pixels(self.levels[0].tokens(side))
        self.margin = 2 * spec.patch
        self.options = dict(options or {})
        if pitch != spec.patch:
            self.options["stride"] = pitch
        if self.blocks != (spec.depth - 1,):
            self.options["blocks"] = list(self.blocks)
        self.fingerprint = _fingerprint(spec, state, pitch, self.blocks)
        self._split = BatchSplitter()

    def encode(self, batch: torch.Tensor) -> list[torch.Tensor]:
        """Tokens of a batch of crops; see :meth:`Backbone.encode`.

        A batch that does not fit into the device's memory is halved until it does, with a warning.
        """
        return self._split(self._encode, batch)

    @torch.no_grad()
    def attention(self, batch: torch.Tensor, block: int = -1, facet: Facet = "attention") -> torch.Tensor:
        """Attention maps of the class token in one block, (B, heads, n_h, n_w) float32; the last block by default.

        A softmax over all tokens, in float32; class and register columns are left out, so a map sums to less than 1.

        Raises
        ------
        BackboneError
            When the transformer has no class token.
        """
        return self._split(lambda part: [self._attention(part, block, facet)], batch)[0]

    @torch.no_grad()
    def _encode(self, batch: torch.Tensor) -> list[torch.Tensor]:
        with self._autocast():
            tokens = self.transformer.intermediate(batch.to(self.device), self.blocks)
        return [torch.cat([block.grid.float() for block in tokens], dim=1)]

    def _attention(self, batch: torch.Tensor, block: int, facet: Facet) -> torch.Tensor:
        with self._autocast():
            return self.transformer.attention(batch.to(self.device), block, facet)

    def _autocast(self) -> AbstractContextManager[object]:
        return nullcontext() if self.dtype == torch.float32 else torch.autocast(self.device.type, self.dtype)


class AttentionMaps(Backbone):
    """The attention maps of a vision transformer as a backbone: one channel per head.

    A value is the attention that the class token pays to a patch, as a multiple of what it would be if all tokens
    got the same: maps of crops of different sizes are comparable.

    Parameters
    ----------
    vit : ViT
        With a class token, where its attention is wanted.
    block : int
        Which block, from 0 or from the last, -1.
    facet : {"attention", "query", "key", "value"}
        The class token's attention, or the mean of each head's query, key or value of a patch.

    Raises
    ------
    BackboneError
        When there is no class token, or no such block.

    Examples
    --------
    >>> maps = AttentionMaps(random_vit("vit_tiny_patch16_224", depth=2, device="cpu"))
    >>> maps.encode(torch.rand(1, 3, 64, 96))[0].shape
    torch.Size([1, 3, 4, 6])
    """

    def __init__(self, vit: ViT, block: int = -1, facet: Facet = "attention") -> None:
        (self.block,) = _checked_blocks(block, vit.spec.depth)
        self.facet = facet
        if facet == "attention" and not vit.spec.class_token:
            raise BackboneError(f"'{vit.name}' has no class token, hence no attention maps: choose another backbone.")
        self.vit = vit
        self.name = vit.name
        self.device = vit.device
        self.options = {key: value for key, value in vit.options.items() if key != "blocks"} | {"attention": True}
        last = self.block == vit.spec.depth - 1
        what = facet if last else f"{facet} {self.block}"
        self.fingerprint = hashlib.sha256(f"{what} {vit.fingerprint}".encode()).hexdigest()[:16]
        level = vit.levels[0]
        self.levels = (Level(level.pitch, level.patch, vit.spec.heads),)
        self.tile = vit.tile
        self.margin = vit.margin

    def encode(self, batch: torch.Tensor) -> list[torch.Tensor]:
        """Maps of a batch of crops; see :meth:`Backbone.encode`."""
        maps = self.vit.attention(batch, self.block, self.facet)
        if self.facet != "attention":
            return [maps]
        return [maps * (maps.shape[2] * maps.shape[3] + self.vit.spec.prefix)]


def random_vit(architecture: str = "vit_small_patch14_dinov2", seed: int = 0, **settings: Any) -> ViT:
    """A vision transformer with random weights: for tests and benchmarks, whose time does not depend on values.

    Parameters
    ----------
    architecture : str
        A name in timm, such as ``vit_small_patch14_reg4_dinov2`` or ``vit_tiny_patch16_224``.
    seed : int
    **settings
        ``stride``, ``blocks``, ``device`` and ``precision`` of :class:`ViT`; everything else changes timm's
        architecture, such as ``depth=2`` or ``img_size=112``.

    Examples
    --------
    >>> random_vit("vit_tiny_patch16_224", depth=2, device="cpu").tile
    448
    """
    options = {key: settings.pop(key) for key in ("stride", "blocks", "device", "precision") if key in settings}
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model: Any = import_timm().create_model(architecture, num_classes=0, **settings)
    state, _, _ = convert(model.state_dict())
    for key, value in state.items():
        if key.endswith("gamma"):  # timm starts them at 1e-5: no block would have an effect
            state[key] = torch.ones_like(value)
    spec = ViTSpec.from_state(state, heads=model.blocks[0].attn.num_heads)
    return ViT(spec, state, f"random {architecture}", **options)


def _checked_blocks(blocks: int | Sequence[int] | None, depth: int) -> tuple[int, ...]:
    """Block numbers from 0, increasing."""
    wanted = (depth - 1,) if blocks is None else tuple(blocks) if isinstance(blocks, Sequence) else (blocks,)
    if not wanted or not all(-depth <= block < depth for block in wanted):
        raise BackboneError(
            f"blocks={blocks} is not possible: give numbers from 0 to {depth - 1}, or from -{depth} to -1."
        )
    return tuple(sorted({int(block) % depth for block in wanted}))


def _fingerprint(spec: ViTSpec, state: State, stride: int, blocks: Sequence[int]) -> str:
    digest = hashlib.sha256(json.dumps([spec.to_json(), stride, list(blocks)], sort_keys=True).encode())
    for key in sorted(state):
        digest.update(key.encode())
        digest.update(state[key].detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()[:16]
