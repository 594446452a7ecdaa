"""Backbones before and after a training, measured on labelled micrographs with the same settings, images and seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from patchfield.backbones import Backbone, load_backbone
from patchfield.errors import PatchfieldError
from patchfield.evaluate.micrographs.labelled import LabelledSet, labelled_sets
from patchfield.evaluate.micrographs.suite import EvaluationSettings, ProgressCallback, evaluate
from patchfield.evaluate.report.pictures import curves_picture, pca_pictures, read_curves
from patchfield.evaluate.report.report import Report, write_report


def compare(
    backbones: Mapping[str, str | Path | Backbone],
    data: str | Path | Sequence[LabelledSet],
    settings: EvaluationSettings | None = None,
    output: str | Path | None = None,
    log: str | Path | None = None,
    progress: ProgressCallback | None = None,
) -> Report:
    """Measure backbones, the first of which is the baseline, with the same settings, images and seeds.

    Parameters
    ----------
    backbones : mapping of str to str, Path or Backbone
        What :func:`patchfield.load_backbone` takes, by the name that the report calls it: the backbone before and
        after a training, controls, other seeds.
    data : path or sequence of LabelledSet
        Labelled micrographs; a folder is split by image as :func:`labelled_sets` does it. Train on the pixels of a
        set's training images only, or say that the test images were seen.
    settings : EvaluationSettings, optional
    output : path, optional
        Folder for ``report.json``, ``report.md`` and pictures.
    log : path, optional
        JSON-lines log of the training, plotted in the report.
    progress : callable, optional
        Called with steps done, steps in all, and what is being done.

    Returns
    -------
    Report

    Raises
    ------
    PatchfieldError
        A backbone, the labelled images or the log cannot be used.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> mask = np.kron([[1, 2], [2, 1]], np.ones((32, 32))).astype(np.uint8)
    >>> settings = EvaluationSettings("fast", pixels=(5,), cluster_factors=(1,), seeds=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in "ab":
    ...         Image.fromarray(mask).save(Path(folder) / f"mask_{name}.png")
    ...         Image.fromarray(mask * 100).save(Path(folder) / f"image_{name}.png")
    ...     report = compare({"before": "filters", "after": "filters"}, folder, settings)
    >>> {change.verdict for change in report.changes(report.evaluations[1])}
    {'equal'}
    """
    if not backbones:
        raise PatchfieldError("there is nothing to measure: name at least one backbone.")
    if log is not None and output is None:
        raise PatchfieldError("the curves of a training log are a picture of the report: name a folder for it, too.")
    settings = settings or EvaluationSettings()
    curves = None if log is None else read_curves(log)
    loaded = {name: load_backbone(backbone) for name, backbone in backbones.items()}
    sets = labelled_sets(data) if isinstance(data, str | Path) else tuple(data)
    report = Report(settings, sets, tuple(evaluate(loaded, sets, settings, progress)))
    if output is not None:
        pictures = pca_pictures(loaded, sets, output, settings)
        if curves is not None:
            pictures.append(curves_picture(curves, Path(output) / "curves.png"))
        write_report(report, output, pictures)
    return report
