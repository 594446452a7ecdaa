"""Measure backbones on labelled micrographs, or by the published protocols on the natural-image benchmarks.

``python -m training.evaluate BACKBONE [BACKBONE ...] --data DIR --output DIR``: the first backbone is the baseline of
the comparison. See docs/evaluation.md for what is measured and why.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from jsonargparse import ArgumentParser, Namespace
from rich.progress import Progress as ProgressBar
from rich.progress import track

from patchfield.atomic import atomic_path
from patchfield.backbones import Backbone, load_backbone
from patchfield.backbones.devices import Precision
from patchfield.errors import PatchfieldError
from patchfield.evaluate import LabelledSet, labelled_sets
from patchfield.evaluate.published import DenseRetrievalProtocol, LinearSegmentation, Overclustering, read_benchmark
from patchfield.evaluate.suite import EvaluationSettings, Progress, evaluate
from training.report import Report, write_report
from training.report_pictures import curves_picture, pca_pictures

Protocol = Literal["micrographs", "linear-segmentation", "overclustering", "dense-retrieval"]
PUBLISHED = {
    "linear-segmentation": LinearSegmentation,
    "overclustering": Overclustering,
    "dense-retrieval": DenseRetrievalProtocol,
}


def compare(
    before: str | Path | Backbone,
    after: str | Path | Backbone,
    data: str | Path | Sequence[LabelledSet],
    settings: EvaluationSettings | None = None,
    others: Mapping[str, str | Path | Backbone] | None = None,
    output: str | Path | None = None,
    log: str | Path | None = None,
    progress: Progress | None = None,
) -> Report:
    """Measure a backbone before and after a training, with the same settings, images and seeds.

    Parameters
    ----------
    before, after : str, Path or Backbone
        What :func:`patchfield.load_backbone` takes.
    data : path or sequence of LabelledSet
        Labelled micrographs; a folder is split by image as :func:`patchfield.evaluate.labelled_sets` does it. Train on
        the pixels of a set's training images only, or say that the test images were seen.
    settings : EvaluationSettings, optional
    others : mapping of str to str, Path or Backbone, optional
        More backbones to compare with `before`, by the name the report calls them: controls, other seeds.
    output : path, optional
        Folder for ``report.json``, ``report.md`` and pictures.
    log : path, optional
        JSON-lines log of the training, plotted in the report.
    progress : callable, optional
        Called with steps done, steps in all, and what is being done.

    Returns
    -------
    Report

    Examples
    --------
    >>> report = compare("dinov2-small-reg", "run/teacher.safetensors", "labelled")               # doctest: +SKIP
    >>> [(change.measure, change.verdict) for change in report.changes(report.evaluations[1])]    # doctest: +SKIP
    """
    named = {"before": before, "after": after, **(others or {})}
    return _report({name: load_backbone(each) for name, each in named.items()}, data, settings, output, log, progress)


def _report(
    backbones: Mapping[str, Backbone],
    data: str | Path | Sequence[LabelledSet],
    settings: EvaluationSettings | None,
    output: str | Path | None,
    log: str | Path | None,
    progress: Progress | None,
) -> Report:
    settings = settings or EvaluationSettings()
    sets = labelled_sets(data) if isinstance(data, str | Path) else tuple(data)
    report = Report(settings, sets, tuple(evaluate(backbones, sets, settings, progress)))
    if output is not None:
        pictures = pca_pictures(backbones, sets, output, settings.sampling)
        if log is not None:
            pictures.append(curves_picture(log, Path(output) / "curves.png"))
        write_report(report, output, pictures)
    return report


@dataclass(frozen=True)
class Options:
    """What the command line takes besides the settings of the protocol.

    Attributes
    ----------
    data : str
        Folder of labelled micrographs (image_NAME with mask_NAME and/or strokes_NAME; or folders images, masks,
        strokes; or a folder of such folders), or the root of a benchmark.
    output : str or None
        Folder for the report; the table is printed in any case.
    protocol : {"micrographs", "linear-segmentation", "overclustering", "dense-retrieval"}
        Micrographs, or one of the published protocols.
    benchmark : {"voc", "ade20k", "cityscapes", "coco-stuff", "coco-things"}
        Which set the published protocols find in the data folder.
    train_share : float
        Micrographs: share of each set's images whose labels may be learned from.
    most : int or None
        Micrographs: at most this many images of a set, evenly spaced.
    log : str or None
        Micrographs: JSON-lines log of a training to plot in the report.
    device : str
        "auto", "cpu", "cuda" or "mps".
    workers : int
        Published protocols: processes that decode images.
    """

    data: str
    output: str | None = None
    protocol: Protocol = "micrographs"
    benchmark: Literal["voc", "ade20k", "cityscapes", "coco-stuff", "coco-things"] = "voc"
    train_share: float = 1 / 3
    most: int | None = None
    log: str | None = None
    device: str = "auto"
    workers: int = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parsed = _parser().parse_args(arguments)
    options = _fields(Options, parsed)
    try:
        published = options.protocol != "micrographs"
        backbones = _named_backbones(parsed.backbones, options.device, "fp32" if published else "auto")
        if published:
            recipe = _fields(PUBLISHED[options.protocol], parsed[_key(options.protocol)])
            _run_published(backbones, options, recipe)
        else:
            _run_micrographs(backbones, options, _fields(EvaluationSettings, parsed))
    except PatchfieldError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("backbones", nargs="+", help="Names or files of backbones, or NAME=FILE to name them.")
    parser.add_argument("--config", action="config", help="YAML file with any of the options.")
    parser.add_class_arguments(Options)
    parser.add_class_arguments(EvaluationSettings)
    for name, recipe in PUBLISHED.items():
        parser.add_class_arguments(recipe, _key(name))
    return parser


def _key(protocol: str) -> str:
    return protocol.replace("-", "_")


def _fields(kind: type[Any], parsed: Namespace) -> Any:
    return kind(**{each.name: parsed[each.name] for each in fields(kind)})


def _named_backbones(given: Sequence[str], device: str, precision: Precision) -> dict[str, Backbone]:
    named: dict[str, Backbone] = {}
    for each in given:
        name, _, file = each.rpartition("=")
        name = name or Path(file).stem
        if name in named:
            raise PatchfieldError(f"two backbones are called '{name}': name them with NAME=FILE.")
        named[name] = load_backbone(file, device=device, precision=precision)
    return named


def _run_micrographs(backbones: Mapping[str, Backbone], options: Options, settings: EvaluationSettings) -> None:
    sets = labelled_sets(options.data, options.train_share, options.most)
    with ProgressBar(transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)

        report = _report(backbones, sets, settings, options.output, options.log, show)
    print(report.table())


def _run_published(backbones: Mapping[str, Backbone], options: Options, recipe: Any) -> None:
    benchmark = read_benchmark(options.benchmark, options.data)
    results = {}
    for name, backbone in backbones.items():
        result = recipe(backbone, benchmark, options.workers, track)
        results[name] = {"fingerprint": backbone.fingerprint, **asdict(result)}
        print(f"{options.protocol} on {options.benchmark}, {name}: {result}")
    if options.output is not None:
        summary = {"protocol": options.protocol, "benchmark": options.benchmark, "recipe": asdict(recipe)}
        with atomic_path(Path(options.output) / f"{options.protocol}_{options.benchmark}.json") as temporary:
            temporary.write_text(json.dumps(summary | {"backbones": results}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
