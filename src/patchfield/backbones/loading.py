"""Names and files to backbones."""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from patchfield.backbones.base import Backbone
from patchfield.backbones.checkpoints import SUFFIXES, Checkpoint, read_checkpoint, read_header
from patchfield.backbones.conversion import Role
from patchfield.backbones.devices import Precision
from patchfield.backbones.download import Progress, fetch, find_local, weights_folder
from patchfield.backbones.micro import SHIPPED, Micro, MicroHeader, read_micro, read_micro_header
from patchfield.backbones.registry import (
    EMBEDDED,
    FILTERS,
    MICRO,
    RECOMMENDED,
    WEIGHTS,
    Weight,
    find_weight,
    unknown_name,
)
from patchfield.backbones.vit import AttentionMaps, ViT
from patchfield.errors import BackboneError

_log = logging.getLogger(__name__)


def load_backbone(
    backbone: str | os.PathLike[str] | Backbone,
    *,
    device: str | torch.device = "auto",
    stride: int | None = None,
    blocks: int | Sequence[int] | None = None,
    weights: Role = "teacher",
    attention: bool = False,
    precision: Precision = "auto",
    progress: Progress | None = None,
) -> Backbone:
    """A backbone by name or from a checkpoint file.

    Parameters
    ----------
    backbone : str, Path or Backbone
        ``"micro"`` or ``"filters"`` (embedded), a name listed by :func:`models` (downloaded on first use), or the path
        of a checkpoint of DINO, DINOv2, NeCo, SelfPatch, timm or Patchfield. A loaded backbone is returned as it is.
    device : str or torch.device
        ``"auto"``: CUDA where there is one, else MPS (Apple), else the CPU.
    stride : int, optional
        Distance of tokens in pixels, at most the patch's side (the default).
    blocks : int or sequence of int, optional
        Which blocks' tokens, concatenated; negative numbers count from the last (the default).
    weights : {"teacher", "student"}
        Which network, where both were released or saved (NeCo, training checkpoints).
    attention : bool
        The attention maps of the class token instead of the tokens, one channel per head.
    precision : {"auto", "fp32", "bf16", "fp16"}
        Of the matrix products; ``"auto"`` is bf16 or fp16 on NVIDIA GPUs and fp32 elsewhere.
    progress : callable, optional
        Called with (bytes done, bytes in all) during a download; raise from it to cancel.

    Raises
    ------
    BackboneError
        For an unknown name (with the closest ones), a file that cannot be used, options that do not apply, or a
        download without a network (with what to fetch and where to put it).

    Examples
    --------
    >>> load_backbone("filters").name
    'filters'
    >>> load_backbone("neco-small", stride=7)                               # doctest: +SKIP
    """
    if isinstance(backbone, Backbone):
        return backbone
    name = os.fspath(backbone)
    if weights not in ("teacher", "student"):
        raise BackboneError(f"weights='{weights}' is unknown: give 'teacher' or 'student'.")
    own = _load_own(name, device, precision)
    if own is None:
        return _load_vit(name, stride, blocks, weights, attention, device, precision, progress)
    if stride is not None or blocks is not None or attention or weights != "teacher":
        raise BackboneError(f"'{name}' takes no stride, blocks, weights or attention: choose a transformer for these.")
    return own


def models() -> list[Weight]:
    """All backbones that :func:`load_backbone` knows by name.

    The embedded network and filters first, then what training exported into the folder of weights, then the
    published ones.

    Examples
    --------
    >>> [weight.name for weight in models()[:2]]
    ['micro', 'filters']
    """
    return [*EMBEDDED, *_exported(), *WEIGHTS]


def default_backbone() -> str:
    """The backbone to begin with: the recommended transformer where its weights are here, else the embedded network.

    Examples
    --------
    >>> default_backbone()                                                  # doctest: +SKIP
    'micro'
    """
    recommended = find_weight(RECOMMENDED)
    return RECOMMENDED if recommended is not None and find_local(recommended) is not None else MICRO.name


def _load_own(name: str, device: str | torch.device, precision: Precision) -> Backbone | None:
    """The filter bank, or a network that ``training.episodes`` trained; None for the name or path of something else."""
    if name == FILTERS.name:
        from patchfield.backbones.filters import FilterBank

        return FilterBank()
    if name == MICRO.name:
        return Micro(read_micro(SHIPPED), name, device, precision)
    exported = weights_folder() / f"{name}.safetensors"
    if exported.is_file() and read_micro_header(exported):
        return Micro(read_micro(exported), name, device, precision)
    path = Path(name).expanduser()
    if path.suffix == ".safetensors" and path.is_file() and read_micro_header(path):
        return Micro(read_micro(path), str(path.resolve()), device, precision)
    return None


def _load_vit(
    name: str,
    stride: int | None,
    blocks: int | Sequence[int] | None,
    weights: Role,
    attention: bool,
    device: str | torch.device,
    precision: Precision,
    progress: Progress | None,
) -> Backbone:
    if attention and blocks is not None:
        raise BackboneError("Attention maps are those of the last block: leave out blocks.")
    student = weights == "student"
    checkpoint, name = _read(name, student, progress)
    vit = ViT(
        checkpoint.spec,
        checkpoint.state,
        name,
        stride=stride,
        blocks=blocks,
        device=device,
        precision=precision,
        options={"weights": weights} if student else {},
        report=checkpoint.report,
    )
    _log.info("%s: %s", name, checkpoint.report)
    return AttentionMaps(vit) if attention else vit


def _read(name: str, student: bool, progress: Progress | None) -> tuple[Checkpoint, str]:
    """The checkpoint behind a name or path, and what the backbone will be called."""
    weight = find_weight(name)
    role: Role = "student" if student else "teacher"
    if weight is not None:
        assert weight.source is not None
        if student and weight.source.student_file is None:
            raise BackboneError(f"'{name}' was released as one network: leave out weights='student'.")
        path = fetch(weight, student, progress)
        return read_checkpoint(path, role).as_weight(weight, path), name
    exported = weights_folder() / f"{name}.safetensors"
    if exported.is_file():
        return read_checkpoint(exported, role), name
    path = Path(name).expanduser()
    if not path.exists():
        if path.suffix in SUFFIXES:
            raise BackboneError(f"There is no checkpoint file '{path}'.")
        raise unknown_name(name, [known.name for known in models()])
    return read_checkpoint(path, role), str(path.resolve())


def _exported() -> list[Weight]:
    """What training wrote into the folder of weights."""
    known = {weight.name for weight in (*EMBEDDED, *WEIGHTS)}
    paths = sorted(path for path in weights_folder().glob("*.safetensors") if path.stem not in known)
    return [weight for path in paths if (weight := _described(path)) is not None]


def _described(path: Path) -> Weight | None:
    """What a file of ours says about itself; None for files of others and for damaged ones."""
    try:
        header = read_micro_header(path) or read_header(path)
    except BackboneError:  # said when it is loaded; a list is no place for it
        return None
    if header is None:
        return None
    trained = replace(
        MICRO,
        name=path.stem,
        summary=str(header.details.get("summary", "Trained on this machine")),
        licence=str(header.details.get("licence", "yours")),
        paper="",
        size=path.stat().st_size,
        parameters=header.parameters,
        channels=header.spec.channels,
    )
    if isinstance(header, MicroHeader):
        return trained
    spec = header.spec
    return replace(
        trained,
        architecture=spec.describe(),
        patch=spec.patch,
        grid=spec.grid,
        registers=spec.registers,
        mean=spec.mean,
        std=spec.std,
        positions=spec.positions,
    )
