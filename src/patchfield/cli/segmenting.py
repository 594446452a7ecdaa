"""The command `segment`, and how all commands that make results end."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patchfield.cli.options import (
    AxesText,
    Backbones,
    ChannelsText,
    ContrastText,
    Device,
    FilledClasses,
    ImageArguments,
    InterpolationName,
    NewProbeFile,
    OutputFolder,
    Overwrite,
    PlaneText,
    ProbeFile,
    Resample,
    ResultFormat,
    SamplingName,
    SmallestPiece,
    SmoothRadius,
    checked_device,
    feature_recipes,
    finishing,
    image_settings,
    plane_index,
    suffix_of,
)

if TYPE_CHECKING:
    from patchfield.batch.job import Results
    from patchfield.batch.selection import ImageFiles


def segment(
    images: ImageArguments,
    output: OutputFolder,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Label image, or a folder or pattern of them, by name; of a folder that holds strokes and masks, the "
            "strokes."
        ),
    ] = None,
    probe: ProbeFile = None,
    backbone: Backbones = None,
    sampling: SamplingName = None,
    interpolation: InterpolationName = None,
    contrast: ContrastText = None,
    channels: ChannelsText = None,
    axes: AxesText = None,
    plane: PlaneText = None,
    save_probe: NewProbeFile = None,
    file_format: ResultFormat = "tiff",
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Also write the probability maps.")] = False,
    resample: Resample = False,
    smooth: SmoothRadius = None,
    min_size: SmallestPiece = None,
    fill_holes: FilledClasses = None,
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> None:
    """Segment images from painted labels (0 = unlabelled, classes from 1), with a saved probe, or with one that labels
    correct.

    Writes NAME_segmentation for every image and areas.csv with what each class covers. Results that are there already
    are left as they are. A probe says itself how segmentations are finished (smoothed, without small pieces or holes);
    --smooth, --min-size and --fill-holes replace what it says, and are saved with it.
    """
    features = {"sampling": sampling, "interpolation": interpolation, "contrast": contrast, "channels": channels}
    _check_source(labels, probe, save_probe, features)
    index = plane_index(plane)

    from patchfield.batch.job import Job
    from patchfield.batch.segmentation import check_probe_file, segment_with_labels, segment_with_probe
    from patchfield.batch.selection import find_images, find_labels
    from patchfield.cli.terminal import Bars, stoppable
    from patchfield.pipeline import Extractor
    from patchfield.probe import LinearProbe

    settings = image_settings(contrast, channels, axes)
    checked_device(device)
    finished = finishing(smooth, min_size, fill_holes)
    options = Job((), output, suffix_of(file_format), axes, index, probabilities, overwrite, resample, finished)
    with stoppable(output), Bars() as bars:
        trained = None if probe is None else LinearProbe.load(probe)
        recipes = feature_recipes(backbone, sampling, settings, interpolation) if trained is None else trained.recipes
        label_files = [] if labels is None else find_labels(labels)
        found = find_images(images, label_files)
        inputs = (*found.files, *label_files, *(() if probe is None else (probe,)))
        if save_probe is not None:
            check_probe_file(save_probe, inputs)
        extractor = Extractor.load(recipes, device, bars.download, (backbone or ()) if trained is not None else ())
        job = replace(options, images=found.files, axes=axes or extractor.axes)
        if trained is not None and probe is not None and not label_files:
            results = segment_with_probe(job, trained, extractor, bars, probe)
        else:
            results = segment_with_labels(job, label_files, extractor, bars, save_probe, trained)
    finish(results, found, output, "segmented")


def _check_source(
    labels: str | None, probe: Path | None, save_probe: Path | None, features: dict[str, str | None]
) -> None:
    """Labels, and then features may be chosen, or a probe, which brings its own, or a probe that labels correct."""
    if labels is None and probe is None:
        raise typer.BadParameter(
            "give --labels, to train, --probe, to use what was trained before, or both, to correct it"
        )
    if labels == "":
        raise typer.BadParameter("an empty path was given: is a variable of your shell not set?", param_hint="--labels")
    chosen = [f"--{name}" for name, value in features.items() if value is not None]
    if probe is not None and chosen:
        raise typer.BadParameter(f"a probe brings its own features: leave out {', '.join(chosen)}")
    if labels is None and save_probe is not None:
        raise typer.BadParameter(
            "--save-probe saves what was trained from --labels: a probe that is given is saved already"
        )


def finish(results: "Results", found: "ImageFiles", output: Path, done: str) -> None:
    """Say what was done and what failed, and leave with 1 if anything did."""
    from patchfield.cli.terminal import say, show_failures, show_warnings

    failures = results.failures.sentences
    total = len(results.finished) + len(results.earlier) + len(failures)
    say(f"{len(results.finished)} of {total} images {done}, written to {output}")
    if results.earlier:
        say(f"{_listed(results.earlier)} had been {done} in the same way: --overwrite does it again")
    if results.parts:
        say(f"Further files of images that lie in several, done with the first: {_listed(results.parts)}")
    if found.left_aside:
        say(f"Left aside as labels, masks or results by their names: {_listed(found.left_aside)}")
    renamed = [
        f"{file} as {name}"
        for file, name in results.names.items()
        if file in results.finished and name not in (file.stem, file.stem.removesuffix("_segmentation"))
    ]
    if renamed:
        say(f"Named apart from others of the same name: {_listed(renamed)}")
    show_warnings(list(results.warnings.values()))
    show_failures(failures)
    if failures:
        raise typer.Exit(1)


def _listed(things: Sequence[object], limit: int = 5) -> str:
    """The first few of many things."""
    shown = ", ".join(str(thing) for thing in things[:limit])
    return shown if len(things) <= limit else f"{shown} and {len(things) - limit} more"
