"""Checkpoint files of vision transformers: reading those of others strictly, writing our own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from patchfield.backbones.conversion import ConversionReport, Role, convert
from patchfield.backbones.files import WeightFile, errors_name, read_weights, write_weights
from patchfield.backbones.header import Header
from patchfield.backbones.positions import PositionRule
from patchfield.backbones.spec import State, ViTSpec, check_state
from patchfield.backbones.tensors import Tensors
from patchfield.backbones.weights import Weight
from patchfield.errors import BackboneError


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
        expected = weight.spec
        if expected is None:
            raise BackboneError(f"'{path}' holds a vision transformer, which '{weight.name}' is not.")
        if self.spec.registers != expected.registers:
            raise BackboneError(
                f"'{path}' holds a transformer with {self.spec.registers or 'no'} register tokens, but "
                f"'{weight.name}' has {expected.registers or 'none'}: fetch the right file, or load this one by its "
                "path."
            )
        found = replace(self.spec, positions=expected.positions, mean=expected.mean, std=expected.std)
        if found != expected:
            raise BackboneError(
                f"'{path}' holds a transformer with {found.summary()}, which is not '{weight.name}': "
                "fetch the right file, or load this one by its path."
            )
        return replace(self, spec=found)


def read_checkpoint(file: str | Path | WeightFile, role: Role = "teacher") -> Checkpoint:
    """Read a backbone from a checkpoint of DINO, DINOv2, NeCo, SelfPatch, timm or Patchfield.

    Nothing in the file is executed: pickled files are read as tensors only.

    Parameters
    ----------
    file : str, Path or WeightFile
        A ``.safetensors``, ``.pth``, ``.pt``, ``.ckpt`` or ``.bin`` file, or its content.
    role : {"teacher", "student"}
        Which network to take where the file holds both.

    Raises
    ------
    BackboneError
        When the file is missing, damaged, unsafe, or holds no vision transformer.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from patchfield.backbones import random_vit
    >>> vit = random_vit("vit_tiny_patch16_224", depth=2, device="cpu")
    >>> with TemporaryDirectory() as folder:
    ...     export_checkpoint(f"{folder}/mine.safetensors", vit.transformer.vit.state_dict(), vit.spec)
    ...     checkpoint = read_checkpoint(f"{folder}/mine.safetensors")
    >>> print(checkpoint.report)
    Took the only network in the file; dropped: nothing; renamed: nothing.
    """
    file = file if isinstance(file, WeightFile) else read_weights(file)
    with errors_name(file.path):
        if file.header is not None and file.header.kind != "vit":
            raise BackboneError("It holds a small network of Patchfield, no vision transformer.")
        said = None if file.header is None else ViTSpec.from_json(file.header.spec)
        state, positions, report = convert(file.content, role)
        spec = _spec(said, state, positions)
        check_state(spec.build(), state)
    return Checkpoint(spec, state, report, file.header.details if file.header else {})


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
        When the suffix is another one, or a weight is NaN or infinite: nothing is written.

    Examples
    --------
    See :func:`read_checkpoint`.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise BackboneError(f"'{path}' cannot be written: name the file with the suffix '.safetensors'.")
    tensors = {key: value.detach().cpu().float().contiguous() for key, value in state.items()}
    write_weights(path, tensors, Header("vit", spec.to_json(), dict(details or {})))


def _spec(said: ViTSpec | None, state: State, positions: PositionRule | None) -> ViTSpec:
    """What the weights are of, from their shapes; a header adds what shapes do not tell, and must agree with them."""
    if said is None:
        return ViTSpec.from_state(state, positions)
    found = ViTSpec.from_state(state, said.positions, said.heads)
    if replace(found, mean=said.mean, std=said.std) != said:
        raise BackboneError(f"Its header says {said.summary()}, but its weights are of {found.summary()}.")
    return said
