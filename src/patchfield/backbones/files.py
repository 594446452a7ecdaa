"""Weight files of every format, opened once: safetensors, and PyTorch's own, of which nothing is ever executed."""

import argparse
import hashlib
import pickle
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PosixPath, PurePosixPath
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from patchfield.atomic import atomic_path
from patchfield.backbones.header import Header, damaged, parse_header
from patchfield.backbones.tensors import Tensors, check_finite
from patchfield.errors import BackboneError

SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")
"""File names that are tried as weight files."""

_INERT: list[Any] = [argparse.Namespace, PosixPath, PurePosixPath]
"""Classes that a checkpoint may hold beside tensors: training codes save their arguments and paths."""

_NUMPY: list[Any] = [
    (np.dtype, "numpy.dtype"),
    *((np.float64(0).__reduce__()[0], f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    *{type(np.dtype(code)) for code in "?bhilqBHILQefdFD"},
]
"""What numpy's scalars are pickled with: losses and scores beside the weights."""

_UNREADABLE = (
    OSError, EOFError, RuntimeError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, MemoryError,
    AssertionError, struct.error, pickle.UnpicklingError,
)  # fmt: skip
"""What torch's reader raises for bytes that are no checkpoint: it has no error of its own."""


@dataclass(frozen=True)
class WeightFile:
    """The content of a weight file.

    Attributes
    ----------
    path : Path
    header : Header or None
        What a file of ours says about itself; None for files of others.
    content : mapping
        Tensors by name; of PyTorch's format whatever was saved, nested as it was.
    """

    path: Path
    header: Header | None
    content: Mapping[str, object]


def read_weights(path: str | Path, sha256: str = "") -> WeightFile:
    """Read a weight file as tensors; nothing in it is executed.

    Parameters
    ----------
    path : str or Path
        The format is told by the content, not by the name.
    sha256 : str
        What the file must have, in hexadecimal; empty where it is not known.

    Raises
    ------
    BackboneError
        When the file is missing, damaged, of another format, or holds what could run code.
    """
    path = Path(path)
    if not path.is_file():
        raise BackboneError(f"There is no checkpoint file '{path}'.")
    try:
        with path.open("rb") as file:
            start = file.read(9)
            if sha256:
                file.seek(0)
                found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BackboneError(f"'{path}' cannot be read ({error.strerror or error}).") from None
    if sha256 and found != sha256:
        raise BackboneError(
            f"'{path}' is damaged (its SHA-256 begins with {found[:12]} instead of {sha256[:12]}): delete it, and "
            "download it again."
        )
    if start[8:] == b"{":
        return _read_safetensors(path)
    if start.startswith((b"PK\x03\x04", b"\x80")):
        return WeightFile(path, None, _read_pickled(path))
    raise damaged(path, "neither a safetensors file nor a checkpoint of PyTorch")


def write_weights(path: str | Path, tensors: Tensors, header: Header) -> None:
    """Write tensors with a header, as a whole or not at all.

    Raises
    ------
    BackboneError
        When a tensor holds NaN or infinity: nothing is written.
    """
    check_finite(tensors)
    with atomic_path(Path(path)) as temporary:
        save_file(tensors, temporary, metadata=header.metadata())


@contextmanager
def errors_name(path: Path) -> Iterator[None]:
    """Errors about the content of a file begin with its name."""
    try:
        yield
    except BackboneError as error:
        reason = str(error)
        raise BackboneError(f"'{path}' cannot be loaded: {reason[0].lower()}{reason[1:]}") from None


def _read_safetensors(path: Path) -> WeightFile:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise damaged(path, str(error)) from None
    return WeightFile(path, parse_header(path, metadata), tensors)


def _read_pickled(path: Path) -> Mapping[str, object]:
    try:
        # An open file: of a path torch.load looks at the suffix.
        with path.open("rb") as file, torch.serialization.safe_globals([*_INERT, *_NUMPY]):
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        # torch's own advice for unreadable pickles is to switch the safety off: not passed on.
        raise _unsafe(path) or damaged(path, "no tensors that can be read") from None
    except _UNREADABLE as error:
        raise damaged(path, str(error) or type(error).__name__) from None
    if not isinstance(loaded, Mapping):
        raise BackboneError(f"'{path}' holds a {type(loaded).__name__} instead of named weights.")
    return loaded


def _unsafe(path: Path) -> BackboneError | None:
    """The error for a checkpoint with other things than tensors, or None when that is not its trouble."""
    try:
        with torch.serialization.safe_globals([*_INERT, *_NUMPY]):
            found = set(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except _UNREADABLE:
        return None
    found -= {f"{kind.__module__}.{kind.__qualname__}" for kind in _INERT}
    if not found:
        return None
    return BackboneError(
        f"'{path}' holds more than tensors ({', '.join(sorted(found))}), which could run code when it is loaded: "
        "save its state dict alone, or as a .safetensors file."
    )
