"""The header of our weight files: what a file says about itself, in the metadata of safetensors.

One key, ``patchfield``, holds a JSON object: ``kind`` (which loader reads the tensors), ``spec`` (the shape of the
network), ``details`` (what the exporter wants to be known) and, for networks on top of the filter bank, ``filters``
(the fingerprint of the bank). Files written before there were kinds are read as what they are: transformers had no
kind, small networks a key of their own.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from safetensors import SafetensorError, safe_open

from patchfield.errors import BackboneError

Kind = Literal["micro", "vit"]

_KEY = "patchfield"
_OLD_MICRO_KEY = "patchfield-micro"


@dataclass(frozen=True)
class Spec:
    """Shape of a network: base of frozen dataclasses of numbers, names and tuples of these."""

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_json`; every value must be there and of the type that the dataclass states.

        Raises
        ------
        BackboneError
            When a value is missing, too many, or of another type.
        """
        hints = get_type_hints(cls)
        names = {entry.name for entry in fields(cls)}
        if values.keys() != names:
            different = ", ".join(sorted(values.keys() ^ names))
            raise BackboneError(f"It was written by another version of Patchfield ({different}): update Patchfield.")
        converted = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        for name, value in converted.items():
            if not _is_of_type(value, hints[name]):
                raise BackboneError(f"Its header says that {name} is {json.dumps(values[name])[:40]}, which cannot be.")
        return cls(**converted)


@dataclass(frozen=True)
class Header:
    """What a weight file of ours says about itself.

    Attributes
    ----------
    kind : {"micro", "vit"}
        What its tensors are.
    spec : dict
        The network's shape, see :meth:`Spec.from_json`.
    details : dict
        Facts of the exporter; ``summary`` and ``licence`` are shown in lists of backbones.
    filters : str
        Fingerprint of the filter bank that the network was trained on; empty where it sees none.
    parameters : int
        Numbers in the file; not part of what is written.
    """

    kind: Kind
    spec: dict[str, Any]
    details: dict[str, Any] = field(default_factory=dict)
    filters: str = ""
    parameters: int = 0

    def metadata(self) -> dict[str, str]:
        """The metadata of a safetensors file with this header."""
        written: dict[str, Any] = {"kind": self.kind, "spec": self.spec, "details": self.details}
        if self.filters:
            written["filters"] = self.filters
        return {"format": "pt", _KEY: json.dumps(written)}


def read_header(path: str | Path) -> Header | None:
    """What a file says about itself, without reading its tensors; None for files of others.

    Parameters
    ----------
    path : str or Path
        A ``.safetensors`` file.

    Raises
    ------
    BackboneError
        When the file is damaged, or was written by another version of Patchfield.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            parameters = sum(math.prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise damaged(path, str(error)) from None
    return parse_header(path, metadata, parameters)


def parse_header(path: str | Path, metadata: Mapping[str, str] | None, parameters: int = 0) -> Header | None:
    """The header in the metadata of a safetensors file; see :func:`read_header`."""
    metadata = metadata or {}
    text = metadata.get(_KEY) or metadata.get(_OLD_MICRO_KEY)
    if text is None:
        return None
    try:
        values = json.loads(text)
        kind = values.get("kind", "vit" if _KEY in metadata else "micro")
        spec, details, filters = values["spec"], values["details"], values.get("filters", "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise other_version(path) from None
    if kind not in get_args(Kind) or not isinstance(spec, dict) or not isinstance(details, dict):
        raise other_version(path)
    return Header(kind, spec, details, str(filters), parameters)


def damaged(path: str | Path, reason: str) -> BackboneError:
    """The error for a file that cannot be read, with the first line of the reader's words."""
    first = (reason.strip().splitlines() or ["unreadable"])[0].rstrip(".")
    try:
        first = f"{Path(path).stat().st_size} bytes; {first}"
    except OSError:
        pass
    return BackboneError(f"'{path}' is damaged or incomplete ({first}): download it again.")


def other_version(path: str | Path) -> BackboneError:
    """The error for a file whose header is not understood, or whose network was trained on other filters."""
    return BackboneError(
        f"'{path}' was written by another version of Patchfield: use that version, or train the network again."
    )


def _is_of_type(value: object, hint: Any) -> bool:
    """Whether a value read from JSON is what an annotation of a spec says; numbers must be finite."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is tuple:
        inner = get_args(hint)
        if not isinstance(value, tuple):
            return False
        inner = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        return len(value) == len(inner) and all(map(_is_of_type, value, inner))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)
