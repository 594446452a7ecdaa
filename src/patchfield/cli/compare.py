"""`patchfield compare`: is one backbone better than another?"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from patchfield.cli.options import (
    AxesText,
    ChannelsText,
    ContrastText,
    Device,
    check_backbone,
    checked_device,
    given_path,
    image_settings,
    value_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from patchfield.backbones import Backbone
    from patchfield.backbones.devices import Precision
    from patchfield.evaluate.micrographs import LabelledSet
    from patchfield.evaluate.micrographs.suite import ProgressCallback
    from patchfield.evaluate.published import Benchmark
    from patchfield.evaluate.published import Protocol as PublishedProtocol

Protocol = Literal[
    "micrographs", "linear-segmentation", "overclustering", "dense-retrieval", "foreground", "localisation"
]
BenchmarkName = Literal[
    "voc", "ade20k", "cityscapes", "coco-stuff", "coco-things", "coco-stuff-27", "duts", "cub", "voc-boxes"
]


def compare(
    backbones: Annotated[
        list[str],
        typer.Argument(metavar="BACKBONE", help="Names or files, the baseline first; TITLE=FILE to name one."),
    ],
    data: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            parser=given_path,
            help="Folder with image_NAME beside mask_NAME and/or strokes_NAME, or with folders images, masks, strokes, "
            "or a folder of such folders; or the root of a benchmark.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            parser=given_path,
            help="Folder for the report; its table is printed in any case.",
        ),
    ] = None,
    protocol: Annotated[Protocol, typer.Option(help="On labelled micrographs, or a published one.")] = "micrographs",
    train_share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Micrographs: share of a set's images to learn from; a third.")
    ] = None,
    max_images: Annotated[
        int | None, typer.Option(min=2, help="Micrographs: of a larger set, this many images, evenly spaced.")
    ] = None,
    sampling: Annotated[
        str | None, typer.Option(help="Micrographs: fast, balanced (the default), fine or hr-dv2.")
    ] = None,
    pixels: Annotated[
        str | None, typer.Option(help="Micrographs: pixels per class for the linear probe; 10,100,1000.")
    ] = None,
    cluster_factors: Annotated[
        str | None, typer.Option(help="Micrographs: numbers of clusters, in multiples of the classes; 1,4,16.")
    ] = None,
    neighbours: Annotated[
        int | None, typer.Option(min=1, help="Micrographs: how many patches vote in dense retrieval; 30.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(min=1e-6, help="Micrographs: of their votes; small values trust the nearest; 0.02.")
    ] = None,
    patch: Annotated[int | None, typer.Option(min=1, help="Micrographs: side of patches in pixels; 14.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Micrographs: random choices to average over; 5.")] = None,
    contrast: ContrastText = None,
    channels: ChannelsText = None,
    axes: AxesText = None,
    ignore: Annotated[
        str | None, typer.Option(help="Micrographs: label values that mean unlabelled besides 0, such as 255.")
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", parser=given_path, help="Micrographs: JSON-lines log of a training, plotted in the report."
        ),
    ] = None,
    benchmark: Annotated[BenchmarkName | None, typer.Option(help="Published: what --data holds; voc.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(help="Published: NAME=VALUE, a setting of the protocol other than published; repeatable."),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Published: processes that decode images; 4.")] = None,
    device: Device = "auto",
) -> None:
    """Measure backbones on labelled images, with a verdict for each measure; the first one is the baseline.

    docs/evaluation.md says what is measured, and what may be concluded.
    """
    from patchfield.batch.outputs import check_folder
    from patchfield.field import Sampling

    published = {"benchmark": benchmark, "setting": setting, "workers": workers}
    settings: dict[str, object] = {
        "sampling": sampling,
        "pixels": _numbers("pixels", pixels),
        "cluster_factors": _numbers("cluster-factors", cluster_factors),
        "neighbours": neighbours,
        "temperature": temperature,
        "patch": patch,
        "seeds": seeds,
        "ignore": _numbers("ignore", ignore),
    }
    with value_of("--sampling"):
        Sampling.parse(sampling or "balanced")
    checked_device(device)
    files = _titled(backbones)
    if output is not None:
        check_folder(output)
    if protocol == "micrographs":
        _refuse(published, "the published protocols")
        share = 1 / 3 if train_share is None else train_share
        chosen = {name: value for name, value in settings.items() if value is not None}
        chosen["image"] = image_settings(contrast, channels, axes)
        _compare_on_micrographs(files, device, _sets(data, share, max_images), chosen, output, log)
        return
    others = {"train_share": train_share, "max_images": max_images, "log": log}
    _refuse(settings | others | {"contrast": contrast, "channels": channels, "axes": axes}, "micrographs")
    from patchfield.evaluate.published import PROTOCOLS, read_benchmark

    recipe = replace(PROTOCOLS[protocol](), **_recipe_settings(PROTOCOLS[protocol], setting or []))
    _repeat_table(files, device, recipe, read_benchmark(benchmark or "voc", data), workers, output)


def _sets(data: Path, train_share: float, max_images: int | None) -> "tuple[LabelledSet, ...]":
    """The sets of a folder; those of a single image, which cannot be split, are named."""
    from patchfield.cli.terminal import complain
    from patchfield.evaluate.micrographs import labelled_images, labelled_sets

    sets = labelled_sets(data, train_share, max_images)
    for name, images in labelled_images(data).items():
        if len(images) == 1:
            complain(f"{name} is left out: it has one labelled image; one to learn from and one to test are needed.")
    return sets


def _compare_on_micrographs(
    files: Mapping[str, str],
    device: str,
    sets: "tuple[LabelledSet, ...]",
    chosen: Mapping[str, Any],
    output: Path | None,
    log: Path | None,
) -> None:
    from patchfield.evaluate.micrographs import EvaluationSettings
    from patchfield.evaluate.report import compare

    backbones = _loaded(files, device, "auto")
    with _bar() as show:
        report = compare(backbones, sets, EvaluationSettings(**chosen), output, log, show)
    _print(report.table(), output)


def _repeat_table(
    files: Mapping[str, str],
    device: str,
    recipe: "PublishedProtocol",
    benchmark: "Benchmark",
    workers: int | None,
    output: Path | None,
) -> None:
    from rich.progress import track

    from patchfield.cli.terminal import ERRORS
    from patchfield.evaluate.report import repeat_table

    def shown(sequence: Iterable[Any], description: str) -> Iterable[Any]:
        return track(sequence, description, console=ERRORS, transient=True, disable=not ERRORS.is_terminal)

    found = repeat_table(recipe, _loaded(files, device, "fp32"), benchmark, 4 if workers is None else workers, shown)
    if output is not None:
        found.write(output)
    _print(found.table(), output)


def _recipe_settings(kind: type[Any], changed: Sequence[str]) -> dict[str, Any]:
    """Settings of a published protocol from NAME=VALUE, each of the type of its default."""
    known = {field.name: field.default for field in fields(kind)}
    values: dict[str, Any] = {}
    for text in changed:
        name, _, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if name not in known:
            raise typer.BadParameter(f"there is no setting '{name}': it is one of {', '.join(known)}.")
        try:
            values[name] = float(value) if isinstance(known[name], float) else int(value)
        except ValueError:
            raise typer.BadParameter(f"--setting {text} is no NAME=NUMBER.") from None
    return values


def _titled(given: Sequence[str]) -> dict[str, str]:
    """Names or files of backbones by their titles, in the order given."""
    files: dict[str, str] = {}
    for text in given:
        title, _, file = text.rpartition("=")
        title = title or Path(file).stem
        if title in files:
            raise typer.BadParameter(f"two backbones are called '{title}': name them with TITLE=FILE.")
        check_backbone(file, "BACKBONE")
        files[title] = file
    return files


def _loaded(files: Mapping[str, str], device: str, precision: "Precision") -> "dict[str, Backbone]":
    from patchfield.backbones import load_backbone
    from patchfield.cli.terminal import Bars

    with Bars() as bars:
        return {
            title: load_backbone(file, device=device, precision=precision, progress=bars.download)
            for title, file in files.items()
        }


def _numbers(option: str, text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(number) for number in text.split(",") if number.strip())
    except ValueError:
        raise typer.BadParameter(f"--{option} {text} is no list of whole numbers like 10,100.") from None


def _refuse(options: Mapping[str, object], whose: str) -> None:
    """Options that would do nothing are refused."""
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        raise typer.BadParameter(f"{', '.join(given)} belongs to {whose}: see --protocol.")


@contextmanager
def _bar() -> "Iterator[ProgressCallback]":
    from rich.progress import Progress

    from patchfield.cli.terminal import ERRORS

    with Progress(console=ERRORS, transient=True, disable=not ERRORS.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def show(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)

        yield show


def _print(table: str, output: Path | None) -> None:
    from patchfield.cli.terminal import say

    say(table.rstrip())
    if output is not None:
        say(f"Written to {output}")
