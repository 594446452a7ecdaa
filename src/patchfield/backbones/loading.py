"""Names and files to backbones."""

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import cast

import torch

from patchfield.backbones.base import Backbone
from patchfield.backbones.catalogue import find_weight, is_here, unknown_name
from patchfield.backbones.checkpoints import read_checkpoint
from patchfield.backbones.conversion import Role
from patchfield.backbones.devices import Precision
from patchfield.backbones.download import ProgressCallback, fetch
from patchfield.backbones.files import SUFFIXES, WeightFile, errors_name, read_weights
from patchfield.backbones.filters import VERSIONS, FilterBank
from patchfield.backbones.header import Kind
from patchfield.backbones.local import find_by_name, moved_files, stated_sha256, weights_folder
from patchfield.backbones.micro import SHIPPED, Micro, micro_fingerprint, read_micro, stated_reference
from patchfield.backbones.published import FILTERS, MICRO
from patchfield.backbones.timm_backbone import TimmBackbone
from patchfield.backbones.timm_names import TimmName
from patchfield.backbones.timm_networks import build_network
from patchfield.backbones.vit import AttentionMaps, ViT
from patchfield.backbones.weights import TIMM_PREFIX, Hub, Weight
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
    progress: ProgressCallback | None = None,
    fingerprint: str | None = None,
) -> Backbone:
    """A backbone by name or from a checkpoint file.

    Parameters
    ----------
    backbone : str, Path or Backbone
        ``"micro"`` or ``"filters"`` (embedded), a name listed by :func:`models` (downloaded on first use),
        ``"timm:NAME"`` for any vision transformer or convolutional pyramid of timm, ``"timm:NAME=FILE"`` for its
        weights in a file, or the path of a checkpoint of DINO, DINOv2, NeCo, SelfPatch, timm or Patchfield. A file that
        is no longer there is looked for in the folder of weights, under its name. A loaded backbone is returned as it
        is.
    device : str or torch.device
        ``"auto"``: CUDA where there is one, else MPS (Apple), else the CPU.
    stride : int, optional
        Distance of tokens in pixels, at most the patch's side (the default); not of timm's models.
    blocks : int or sequence of int, optional
        Which blocks' tokens, concatenated; negative numbers count from the last (the default). Of a convolutional
        pyramid which levels, from the finest; all with a pitch of 4 pixels and more by default.
    weights : {"teacher", "student"}
        Which network, where both were released or saved (NeCo, training checkpoints).
    attention : bool
        The attention maps of the class token instead of the tokens, one channel per head; not of timm's models.
    precision : {"auto", "fp32", "bf16", "fp16"}
        Of the matrix products; ``"auto"`` is bf16 or fp16 on NVIDIA GPUs and fp32 elsewhere.
    progress : callable, optional
        Called with (bytes done, bytes in all) during a download; raise from it to cancel.
    fingerprint : str, optional
        Of the features that are wanted: where neither file nor name is here, all files in the folder of weights are
        tried for it. Without it, and where none has it, the one of that name is loaded. Embedded backbones that
        count intensities in more than one way do so as the features with this fingerprint did.

    Raises
    ------
    BackboneError
        For an unknown name (with the closest ones), a file that cannot be used, options that do not apply, or a
        download without a network (with what to fetch and where to put it).

    Warns
    -----
    UserWarning
        Before the first download of weights whose licence forbids something.

    Examples
    --------
    >>> load_backbone("filters").name
    'filters'
    >>> load_backbone("micro", device="cpu").levels
    (Level(pitch=2, patch=2, channels=64),)
    """
    if isinstance(backbone, Backbone):
        return backbone
    name = os.fspath(backbone)
    options = _Options(device, precision, stride, blocks, weights, attention, fingerprint)
    if name == FILTERS.name:
        options.refuse_for_networks_without_blocks(name)
        return FilterBank.known(fingerprint) or FilterBank()
    found = _find(name, weights == "student", progress)
    return _load_moved(name, options) if found is None else _load(found, options)


@dataclass(frozen=True)
class _Found:
    """A weight file, what its backbone will be called, the catalogue's entry that it was fetched for, and the name in
    timm of a model that is timm's.
    """

    path: Path
    name: str
    weight: Weight | None = None
    timm: str = ""


RECIPE_OPTIONS = frozenset({"stride", "blocks", "weights", "attention"})
"""The keyword options of :func:`load_backbone` that decide what features are, and that recipes hold."""


