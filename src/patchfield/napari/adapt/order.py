"""What can be asked of an adaptation, and what comes of it: images, the backbone to begin from, a name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from patchfield.backbones import RECOMMENDED, TIMM_PREFIX, is_here, models
from patchfield.images import Contrast
from patchfield.napari.adapt.run import AdaptationError, TrainingRun, runs_below
from patchfield.napari.layers.export import file_of
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.session.choices import BackboneChoice, backbone_choices
from patchfield.runs.extra import INSTALL, missing
from patchfield.runs.folder import RunError
from patchfield.runs.names import STUDENT_SUFFIX, check_name, listed_names


@dataclass(frozen=True)
class Order:
    """What is to be trained.

    Attributes
    ----------
    images : Path or sequence of LayerStack
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

    images: Path | Sequence[LayerStack]
    init: str
    name: str
    steps: int
    batch: int
    root: Path
    options: dict[str, Any] = field(default_factory=dict, hash=False)


def plan(order: Order) -> tuple[TrainingRun, dict[Path, LayerStack]]:
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
    others = {weight.name for weight in models() if weight.family != "vit"}
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
    others = {weight.name for weight in models() if weight.family != "vit"}
    if selected not in others and not selected.startswith(TIMM_PREFIX):
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
    while taken & set(listed_names(name)):
        name, number = f"{stem}-adapted-{number}", number + 1
    return name


def _recommended() -> str:
    """The recommended transformer, or one that is on this machine where that one is not."""
    local = [weight.name for weight in models() if weight.family == "vit" and is_here(weight)]
    teachers = [name for name in local if not name.endswith(STUDENT_SUFFIX)]
    return RECOMMENDED if RECOMMENDED in local or not teachers else teachers[0]


def _contrast(sources: Sequence[LayerStack]) -> Contrast:
    """The contrast that all images are shown with; automatic where they differ."""
    contrasts = {source.settings.contrast for source in sources}
    return contrasts.pop() if len(contrasts) == 1 else "auto"


def _check_name(name: str) -> None:
    """Refuse names that cannot be the name of a new backbone."""
    try:
        check_name(name, taken={weight.name for weight in models()})
    except RunError as refusal:
        sentence = str(refusal)
        raise AdaptationError(sentence[:1].upper() + sentence[1:]) from None


def _check_installed() -> None:
    """Refuse to start what is not installed."""
    absent = missing()
    if absent or find_spec("training") is None:
        what = ", ".join(absent) or "the package 'training'"
        raise AdaptationError(f"Adapting needs {what}: install with {INSTALL}, then start napari again.")
