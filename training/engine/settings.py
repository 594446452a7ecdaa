"""What every run can be asked for, as data: typed, with defaults, read from a YAML file and flags."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from training.errors import require

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "fp32", "bf16"]
Settings = TypeVar("Settings", bound="RunSettings")

MAX_SEED = 2**63 - 1
MAX_STEPS = 2**31


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What every run has; an objective adds its own.

    Attributes
    ----------
    output : Path
        Folder for the trained networks, checkpoints and logs.
    name : str, optional
        Name under which the app and `patchfield models` list the result; by default that of the output folder.
    steps : int
        Optimiser steps.
    batch : int
        Samples per step, over all processes.
    seed : int
        Decides every random number of the run.
    device : {"auto", "cpu", "cuda"}
        Where to compute; auto takes a GPU when there is one.
    precision : {"auto", "fp32", "bf16"}
        Of the network; auto is bf16 where the processor computes with it.
    workers : int, optional
        Processes that load samples, for each training process; by default up to eight, as the machine has cores to
        spare.
    log_every : int
        Steps between two lines of the logs.
    checkpoint_every : int
        Steps between two checkpoints: what a crash can cost.
    resume : bool
        Go on from the checkpoint in the output folder, to the identical result.

    Raises
    ------
    TrainingError
        When a value cannot be run with.
    """

    INCIDENTAL: ClassVar[frozenset[str]] = frozenset(
        {"output", "name", "device", "workers", "log_every", "checkpoint_every", "resume"}
    )
    """Names of settings that do not change what comes out."""

    RENAMED: ClassVar[Mapping[str, str]] = {}
    """Dotted names of settings in earlier versions, and what they are called now."""

    output: Path
    name: str | None = None
    steps: int = 1000
    batch: int = 16
    seed: int = 0
    device: Device = "auto"
    precision: Precision = "auto"
    workers: int | None = None
    log_every: int = 10
    checkpoint_every: int = 100
    resume: bool = False

    def __post_init__(self) -> None:
        require(1 <= self.steps <= MAX_STEPS, f"steps must lie between 1 and {MAX_STEPS}")
        require(1 <= self.batch <= MAX_STEPS, "batch must be at least 1")
        require(0 <= self.seed <= MAX_SEED, f"seed must lie between 0 and {MAX_SEED}")
        require(self.workers is None or self.workers >= 0, "workers must be at least 0")
        require(self.log_every >= 1, "log_every must be at least 1")
        require(self.checkpoint_every >= 1, "checkpoint_every must be at least 1")

    @property
    def model_name(self) -> str:
        """The name under which the result is listed."""
        return self.name or Path(self.output).resolve().name

    def to_json(self) -> dict[str, Any]:
        """The settings as lists, strings and numbers."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return values

    def trajectory(self) -> dict[str, Any]:
        """What decides the weights that come out: a run is only resumed when this is the same."""
        return {key: value for key, value in self.to_json().items() if key not in self.INCIDENTAL}

    def fingerprint(self) -> str:
        """Short hash of :meth:`trajectory`."""
        return sha256(json.dumps(self.trajectory(), sort_keys=True).encode()).hexdigest()[:16]


def from_flat(kind: type[Settings], values: Mapping[str, Any]) -> Settings:
    """Settings from values by name, nested ones with dots or as their dataclass.

    Raises
    ------
    TrainingError
        When a value cannot be run with.
    """
    flat = dict(values)
    nested: dict[str, dict[str, Any]] = {}
    for key in [key for key in flat if "." in key]:
        group, _, name = key.partition(".")
        nested.setdefault(group, {})[name] = flat.pop(key)
    groups: dict[str, Any] = {entry.name: entry.type for entry in fields(kind) if is_dataclass(entry.type)}
    for group, inner in nested.items():
        flat[group] = replace(flat.get(group, groups[group]()), **inner)
    return kind(**flat)


def with_present_names(values: Mapping[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    """Nested values in which settings are called as they are now.

    Examples
    --------
    >>> with_present_names({"crops": {"globals": 2}, "steps": 3}, {"crops.globals": "crops.global_crops"})
    {'crops': {'global_crops': 2}, 'steps': 3}
    """
    present: dict[str, Any] = dict(values)
    for old, new in renamed.items():
        group, _, name = old.rpartition(".")
        inner = present.get(group)
        if isinstance(inner, Mapping) and name in inner:
            moved = {key: value for key, value in inner.items() if key != name}
            present[group] = {**moved, new.rpartition(".")[2]: inner[name]}
    return present


def is_share(value: float) -> bool:
    """Whether a number lies between 0 and 1."""
    return 0 <= value <= 1


def is_amount(value: float) -> bool:
    """Whether a number is finite and not negative."""
    return math.isfinite(value) and value >= 0
