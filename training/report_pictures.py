"""Pictures of a report: what the features look like before and after, and how the training went."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from patchfield.atomic import atomic_path
from patchfield.backbones.base import Backbone
from patchfield.errors import PatchfieldError
from patchfield.evaluate import LabelledSet
from patchfield.evaluate.labelled import labels_of
from patchfield.explore import PrincipalComponents
from patchfield.images import model_image, read_image
from patchfield.pipeline import extract

_PANEL = 320
_NOT_CURVES = {"step", "seconds_left"}


def pca_pictures(
    backbones: Mapping[str, Backbone], sets: Sequence[LabelledSet], folder: str | Path, sampling: str = "balanced"
) -> list[Path]:
    """One picture for each data set: an image, its labels, and its features' three main components by each backbone.

    Colours of different backbones are not related; what to compare is which structures stand out and how sharply.

    Parameters
    ----------
    backbones : mapping of str to Backbone
    sets : sequence of LabelledSet
        The first test image of each is shown.
    folder : path
    sampling : str

    Returns
    -------
    list of Path
        ``pca_SET.png`` for each set.
    """
    return [_pca_picture(backbones, each, Path(folder) / f"pca_{each.name}.png", sampling) for each in sets]


def curves_picture(log: str | Path, path: str | Path) -> Path:
    """Plot every number in a training log over the steps, one small panel each.

    Parameters
    ----------
    log : path
        JSON lines, each an object with ``step`` and numbers; other lines and values are passed over.
    path : path
        PNG file to write.

    Raises
    ------
    PatchfieldError
        The log cannot be read or holds no numbers by step.
    """
    curves = read_curves(log)
    if not curves:
        raise PatchfieldError(f"{log} holds no line with a step and numbers: give the JSON-lines log of a training.")
    columns = min(3, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(4 * columns, 2.6 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (name, (steps, values)) in enumerate(sorted(curves.items()), start=1):
        axes = figure.add_subplot(rows, columns, place)
        axes.plot(steps, values, linewidth=1)
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
    path = Path(path)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)
    return path


def read_curves(log: str | Path) -> dict[str, tuple[list[float], list[float]]]:
    """Steps and values of every number in a JSON-lines log; nested objects by ``outer/inner``."""
    try:
        lines = Path(log).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise PatchfieldError(f"the training log {log} cannot be read ({error.strerror}).") from error
    curves: dict[str, tuple[list[float], list[float]]] = {}
    for line in lines:
        entry = _object(line)
        step = entry.get("step")
        if not isinstance(step, int | float):
            continue
        for name, value in _numbers(entry).items():
            steps, values = curves.setdefault(name, ([], []))
            steps.append(step)
            values.append(value)
    return curves


def _object(line: str) -> dict[str, Any]:
    """A line of the log; empty for one that was cut short when the training was killed."""
    try:
        entry = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _numbers(entry: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    numbers: dict[str, float] = {}
    for name, value in entry.items():
        if isinstance(value, Mapping):
            numbers |= _numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool) and name not in _NOT_CURVES:
            numbers[prefix + name] = float(value)
    return numbers


def _pca_picture(backbones: Mapping[str, Backbone], labelled: LabelledSet, path: Path, sampling: str) -> Path:
    shown = labelled.test[0]
    pixels = read_image(shown.image).pixels
    seen = model_image(pixels).whole()
    panels = {shown.name: seen, "labels": _coloured(labels_of(shown.truth, seen.shape[:2]))}
    for name, backbone in backbones.items():
        field = extract(pixels, backbone, sampling)
        panels[f"PCA, {name}"] = PrincipalComponents.fit(field).rgb(field)
    height, width = seen.shape[:2]
    figure = Figure(figsize=(2.6 * len(panels), 2.6 * height / width + 0.3), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (title, panel) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), place)
        axes.imshow(_shrunk(panel))
        axes.set_title(title, fontsize=8)
        axes.set_axis_off()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=130)
    return path


def _coloured(labels: NDArray[Any]) -> NDArray[np.float32]:
    """Labels in well separated hues, 0 in black."""
    values = np.unique(labels)
    hues = np.linspace(0, 1, np.count_nonzero(values) + 1)[:-1]
    colours = np.zeros((len(values), 3), np.float32)
    colours[values != 0] = 0.5 + 0.45 * np.cos(2 * np.pi * (hues[:, None] - np.array([0, 1 / 3, 2 / 3])))
    return colours[np.searchsorted(values, labels)]


def _shrunk(panel: NDArray[np.float32]) -> NDArray[np.uint8]:
    height, width = panel.shape[:2]
    scale = min(1.0, _PANEL / max(height, width))
    picture = Image.fromarray((np.clip(panel, 0, 1) * 255).astype(np.uint8))
    return np.asarray(picture.resize((max(1, round(width * scale)), max(1, round(height * scale)))))
