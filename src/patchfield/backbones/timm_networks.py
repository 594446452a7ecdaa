"""Models of timm as networks of dense tokens: transformers by their blocks, pyramids by their levels."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

from patchfield.backbones.base import Level
from patchfield.backbones.tensors import Tensors
from patchfield.backbones.timm_import import import_timm
from patchfield.backbones.timm_weights import fitted_state
from patchfield.errors import BackboneError

_NATIVE = 448
"""As in :mod:`patchfield.backbones.vit`: models trained on smaller images get crops of twice their side."""

_FINEST = 4
"""Smallest pitch of a pyramid's levels by default: finer ones hold edges and colours, and most of the memory."""

_MARGIN = 2
"""Tokens of the coarsest level along a crop's edge that lack context."""

_UNUSABLE = (RuntimeError, AssertionError, AttributeError, TypeError, ValueError)
"""What timm's models raise that have no features of stages, or take one size of images only."""

Forward = Callable[[torch.Tensor], list[torch.Tensor]]


class TimmNetwork(nn.Module):
    """A model of timm that makes tokens of images of any size.

    Attributes
    ----------
    model : nn.Module
        timm's.
    blocks : tuple of int
        Which blocks of a transformer, or levels of a pyramid.
    default : bool
        Whether these are the ones that are taken when nobody says otherwise.
    levels : tuple of Level
    tile, margin : int
        As :class:`patchfield.Backbone` has them.
    """

    mean: torch.Tensor
    std: torch.Tensor
    blocks: tuple[int, ...]
    default: bool
    levels: tuple[Level, ...]
    tile: int

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        stated = _stated(model)
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(stated[name]).view(3, 1, 1), persistent=False)

    @property
    def margin(self) -> int:
        """Pixels along a crop's edge whose tokens lack context; a network that sees only one size has no room for it
        beyond a quarter of its side.
        """
        return min(_MARGIN * max(level.pitch for level in self.levels), self.tile // 4)

    def standardised(self, images: torch.Tensor) -> torch.Tensor:
        """Images with values 0 to 1, with the statistics that timm states."""
        return (images - self.mean) / self.std


class TokenNetwork(TimmNetwork):
    """A transformer: the patch tokens of one or several blocks, after the final normalisation.

    Class and register tokens are dropped. Positions are resampled as timm does it (``dynamic_img_size``); where an
    architecture takes one size only, crops are continued to that size by their last pixels, and larger ones cut into
    windows of it.

    Parameters
    ----------
    model : nn.Module
        With ``forward_intermediates``.
    blocks : int or sequence of int, optional
        The last one by default.
    """

    def __init__(self, model: nn.Module, blocks: int | Sequence[int] | None) -> None:
        super().__init__(model)
        embed = cast(Any, model).patch_embed
        self.blocks = chosen(blocks, len(cast(Any, model).blocks), (-1,), "blocks")
        self.default = self.blocks == (len(cast(Any, model).blocks) - 1,)
        patch = embed.patch_size
        if patch[0] != patch[1]:
            raise BackboneError(f"Its patches of {patch[0]} x {patch[1]} pixels are not square: choose another model.")
        native = embed.img_size[0] if embed.img_size is not None else _stated(model)["input_size"][-1]
        # timm's own flag: whether the embedding refuses all sizes but one.
        self.fixed = int(native) if embed.strict_img_size else 0
        side = native if native >= _NATIVE or self.fixed else 2 * native
        self.tile = int(side) // patch[0] * patch[0]
        channels = self(torch.zeros(1, 3, self.fixed or 2 * patch[0], self.fixed or 2 * patch[0]))[0].shape[1]
        self.levels = (Level(patch[0], patch[0], channels),)

    @torch.no_grad()
    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Tokens (B, channels, n_h, n_w) of crops with values 0 to 1, in a list of one level."""
        if not self.fixed:
            return [self._tokens(images)]
        rows = [
            torch.cat([self._tokens(window) for window in torch.split(row, self.fixed, 3)], dim=3)
            for row in torch.split(images, self.fixed, 2)
        ]
        return [torch.cat(rows, dim=2)]

    def _tokens(self, images: torch.Tensor) -> torch.Tensor:
        height, width = images.shape[2:]
        images = self.standardised(images)
        if self.fixed:
            images = functional.pad(images, (0, self.fixed - width, 0, self.fixed - height), mode="replicate")
        found: list[torch.Tensor] = cast(Any, self.model).forward_intermediates(
            images,
            indices=list(self.blocks),
            norm=True,
            stop_early=True,
            output_fmt="NCHW",
            intermediates_only=True,
        )
        patch = cast(Any, self.model).patch_embed.patch_size[0]
        tokens = torch.cat([block.float() for block in found], dim=1)
        return tokens[:, :, : height // patch, : width // patch]


class PyramidNetwork(TimmNetwork):
    """A convolutional network: the features of its stages as timm's ``features_only`` gives them.

    Where a token lies in its crop is measured, not assumed: the coarsest level gets one more token at exactly those
    sides at which every strided layer comes out even. All layers then pad both ends of a crop alike, so that tokens lie
    symmetrically in it. With padded convolutions (ResNet, EfficientNet, MobileNet) such a side is a multiple of the
    coarsest pitch plus 1, and token i is centred at pixel ``i * pitch``: its `patch` is 1. With patches that are cut
    out (ConvNeXt) it is a multiple, and `patch` is the pitch. In what such layers mix with others that end half a pixel
    further (the averaging shortcut of ResNet-D), the layers of the main path count.

    Parameters
    ----------
    model : nn.Module
        Made with ``features_only=True``.
    blocks : int or sequence of int, optional
        Which levels, from the finest; by default those of a pitch of 4 pixels and more.
    """

    def __init__(self, model: nn.Module, blocks: int | Sequence[int] | None) -> None:
        super().__init__(model)
        info = cast(Any, model).feature_info
        pitches, channels = [int(pitch) for pitch in info.reduction()], info.channels()
        usual = tuple(index for index, pitch in enumerate(pitches) if pitch >= _FINEST)
        self.blocks = chosen(blocks, len(pitches), usual, "levels")
        self.default = self.blocks == usual
        side, counts = _even_side(self._features, pitches[-1])
        patches = [side - (count - 1) * pitch for count, pitch in zip(counts, pitches, strict=True)]
        if min(patches) < 1:
            raise BackboneError("Its levels do not lie on one grid: choose another model.")
        levels = [Level(*sides) for sides in zip(pitches, patches, channels, strict=True)]
        self.levels = tuple(levels[index] for index in self.blocks)
        coarsest = levels[-1]
        native = int(_stated(model)["input_size"][-1])
        self.tile = coarsest.pixels(coarsest.tokens(native if native >= _NATIVE else 2 * native))

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Features of the chosen levels, finest first."""
        found = self._features(images)
        return [found[index].float() for index in self.blocks]

    @torch.no_grad()
    def _features(self, images: torch.Tensor) -> list[torch.Tensor]:
        found: list[torch.Tensor] = self.model(self.standardised(images))
        return found


def build_network(
    architecture: str,
    content: Mapping[str, object] | None,
    blocks: int | Sequence[int] | None = None,
    changes: Mapping[str, Any] | None = None,
    tagged: str | None = None,
) -> TimmNetwork:
    """A model of timm with weights, or with random ones.

    Parameters
    ----------
    architecture : str
        Name in timm.
    content : mapping or None
        Of a weight file; None keeps the random weights that timm begins with.
    blocks : int or sequence of int, optional
        Blocks of a transformer, levels of a pyramid.
    changes : mapping, optional
        Of timm's architecture, such as ``{"depth": 2}``.
    tagged : str, optional
        The name with the tag of the weights, whose input statistics are meant.

    Raises
    ------
    BackboneError
        When the weights or blocks do not fit, or the architecture makes no grids of tokens for images of any size.
    """
    name, changes = tagged or architecture, dict(changes or {})
    model = _create(name, changes)
    state = model.state_dict() if content is None else fitted_state(content, model, architecture)
    try:
        if is_transformer(model):
            model.load_state_dict(state, strict=False)  # all but counters is there: see fitted_state
            return TokenNetwork(model, blocks)
        return PyramidNetwork(_pyramid(name, state, changes), blocks)
    except BackboneError:
        raise
    except _UNUSABLE:
        raise BackboneError(
            f"timm's {architecture} makes no grids of tokens for images of any size: choose a vision transformer with "
            "one patch size, or a convolutional network."
        ) from None


def chosen(
    blocks: int | Sequence[int] | None, depth: int, default: tuple[int, ...], what: str = "blocks"
) -> tuple[int, ...]:
    """Numbers from 0, increasing, of blocks or levels that exist.

    Examples
    --------
    >>> chosen((-1, 0), 12, (-1,))
    (0, 11)
    """
    wanted = default if blocks is None else tuple(blocks) if isinstance(blocks, Sequence) else (blocks,)
    if not wanted or not all(-depth <= block < depth for block in wanted):
        raise BackboneError(
            f"blocks={blocks} is not possible: its {what} are numbered 0 to {depth - 1}, or -{depth} to -1."
        )
    return tuple(sorted({int(block) % depth for block in wanted}))


def channels_of(model: nn.Module) -> int:
    """Length of a token of a model that nobody chose blocks for, over all levels."""
    if is_transformer(model):
        return int(cast(Any, model).num_features)
    return sum(entry["num_chs"] for entry in cast(Any, model).feature_info if entry["reduction"] >= _FINEST)


def _stated(model: nn.Module) -> dict[str, Any]:
    """What timm states of a model's input."""
    stated: dict[str, Any] = cast(Any, model).pretrained_cfg
    return stated


def _create(name: str, changes: Mapping[str, Any]) -> nn.Module:
    """timm's model without its classifier, for images of any size where that is a choice."""
    create: Any = import_timm().create_model
    try:
        model: nn.Module = create(name, num_classes=0, dynamic_img_size=True, **changes)
    except TypeError:  # no such choice
        model = create(name, num_classes=0, **changes)
    return model


def _pyramid(name: str, state: Tensors, changes: Mapping[str, Any]) -> nn.Module:
    """timm's ``features_only`` model with these weights, without its remark on layers beyond the last level."""
    log = logging.getLogger("timm.models._builder")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        model: nn.Module = cast(Any, import_timm()).create_model(
            name, features_only=True, pretrained=True, pretrained_cfg_overlay={"state_dict": state}, **changes
        )
    finally:
        log.setLevel(level)
    _stated(model).pop("state_dict", None)
    return model


def is_transformer(model: nn.Module) -> bool:
    """Whether all blocks have one grid of tokens."""
    info = getattr(model, "feature_info", None) or []
    reductions = {entry["reduction"] for entry in info}
    return hasattr(model, "forward_intermediates") and hasattr(model, "patch_embed") and len(reductions) == 1


def _even_side(features: Forward, coarsest: int) -> tuple[int, list[int]]:
    """A side at which the coarsest level has just got one more token, and the number of tokens of every level."""

    def counts(side: int) -> list[int]:
        return [int(level.shape[3]) for level in features(torch.zeros(1, 3, 2 * coarsest, side))]

    low, high = 2 * coarsest, 3 * coarsest  # low has fewer tokens than high
    few = counts(low)[-1]
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if counts(middle)[-1] > few else (middle, high)
    return high, counts(high)
