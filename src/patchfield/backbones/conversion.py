"""From the key names of any training code to timm's: pure functions on dictionaries of tensors."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from math import isqrt
from typing import Literal

import torch

from patchfield.backbones.positions import PositionRule
from patchfield.backbones.tensors import Tensors, checked_float32
from patchfield.errors import BackboneError

Role = Literal["teacher", "student"]

_MAX_DEPTH = 8
_ANCHOR = "patch_embed.proj.weight"
_TEACHER = re.compile(r"(^|[._])(teacher|ema)([._]|$)")
_HEADS = ("mask_token", "head", "heads", "projection_head", "proj_head", "dino_head", "ibot_head", "prototypes")
_RENAMED = (
    # DINOv2's own name for its registers.
    (re.compile(r"^register_tokens$"), "reg_token"),
    # Blocks in chunks, as DINOv2's sharded training writes them: the second number is the block's.
    (re.compile(r"^blocks\.\d+\.(\d+)\."), r"blocks.\1."),
    # The gated MLP of DINOv2 giant.
    (re.compile(r"\.mlp\.w12\."), ".mlp.fc1."),
    (re.compile(r"\.mlp\.w3\."), ".mlp.fc2."),
)


@dataclass(frozen=True)
class ConversionReport:
    """What became of the tensors in a checkpoint.

    Attributes
    ----------
    role : {"teacher", "student", "only"}
        Which network of the file was taken; ``"only"`` when it holds one.
    prefix : str
        What was stripped from its key names.
    dropped : dict of str to int
        Groups of tensors that a backbone does not need, with their numbers.
    renamed : tuple of str
        ``old -> new`` for each kind of key that was renamed or moved.
    """

    role: Literal["teacher", "student", "only"]
    prefix: str
    dropped: dict[str, int]
    renamed: tuple[str, ...]

    def __str__(self) -> str:
        where = f" under '{self.prefix}'" if self.prefix else ""
        what = "the only network in the file" if self.role == "only" else f"the {self.role}"
        dropped = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in self.dropped.items())
        return f"Took {what}{where}; dropped: {dropped or 'nothing'}; renamed: {', '.join(self.renamed) or 'nothing'}."


def convert(
    loaded: Mapping[str, object], role: Role = "teacher"
) -> tuple[Tensors, PositionRule | None, ConversionReport]:
    """Find a vision transformer in what a checkpoint holds and bring it under timm's names.

    Understands DINO, DINOv2 (with and without registers, gated MLP, chunked blocks), NeCo and other Lightning
    checkpoints, SelfPatch, timm's own files, and any nesting of these.

    Parameters
    ----------
    loaded : mapping
        As read from the file; nested mappings are searched, what is not a tensor is ignored.
    role : {"teacher", "student"}
        Which one to take where the file holds both.

    Returns
    -------
    state : dict of str to Tensor
        Float32, under timm's names, with the class token's encoding added to the class token.
    positions : {"scaled", "exact"} or None
        The positional rule where key names give it away; None where the family's default holds.
    report : ConversionReport

    Raises
    ------
    BackboneError
        When there is no vision transformer in it, or its weights are no plain finite numbers.
    """
    tensors = _flatten(loaded)
    prefix, found_role = _choose(_prefixes(tensors), role, tensors)
    inside = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    outside = {key: value for key, value in tensors.items() if not key.startswith(prefix)}
    renamed: list[str] = []
    if "norm.weight" not in inside:
        renamed += _adopt_norm(inside, outside, prefix)
    dropped = Counter(_group(key, prefix) for key in outside)
    dropped.update(_drop_heads(inside))
    state = checked_float32({_rename(key): value for key, value in inside.items()})
    renamed += sorted({f"{_kind(key)} -> {_kind(_rename(key))}" for key in inside if _rename(key) != key})
    renamed += _fold_class_encoding(state)
    # NeCo resamples encodings by the scaled rule even with registers; its projection head gives it away.
    positions: PositionRule | None = "scaled" if "projection_head" in dropped else None
    return state, positions, ConversionReport(found_role, prefix, dict(dropped), tuple(renamed))


def _flatten(loaded: Mapping[str, object], prefix: str = "", depth: int = 0) -> Tensors:
    """All tensors by their path; deeper nestings than any training code makes are left alone."""
    tensors: Tensors = {}
    for key, value in loaded.items():
        if isinstance(value, torch.Tensor):
            tensors[f"{prefix}{key}"] = value
        elif isinstance(value, Mapping) and depth < _MAX_DEPTH:
            tensors.update(_flatten(value, f"{prefix}{key}.", depth + 1))
    return tensors


def _prefixes(tensors: Tensors) -> list[str]:
    """What stands before the keys of each vision transformer."""
    return [key.removesuffix(_ANCHOR) for key in tensors if key == _ANCHOR or key.endswith(f".{_ANCHOR}")]


def _choose(prefixes: list[str], role: Role, tensors: Tensors) -> tuple[str, Literal["teacher", "student", "only"]]:
    if not prefixes:
        examples = ", ".join(f"'{key}'" for key in list(tensors)[:3]) or "no tensors"
        raise BackboneError(f"There is no vision transformer in it (no '{_ANCHOR}'; it holds {examples}).")
    if len(prefixes) == 1:
        return prefixes[0], "only"
    wanted = [prefix for prefix in prefixes if bool(_TEACHER.search(prefix)) == (role == "teacher")]
    if len(wanted) != 1:
        listed = ", ".join(f"'{prefix}'" for prefix in prefixes)
        raise BackboneError(f"It holds several networks ({listed}) and it is not clear which one is the {role}.")
    return wanted[0], role


def _adopt_norm(inside: Tensors, outside: Tensors, prefix: str) -> list[str]:
    """SelfPatch keeps the final LayerNorm in its class-attention head, a sibling of the backbone."""
    parent = prefix.removesuffix("backbone.")
    moved = []
    for part in ("weight", "bias"):
        key = f"{parent}ca_head.norm.{part}"
        if key in outside:
            inside[f"norm.{part}"] = outside.pop(key)
            moved.append(f"ca_head.norm.{part} -> norm.{part}")
    return moved


def _group(key: str, prefix: str) -> str:
    """Where a key parts from the prefix: ``student`` for ``student.norm.bias`` beside ``teacher.``."""
    for part, stripped in zip_longest(key.split("."), prefix.split(".")):
        if part != stripped:
            return str(part)
    return key


def _drop_heads(inside: Tensors) -> list[str]:
    """Remove training heads; the group of each removed tensor."""
    heads = [key for key in inside if key.partition(".")[0] in _HEADS]
    for key in heads:
        del inside[key]
    return [key.partition(".")[0] for key in heads]


def _rename(key: str) -> str:
    for pattern, replacement in _RENAMED:
        key = pattern.sub(replacement, key)
    return key


def _kind(key: str) -> str:
    """The key with block numbers left out."""
    return re.sub(r"\.\d+", ".*", key)


def _fold_class_encoding(state: Tensors) -> list[str]:
    """Add the class token's encoding to the class token, so that `pos_embed` is of patches only."""
    if "cls_token" not in state or "pos_embed" not in state:
        return []
    encodings = state["pos_embed"]
    if encodings.ndim != 3 or encodings[:, :1].shape != state["cls_token"].shape:
        return []  # refused later, by its shape
    patches = encodings.shape[1] - 1
    # Grids are square: when all but one encodings make a square, the first one is the class token's.
    if isqrt(patches) ** 2 != patches:
        return []
    state["cls_token"] = state["cls_token"] + encodings[:, :1]
    state["pos_embed"] = encodings[:, 1:].contiguous()
    return ["pos_embed[0] -> cls_token"]
