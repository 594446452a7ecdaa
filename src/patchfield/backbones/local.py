"""Weights on this machine: the folder of weights, the hub's cache, and files that have moved."""

import os
import re
from pathlib import Path, PureWindowsPath

from patchfield.backbones.files import SUFFIXES
from patchfield.backbones.network import unusable_endpoint
from patchfield.backbones.weights import TIMM_PREFIX, Hub, Trained, Weight

FOLDER_VARIABLE = "PATCHFIELD_WEIGHTS"
"""Environment variable with the folder of weights: downloads, files put in place by hand, exports of training."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def weights_folder() -> Path:
    """Where weights are kept and looked for first: ``$PATCHFIELD_WEIGHTS``, or ``~/.cache/patchfield/weights``."""
    return Path(os.environ.get(FOLDER_VARIABLE) or Path.home() / ".cache" / "patchfield" / "weights").expanduser()


def find_local(weight: Weight, student: bool = False) -> Path | None:
    """The file of a weight on this machine, or None; asks no network.

    Looked for in :func:`weights_folder` under the weight's name (``neco-small.ckpt``, ``neco-small-student.ckpt``;
    any suffix of a checkpoint), then in the hub's cache, which timm shares.
    """
    if isinstance(weight.origin, Trained):
        return weight.origin.path if weight.origin.path.is_file() else None
    if not isinstance(weight.origin, Hub):
        return None
    return find_by_name(file_stem(weight, student)) or _in_hub_cache(weight.origin, student)


def find_by_name(name: str) -> Path | None:
    """The file of the folder of weights with that name before any suffix of a weight file, or None."""
    paths = (weights_folder() / f"{name}{suffix}" for suffix in SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def moved_files(path: str) -> tuple[list[Path], list[Path]]:
    """Files of the folder of weights that a file which is gone may have become: those of its name, and the others.

    Parameters
    ----------
    path : str
        Where the file was, on this machine or another one, of any system.
    """
    name = PureWindowsPath(path)  # takes slashes and backslashes
    files = all_files()
    named = [other for other in files if other.name == name.name]
    named += [other for other in files if other.stem in (name.name, name.stem) and other not in named]
    return named, [other for other in files if other not in named]


def all_files() -> list[Path]:
    """All weight files in the folder of weights, in the order of their names; unfinished ones are hidden."""
    found = weights_folder().glob("[!.]*")
    return sorted(path for path in found if path.suffix in SUFFIXES and path.is_file())


def file_stem(weight: Weight, student: bool) -> str:
    """The name of a weight's file in the folder of weights, without suffix; students released apart have their own."""
    released_apart = isinstance(weight.origin, Hub) and weight.origin.student_file is not None
    stem = weight.name.removeprefix(TIMM_PREFIX)
    return f"{stem}-student" if student and released_apart else stem


def stated_sha256(path: Path) -> str:
    """The SHA-256 that a file should have, in hexadecimal; empty where nothing states it.

    The hub's cache names files by it, and a download leaves it beside the file (see :func:`checksum_file`).
    """
    name = path.resolve().name
    if _SHA256.fullmatch(name):
        return name
    try:
        stated = checksum_file(path).read_text(encoding="ascii", errors="replace").split(maxsplit=1)
    except OSError:
        return ""
    return stated[0] if stated and _SHA256.fullmatch(stated[0]) else ""


def checksum_file(path: Path) -> Path:
    """Where the SHA-256 of a downloaded file is kept, as ``sha256sum --check`` reads it."""
    return path.with_name(f"{path.name}.sha256")


def hub_cache() -> str:
    """Folder of the hub's own cache, which is looked into for copies of weights; empty where it cannot be told."""
    if unusable_endpoint():
        return ""
    from huggingface_hub.constants import HF_HUB_CACHE

    return HF_HUB_CACHE


def _in_hub_cache(hub: Hub, student: bool) -> Path | None:
    if unusable_endpoint():
        return None
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(hub.repo, hub.chosen_file(student), revision=hub.revision)
    return Path(cached) if isinstance(cached, str) else None
