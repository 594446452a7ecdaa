"""Checkpoint files: reading those of others strictly, writing our own."""

import argparse
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path, PosixPath, PurePosixPath
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from patchfield.atomic import atomic_path
from patchfield.backbones.conversion import ConversionReport, Role, Tensors, convert
from patchfield.backbones.registry import Weight
from patchfield.backbones.spec import State, ViTSpec, check_state
from patchfield.errors import BackboneError

SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")
"""File names that are tried as checkpoints."""

_HEADER = "patchfield"
"""Key of the header's metadata under which an exported file says what it is."""

_INERT: list[Any] = [argparse.Namespace, PosixPath, PurePosixPath]
"""Classes that a checkpoint may hold beside tensors: training codes save their arguments and paths."""


@dataclass(frozen=True)
class Header:
    """What an exported file says about itself: the transformer, the exporter's facts, the number of parameters."""

    spec: ViTSpec
    details: dict[str, Any]
    parameters: int


@dataclass(frozen=True)
class Checkpoint:
    """A vision transformer read from a file.

    Attributes
    ----------
    spec : ViTSpec
        What it is.
    state : dict of str to Tensor
        Its weights, float32 under timm's names.
    report : ConversionReport
        What was taken, dropped and renamed.
    details : dict
        What :func:`export_checkpoint` was given; empty for files of others.
    """

    spec: ViTSpec
    state: Tensors
    report: ConversionReport
    details: dict[str, Any]

    def as_weight(self, weight: Weight, path: Path) -> "Checkpoint":
        """The same with the positional rule and statistics of `weight`, which `path` was fetched for.

        Raises
        ------
        BackboneError
            When the file holds something else: with registers instead of without, another size or patch.
        """
        spec = self.spec
        if spec.registers != weight.registers:
            raise BackboneError(
                f"'{path}' holds a transformer with {spec.registers or 'no'} register tokens, but '{weight.name}' has "
                f"{weight.registers or 'none'}: fetch the right file, or load this one by its path."
            )
        if (spec.channels, spec.patch, spec.grid) != (weight.channels, weight.patch, weight.grid):
            raise BackboneError(
                f"'{path}' holds a transformer with {spec.describe()}, which is not '{weight.name}': "
                "fetch the right file, or load this one by its path."
            )
        return replace(self, spec=replace(spec, positions=weight.positions, mean=weight.mean, std=weight.std))


def read_checkpoint(path: str | Path, role: Role = "teacher") -> Checkpoint:
    """Read a backbone from a checkpoint of DINO, DINOv2, NeCo, SelfPatch, timm or Patchfield.

    Nothing in the file is executed: pickled files are read as tensors only.

    Parameters
    ----------
    path : str or Path
        A ``.safetensors``, ``.pth``, ``.pt``, ``.ckpt`` or ``.bin`` file.
    role : {"teacher", "student"}
        Which network to take where the file holds both.

    Raises
    ------
    BackboneError
        When the file is missing, damaged, unsafe, or holds no vision transformer.

    Examples
    --------
    >>> checkpoint = read_checkpoint("dinov2_vits14_reg4_pretrain.pth")     # doctest: +SKIP
    >>> print(checkpoint.report)                                            # doctest: +SKIP
    Took the only network in the file; dropped: mask_token; renamed: register_tokens -> reg_token, ...
    """
    path = Path(path)
    if not path.is_file():
        raise BackboneError(f"There is no checkpoint file '{path}'.")
    pickled = path.suffix != ".safetensors"
    loaded = _read_pickled(path) if pickled else _read_safetensors(path)
    header = None if pickled else read_header(path)
    try:
        state, positions, report = convert(loaded, role)
        spec = header.spec if header else ViTSpec.of(state, positions)
        check_state(spec.build(), state)
    except BackboneError as error:
        reason = str(error)
        raise BackboneError(f"'{path}' cannot be loaded: {reason[0].lower()}{reason[1:]}") from None
    return Checkpoint(spec, state, report, header.details if header else {})


def export_checkpoint(path: str | Path, state: State, spec: ViTSpec, details: Mapping[str, Any] | None = None) -> None:
    """Write a backbone so that :func:`patchfield.load_backbone` can load it by path or name.

    Parameters
    ----------
    path : str or Path
        Where to; the suffix must be ``.safetensors``. An existing file is replaced as a whole.
    state : mapping of str to Tensor
        Weights under timm's names, such as ``transformer.vit.state_dict()``.
    spec : ViTSpec
        What the transformer is; ``transformer.spec``.
    details : mapping, optional
        JSON-able facts to keep: ``summary`` and ``licence`` are shown in lists of backbones.

    Raises
    ------
    BackboneError
        When the suffix is another one.

    Examples
    --------
    >>> from patchfield.backbones import random_vit
    >>> transformer = random_vit("vit_tiny_patch16_224", depth=2).transformer
    >>> export_checkpoint("mine.safetensors", transformer.vit.state_dict(), transformer.spec)  # doctest: +SKIP
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise BackboneError(f"'{path}' cannot be written: name the file with the suffix '.safetensors'.")
    header = {"spec": spec.to_json(), "details": dict(details or {})}
    tensors = {key: value.detach().cpu().float().contiguous() for key, value in state.items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"format": "pt", _HEADER: json.dumps(header)})


def read_header(path: Path) -> Header | None:
    """What :func:`export_checkpoint` wrote beside the weights, or None for files of others.

    Raises
    ------
    BackboneError
        When the file is damaged or of a newer version.
    """
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_HEADER)
            shapes = [file.get_slice(key).get_shape() for key in file.keys()]  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _damaged(path, error) from None
    if text is None:
        return None
    try:
        values = json.loads(text)
        return Header(ViTSpec.from_json(values["spec"]), values["details"], sum(map(prod, shapes)))
    except (ValueError, KeyError, TypeError):
        raise BackboneError(f"'{path}' was written by another version of Patchfield: update Patchfield.") from None


def _read_safetensors(path: Path) -> Tensors:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise _damaged(path, error) from None


def _read_pickled(path: Path) -> Mapping[str, object]:
    try:
        with torch.serialization.safe_globals(_INERT):
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _unsafe(path) or _damaged(path, error) from None
    except (OSError, EOFError, RuntimeError, ValueError) as error:
        raise _damaged(path, error) from None
    if not isinstance(loaded, Mapping):
        raise BackboneError(f"'{path}' holds a {type(loaded).__name__} instead of named weights.")
    return loaded


def _unsafe(path: Path) -> BackboneError | None:
    """The error for a checkpoint with other things than tensors, or None when that is not its trouble."""
    try:
        found = set(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except (OSError, ValueError, RuntimeError):
        return None
    found -= {f"{kind.__module__}.{kind.__qualname__}" for kind in _INERT}
    if not found:
        return None
    return BackboneError(
        f"'{path}' holds more than tensors ({', '.join(sorted(found))}), which could run code when it is loaded: "
        "save its state dict alone, or as a .safetensors file."
    )


def _damaged(path: Path, error: Exception) -> BackboneError:
    # torch's own advice for unreadable pickles is to switch the safety off: not passed on.
    reason = type(error).__name__ if isinstance(error, pickle.UnpicklingError) else str(error) or type(error).__name__
    return BackboneError(
        f"'{path}' is damaged or incomplete ({path.stat().st_size} bytes; {reason.splitlines()[0].rstrip('.')}): "
        "download it again."
    )
