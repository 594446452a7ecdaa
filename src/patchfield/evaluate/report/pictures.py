"""Pictures of a report: what the features look like before and after, and how the training went."""

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patchfield.atomic import atomic_path
from patchfield.backbones.base import Backbone
from patchfield.errors import PatchfieldError
from patchfield.evaluate.micrographs.labelled import LabelledSet, labels_of
from patchfield.evaluate.micrographs.suite import EvaluationSettings
from patchfield.explore import PrincipalComponents
from patchfield.explore.pictures import Picture, as_picture, sheet
from patchfield.images import model_image, read_image
from patchfield.pipeline import Extractor

_PANEL = 320
"""Longest side of a panel in pixels."""

Curves = dict[str, tuple[list[float], list[float]]]
"""Names of numbers in a training log to their steps and values."""

_NOT_CURVES = {"step", "seconds_left"}


def pca_pictures(
    backbones: Mapping[str, Backbone], sets: Sequence[LabelledSet], folder: str | Path, settings: EvaluationSettings
) -> list[Path]:
    """One picture for each data set: an image, its labels, and its features' three main components by each backbone.

    Colours of different backbones are not related; what to compare is which structures stand out and how sharply.

    Parameters
    ----------
    backbones : mapping of str to Backbone
    sets : sequence of LabelledSet
        The first test image of each is shown.
    folder : path
    settings : EvaluationSettings
        Sampling and image settings are used.

    Returns
    -------
    list of Path
        ``pca_SET.png`` for each set.
    """
    return [_pca_picture(backbones, labelled, Path(folder) / f"pca_{labelled.name}.png", settings) for labelled in sets]


def curves_picture(curves: Curves, path: str | Path) -> Path:
    """Plot every number in a training log over the steps, one small panel each.

    Parameters
    ----------
    curves : dict of str to (list of float, list of float)
        Of :func:`read_curves`.
    path : path
        PNG file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(3, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(4 * columns, 2.6 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for index, (name, (steps, values)) in enumerate(sorted(curves.items()), start=1):
        axes = figure.add_subplot(rows, columns, index)
        axes.plot(steps, values, linewidth=1)
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
    path = Path(path)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)
    return path


def read_curves(log: str | Path) -> Curves:
    """Steps and values of every number in the log of a training; nested objects by ``outer/inner``.

    Parameters
    ----------
    log : path
        JSON lines, each an object with ``step`` and numbers; other lines and values are passed over.

    Raises
    ------
    PatchfieldError
        The log cannot be read or holds no numbers by step, or matplotlib, which draws them, is not installed.
    """
    if find_spec("matplotlib") is None:
        raise PatchfieldError(
            "curves of a training are drawn by matplotlib: install it with "
            "`pip install 'napari-patchfield[training]'`, or leave out the log."
        )
    try:
        lines = Path(log).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise PatchfieldError(f"the training log {log} cannot be read ({error.strerror}).") from error
    curves: Curves = {}
    for line in lines:
        entry = _object(line)
        step = entry.get("step")
        if not isinstance(step, int | float):
            continue
        for name, value in _numbers(entry).items():
            steps, values = curves.setdefault(name, ([], []))
            steps.append(step)
            values.append(value)
    if not curves:
        raise PatchfieldError(f"{log} holds no line with a step and numbers: give the JSON-lines log of a training.")
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


def _pca_picture(
    backbones: Mapping[str, Backbone], labelled: LabelledSet, path: Path, settings: EvaluationSettings
) -> Path:
    shown = labelled.test[0]
    micrograph = read_image(shown.image, axes=settings.image.axes)
    seen = model_image(micrograph, settings.image).whole()
    panels = {shown.name: seen, "labels": _coloured(labels_of(shown.truth, seen.shape[:2]))}
    for name, backbone in backbones.items():
        field = Extractor.from_backbone(backbone, settings.sampling, image=settings.image).field(micrograph)
        panels[f"PCA, {name}"] = PrincipalComponents.fit(field).rgb(field)
    with atomic_path(path) as temporary:
        shown_together = sheet({title: _shrunk(panel) for title, panel in panels.items()}, columns=len(panels))
        Image.fromarray(shown_together).save(temporary)
    return path


def _coloured(labels: NDArray[Any]) -> NDArray[np.float32]:
    """Labels in well separated hues, 0 in black."""
    values = np.unique(labels)
    hues = np.linspace(0, 1, np.count_nonzero(values) + 1)[:-1]
    colours = np.zeros((len(values), 3), np.float32)
    colours[values != 0] = 0.5 + 0.45 * np.cos(2 * np.pi * (hues[:, None] - np.array([0, 1 / 3, 2 / 3])))
    return colours[np.searchsorted(values, labels)]


def _shrunk(panel: NDArray[np.float32]) -> Picture:
    """Values 0 to 1 as a picture that is at most as large as a panel."""
    picture = Image.fromarray(as_picture(panel))
    picture.thumbnail((_PANEL, _PANEL))
    return np.asarray(picture)
