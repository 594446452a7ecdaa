"""Commands on a project's folder, the one that the window writes: `patchfield project ...`."""

from pathlib import Path
from typing import Annotated

import typer

from patchfield.cli.options import (
    AxesText,
    Backbones,
    ChannelsText,
    ContrastText,
    Device,
    FileFormat,
    ImageArguments,
    InterpolationName,
    NewProbeFile,
    OutputFolder,
    Overwrite,
    PlaneText,
    SamplingName,
    checked_device,
    feature_recipes,
    given_path,
    image_settings,
    plane_index,
    suffix_of,
)
from patchfield.errors import PatchfieldError

app = typer.Typer(
    help="Images, strokes, classes and a probe as one folder, NAME.patchfield, which the window reads and writes, too.",
    no_args_is_help=True,
)

ProjectFolder = Annotated[
    Path, typer.Argument(metavar="PROJECT", parser=given_path, help="The project's folder, NAME.patchfield.")
]
LabelArgument = Annotated[str, typer.Argument(metavar="LABELS", help="Label image, or a folder or pattern, by name.")]


@app.command()
def new(
    project: ProjectFolder,
    images: ImageArguments,
    labels: Annotated[str | None, typer.Option(help="Label image, or a folder or pattern of them, by name.")] = None,
    backbone: Backbones = None,
    sampling: SamplingName = None,
    interpolation: InterpolationName = None,
    contrast: ContrastText = None,
    channels: ChannelsText = None,
    axes: AxesText = None,
    plane: PlaneText = None,
) -> None:
    """Make a project of images, and of labels that were painted elsewhere."""
    index = plane_index(plane)

    from patchfield.batch.projects import import_labels
    from patchfield.batch.selection import find_images, find_labels
    from patchfield.cli.terminal import say
    from patchfield.store import Project

    recipes = feature_recipes(backbone, sampling, image_settings(contrast, channels, axes), interpolation)
    label_files = [] if labels is None else find_labels(labels)
    files = find_images(images, label_files).files
    with Project.create(project, recipes) as made:
        try:
            for file in files:
                made.add(file)
            if label_files:
                import_labels(made, label_files, index)
            made.save()
        except (PatchfieldError, OSError, KeyboardInterrupt):
            made.discard()
            raise
        say(f"{made.path}: {len(files)} images, {len(made.labels)} painted planes")


@app.command()
def add(
    project: ProjectFolder,
    images: ImageArguments,
    contrast: ContrastText = None,
    channels: ChannelsText = None,
    axes: AxesText = None,
) -> None:
    """Add images; those that are in the project already stay as they are."""
    from patchfield.batch.selection import find_images
    from patchfield.cli.terminal import say
    from patchfield.store import Project

    chosen = None if contrast is channels is axes is None else image_settings(contrast, channels, axes)
    with Project.open(project) as opened:
        before = len(opened.images)
        for file in find_images(images).files:
            opened.add(file, chosen)
        opened.save()
        say(f"{len(opened.images) - before} images added, {len(opened.images)} in all")


@app.command()
def labels(project: ProjectFolder, labels: LabelArgument, plane: PlaneText = None) -> None:
    """Set what is painted from label files (0 = unlabelled, classes from 1); the window can undo it."""
    index = plane_index(plane)

    from patchfield.batch.projects import import_labels
    from patchfield.batch.selection import find_labels
    from patchfield.cli.terminal import say
    from patchfield.store import Project

    with Project.open(project) as opened:
        imported = import_labels(opened, find_labels(labels), index)
        opened.save()
    for each in imported:
        say(f"{each.image.name}: {each.planes} painted planes from {each.file}")


@app.command()
def info(project: ProjectFolder) -> None:
    """Show images, classes, features and probe, and which images are missing or changed."""
    from patchfield.cli.project_tables import class_rows, image_rows, project_facts
    from patchfield.cli.terminal import say, show_table
    from patchfield.store import Project

    with Project.open(project, read_only=True) as opened:
        for what, fact in project_facts(opened).items():
            say(f"{what:12}{fact}")
        if opened.images:
            show_table("Images", ("name", "planes", "painted", "strokes", "file"), image_rows(opened))
        if rows := class_rows(opened):
            show_table("Classes", ("value", "name", "colour", "pixels"), rows)


@app.command()
def fit(project: ProjectFolder, save_probe: NewProbeFile = None, device: Device = "auto") -> None:
    """Train the project's probe on all that is painted."""
    from patchfield.batch.segmentation import check_probe_file
    from patchfield.cli.terminal import Bars, say, stoppable
    from patchfield.store import Project

    checked_device(device)
    with Project.open(project) as opened, stoppable(None), Bars() as bars:
        if save_probe is not None:
            check_probe_file(save_probe, [image.path for image in opened.images])
        probe = opened.fit(device, lambda image, step: bars(image.path, step), bars.download)
        opened.save()
        if save_probe is not None:
            probe.save(save_probe)
    say(f"{len(probe.classes)} classes learned from {len(opened.labels)} painted planes")


@app.command()
def segment(
    project: ProjectFolder,
    output: OutputFolder,
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGE", help="Files, folders or patterns; all images of the project if left out."),
    ] = None,
    axes: AxesText = None,
    plane: PlaneText = None,
    file_format: FileFormat = "tiff",
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Also write the probability maps.")] = False,
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> None:
    """Segment the project's images, or others, with its probe; results are those of `patchfield segment`."""
    index = plane_index(plane)

    from patchfield.batch.job import Job
    from patchfield.batch.projects import segment_project
    from patchfield.batch.selection import ImageFiles, find_images
    from patchfield.cli.segmenting import finish
    from patchfield.cli.terminal import Bars, stoppable
    from patchfield.pipeline import Extractor
    from patchfield.store import Project

    checked_device(device)
    with Project.open(project, read_only=True) as opened, stoppable(output), Bars() as bars:
        found = find_images(images) if images else ImageFiles(tuple(image.path for image in opened.images))
        options = Job((), output, suffix_of(file_format), axes, index, probabilities, overwrite)
        recipes = opened.recipes if opened.probe is None else opened.probe.recipes
        extractor = Extractor.load(recipes, device, bars.download)
        results = segment_project(opened, found.files, options, extractor, bars)
    finish(results, found, output, "segmented")


@app.command()
def relocate(
    project: ProjectFolder,
    where: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", parser=given_path, help="Where the images are now, at any depth; or a file."),
    ],
    accept: Annotated[
        bool, typer.Option("--accept", help="Take files of the same name and shape whose content is another.")
    ] = False,
) -> None:
    """Find images that were moved or renamed, by their content."""
    from patchfield.cli.terminal import complain, say
    from patchfield.store import Project

    with Project.open(project) as opened:
        for image in opened.relocate(where, accept):
            say(f"{image.name}: {image.path}")
        opened.save()
        missing, changed = opened.missing, opened.changed
    for image in missing:
        complain(f"{image.path} is missing and not in {where}: give another folder.")
    for image in changed:
        complain(f"{image.path} has changed since it was added: give the folder of the original, or --accept it.")
    if missing or changed:
        raise typer.Exit(1)


@app.command()
def export(project: ProjectFolder, output: OutputFolder) -> None:
    """Write what is painted as NAME_strokes.tif, for other programs and for `patchfield segment --labels`."""
    from patchfield.batch.projects import export_labels
    from patchfield.cli.terminal import say
    from patchfield.store import Project

    with Project.open(project, read_only=True) as opened:
        files = export_labels(opened, output)
    say(f"{len(files)} files of labels written to {output}")
