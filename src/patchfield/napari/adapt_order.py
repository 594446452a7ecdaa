"""What can be asked of an adaptation, and what comes of it: images, the backbone to begin from, a name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution, requires
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from patchfield.backbones import RECOMMENDED, Weight, find_local, models
from patchfield.images import Contrast
from patchfield.napari.layers.export import file_of
from patchfield.napari.layers.stack import ImageSource
from patchfield.napari.segment.choices import BackboneChoice, backbone_choices
from patchfield.napari.training_run import AdaptationError, TrainingRun, runs_below

STUDENT = "-student"
"""What the second of the two networks is called, after the name of the first."""

_NAME = re.compile(r"\w[\w .+-]*")
_INSTALL = "pip install 'napari-patchfield[training]'"


@dataclass(frozen=True)
class Order:
    """What is to be trained.

    Attributes
    ----------
    images : Path or sequence of ImageSource
        A folder, or layers; those that have no file are written into the run's folder.
    init : str
        The transformer to begin from, a name or file.
    name : str
        Of the result.
    steps, batch : int
        Optimiser steps, and images per step.
    root : Path
        The run gets a folder of its own in here.
    options : dict
        Further options of `training.neco` by their dotted names.
    """

    images: Path | Sequence[ImageSource]
    init: str
    name: str
    steps: int
    batch: int
    root: Path
    options: dict[str, Any] = field(default_factory=dict, hash=False)


def planned(order: Order) -> tuple[TrainingRun, dict[Path, ImageSource]]:
    """The run that an order amounts to, and the layers that must be written first, by their files.

    Raises
    ------
    AdaptationError
        When it cannot be done.
    """
    _check_installed()
    name = order.name.strip()
    refusal = first_start(order.init)[1]
    if refusal:
        raise AdaptationError(refusal)
    _check_name(name)
    folder = order.root.expanduser().resolve() / name
    if isinstance(order.images, Path):
        return TrainingRun(folder, order.init, name, (order.images,), order.steps, order.batch, order.options), {}
    if not order.images:
        raise AdaptationError("There is nothing to adapt to: open images, or choose a folder of them.")
    files, written = [], {}
    for number, source in enumerate(order.images):
        path = file_of(source)
        if path is None:
            path = folder / "images" / f"{number:03d}.tif"
            written[path] = source
        files.append(path)
    options = {"tiles.contrast": _contrast(order.images), **order.options}
    return TrainingRun(folder, order.init, name, tuple(files), order.steps, order.batch, options), written


def start_choices() -> list[BackboneChoice]:
    """The backbones that can be adapted: vision transformers, those on this machine first."""
    others = {weight.name for weight in models() if not _is_transformer(weight)}
    return [choice for choice in backbone_choices() if choice.backbone not in others]


def first_start(selected: str, preferred: str | None = None) -> tuple[str, str]:
    """Which transformer to begin from, and one sentence when that is not what describes the pixels.

    Parameters
    ----------
    selected : str
        What describes the pixels.
    preferred : str, optional
        What to begin from where `selected` is no transformer.
    """
    if selected not in {weight.name for weight in models() if not _is_transformer(weight)}:
        return selected, ""
    start = preferred or _recommended()
    return start, f"'{selected}' cannot be adapted: a vision transformer is needed, such as {start}."


def default_size() -> tuple[int, int]:
    """Steps and images per step that take minutes on a GPU, and an hour or two on a processor."""
    return (1000, 16) if torch.cuda.is_available() else (200, 4)


def expectation() -> str:
    """How long it takes here, roughly."""
    if torch.cuda.is_available():
        return "It takes minutes on your GPU."
    return "Without a GPU expect an hour or more."


def free_name(subject: str, root: Path) -> str:
    """A name for a backbone adapted to `subject` that neither another one has, nor a run below `root`."""
    stem = re.sub(r"[^\w.+-]+", "-", subject).strip("-.") or "images"
    taken = {weight.name for weight in models()} | runs_below(root)
    name, number = f"{stem}-adapted", 2
    while name in taken or f"{name}{STUDENT}" in taken:
        name, number = f"{stem}-adapted-{number}", number + 1
    return name


def _recommended() -> str:
    """The recommended transformer, or one that is on this machine where that one is not."""
    local = [weight.name for weight in models() if _is_transformer(weight) and find_local(weight) is not None]
    teachers = [name for name in local if not name.endswith(STUDENT)]
    return RECOMMENDED if RECOMMENDED in local or not teachers else teachers[0]


def _is_transformer(weight: Weight) -> bool:
    """Only transformers were trained on grids of patches."""
    return weight.grid > 0


def _contrast(sources: Sequence[ImageSource]) -> Contrast:
    """The contrast that all images are looked at with; automatic where they differ."""
    contrasts = {source.contrast for source in sources}
    return contrasts.pop() if len(contrasts) == 1 else "auto"


def _check_name(name: str) -> None:
    """Refuse names that cannot be the name of a new backbone."""
    if not _NAME.fullmatch(name):
        raise AdaptationError(f"'{name}' cannot be a name: use letters, digits, spaces, dots, dashes.")
    if {name, f"{name}{STUDENT}"} & {weight.name for weight in models()}:
        raise AdaptationError(f"There is a backbone '{name}' already: choose another name.")


def _check_installed() -> None:
    """Refuse to start what is not installed."""
    missing = [name for name in _requirements("training") if not _is_installed(name)]
    if missing or find_spec("training") is None:
        what = ", ".join(missing) or "the package 'training'"
        raise AdaptationError(f"Adapting needs {what}: install with {_INSTALL}, then start napari again.")


def _requirements(extra: str) -> list[str]:
    """The packages that an extra of ours asks for."""
    try:
        lines = requires("napari-patchfield") or []
    except PackageNotFoundError:
        return []
    matches = [re.match(r"([\w.-]+).*extra == ['\"](\w+)['\"]", line) for line in lines]
    return [match[1] for match in matches if match and match[2] == extra]


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