@dataclass(frozen=True)
class _Options:
    device: str | torch.device
    precision: Precision
    stride: int | None
    blocks: int | Sequence[int] | None
    weights: Role
    attention: bool
    fingerprint: str | None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant; options also come from files."""
        one = not isinstance(self.blocks, Sequence) or isinstance(self.blocks, str)
        blocks: list[object] = [self.blocks] if one else [*cast(Sequence[object], self.blocks)]
        if self.weights not in ("teacher", "student"):
            raise BackboneError(f"weights='{self.weights}' is unknown: give 'teacher' or 'student'.")
        if not (self.stride is None or _is_whole(self.stride)):
            raise BackboneError(f"stride={self.stride!r} is not possible: give a whole number of pixels.")
        if not (self.blocks is None or all(map(_is_whole, blocks))):
            raise BackboneError(f"blocks={self.blocks!r} is not possible: give whole numbers.")
        if self.attention and self.blocks is not None:
            raise BackboneError("Attention maps are those of the last block: leave out blocks.")

    def refuse_for_networks_without_blocks(self, name: str) -> None:
        if self.stride is not None or self.blocks is not None or self.attention or self.weights != "teacher":
            raise BackboneError(
                f"'{name}' takes no stride, blocks, weights or attention: choose a transformer for these."
            )

    def refuse_for_timm(self, name: str) -> None:
        if self.stride is not None or self.attention or self.weights != "teacher":
            raise BackboneError(f"'{name}' takes no stride, weights or attention: choose dinov2-small for these.")


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _find(name: str, student: bool, progress: ProgressCallback | None) -> _Found | None:
    """The file behind a name or path; None when there is none here."""
    if name == MICRO.name:
        return _Found(SHIPPED, name, MICRO)
    in_timm = TimmName.parse(name)
    if in_timm is not None and in_timm.file is not None:
        in_timm.check()
        path = _present(in_timm.file)
        return _Found(path, f"{TIMM_PREFIX}{in_timm.model}={path}", timm=in_timm.model)
    weight = in_timm.weight() if in_timm is not None else find_weight(name)
    if weight is not None:
        if student and isinstance(weight.origin, Hub) and weight.origin.student_file is None:
            raise BackboneError(f"'{name}' was released as one network: leave out weights='student'.")
        _warn_of_terms(weight)
        path = fetch(weight, student, progress)
        return _Found(path, weight.name, weight, weight.architecture if weight.family == "timm" else "")
    path = Path(name).expanduser()
    in_folder = find_by_name(name) if path.name == name else None
    if in_folder is not None:
        return _Found(in_folder, name)
    return _Found(path, _short_name(path)) if path.exists() else None


def _present(path: Path) -> Path:
    """A file, or the one of its name in the folder of weights where it is no longer there."""
    named = [] if path.is_file() else moved_files(str(path))[0]
    return (named[0] if named else path).resolve()


def _warn_of_terms(weight: Weight) -> None:
    """Say what a licence forbids before the weights are downloaded for the first time."""
    if weight.terms and isinstance(weight.origin, Hub) and not is_here(weight):
        warnings.warn(
            f"The weights of '{weight.name}' have the licence {weight.licence_text}: read it at "
            f"https://huggingface.co/{weight.origin.repo} before you use them.",
            stacklevel=4,
        )


def _load_moved(name: str, options: _Options) -> Backbone:
    """The backbone in the file of the folder of weights that a file or name which is gone has become."""
    named, others = moved_files(name)
    for path in [*named, *others] if options.fingerprint is not None else []:
        backbone = _load_if_possible(_Found(path, _short_name(path)), options)
        if backbone is not None and backbone.fingerprint == options.fingerprint:
            return backbone
    if named:
        return _load(_Found(named[0], _short_name(named[0])), options)
    if Path(name).suffix in SUFFIXES:
        raise BackboneError(
            f"There is no checkpoint file '{name}', and none of its name in '{weights_folder()}': put it there, or "
            "load it from where it is now."
        )
    raise unknown_name(name)


def _short_name(path: Path) -> str:
    """What finds a file again: its name where it lies in the folder of weights, else its absolute path."""
    resolved = path.resolve()
    inside = find_by_name(resolved.stem)
    if inside is not None and inside.resolve() == resolved and find_weight(resolved.stem) is None:
        return resolved.stem
    return str(resolved)


def _load(found: _Found, options: _Options) -> Backbone:
    file = read_weights(found.path, stated_sha256(found.path))
    if found.timm:
        return _load_timm(file, found, options)
    return _LOADERS[file.header.kind if file.header else "vit"](file, found, options)


def _load_if_possible(found: _Found, options: _Options) -> Backbone | None:
    try:
        return _load(found, options)
    except BackboneError:
        return None


def _load_micro(file: WeightFile, found: _Found, options: _Options) -> Backbone:
    options.refuse_for_networks_without_blocks(found.name)
    if found.weight not in (None, MICRO):
        raise BackboneError(f"'{file.path}' holds a small network of Patchfield, which '{found.name}' is not.")
    net = read_micro(file)
    references = [stated_reference(file.header), *VERSIONS] if file.header else []
    wanted = [known for known in references if micro_fingerprint(net, known) == options.fingerprint]
    return Micro(net, found.name, options.device, options.precision, [*wanted, *references][0])


def _load_timm(file: WeightFile, found: _Found, options: _Options) -> Backbone:
    options.refuse_for_timm(found.name)
    name = TimmName(found.timm)
    with errors_name(file.path):
        network = build_network(name.architecture, file.content, options.blocks, tagged=found.timm)
    return TimmBackbone(network, found.timm, found.name, device=options.device, precision=options.precision)


def _load_vit(file: WeightFile, found: _Found, options: _Options) -> Backbone:
    checkpoint = read_checkpoint(file, options.weights)
    if found.weight is not None:
        checkpoint = checkpoint.as_weight(found.weight, file.path)
    vit = ViT(
        checkpoint.spec,
        checkpoint.state,
        found.name,
        stride=options.stride,
        blocks=options.blocks,
        device=options.device,
        precision=options.precision,
        options={"weights": options.weights} if options.weights == "student" else {},
        report=checkpoint.report,
    )
    _log.info("%s: %s", found.name, checkpoint.report)
    return AttentionMaps(vit) if options.attention else vit


_LOADERS: dict[Kind, Callable[[WeightFile, _Found, _Options], Backbone]] = {"micro": _load_micro, "vit": _load_vit}
