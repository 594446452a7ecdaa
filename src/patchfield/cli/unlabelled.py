"""Commands that need no labels: `clusters`, `pca` and `attention`."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from patchfield.cli.options import (
    AxesText,
    Backbones,
    ChannelsText,
    ContrastText,
    Device,
    FileFormat,
    ImageArguments,
    OutputFolder,
    Overwrite,
    PlaneText,
    SamplingName,
    checked_device,
    feature_recipes,
    image_settings,
    plane_index,
    suffix_of,
)
from patchfield.cli.segmenting import finish

if TYPE_CHECKING:
    from patchfield.batch.job import Job, Results
    from patchfield.cli.terminal import Bars
    from patchfield.field import FeatureRecipe
    from patchfield.pipeline import Extractor

    Work = Callable[[Job, Extractor, Bars], Results]


def pca(
    images: ImageArguments,
    output: OutputFolder,
    backbone: Backbones = None,
    sampling: SamplingName = None,
    contrast: ContrastText = None,
    channels: ChannelsText = None,
    axes: AxesText = None,
    plane: PlaneText = None,
    separately: Annotated[
        bool, typer.Option("--separately", help="Colours of its own for every plane, which cannot be compared.")
    ] = False,
    file_format: FileFormat = "png",
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> None:
    """Show what the features tell apart: their first three principal components as red, green and blue.

    One colour means the same on all planes of all images that are given.
    """
    index = plane_index(plane)

    from patchfield.batch.components import show_components
    from patchfield.batch.job import Job

    settings = image_settings(contrast, channels, axes)
    recipes = feature_recipes(backbone, sampling, settings)
    job = Job((), output, suffix_of(file_format), settings.axes, index, overwrite=overwrite)
    _run(partial(show_components, separately=separately), images, job, recipes, device, "shown")


def clusters(
    images: ImageArguments,
    output: OutputFolder,
    groups: Annotated[int | None, typer.Option(min=2, help="How many; by a rule if left out.")] = None,
    rule: Annotated[
        Literal["jump", "attention"],
        typer.Option(
            help="How many groups: before the largest jump in the merge tree, or by HR-Dv2's attention cut-off (vision "
            "transformers only)."
        ),
    ] = "jump",
    small: Annotated[int, typer.Option("--clusters", min=2, help="How many clusters are merged into groups.")] = 80,
    side: Annotated[
        float, typer.Option("--scale", min=0, help="Pixels over which features are pooled; 0 for single pixels.")
    ] = 16,
    backbone: Backbones = None,
    sampling: SamplingName = None,
    contrast: ContrastText = None,
    channels: ChannelsText = None,
    axes: AxesText = None,
    plane: PlaneText = None,
    file_format: FileFormat = "tiff",
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> None:
    """Segment images without labels: pixels that look alike, on all images that are given, become a group.

    Writes NAME_groups for every image and groups.csv with what each group covers.
    """
    index = plane_index(plane)

    from patchfield.batch.clusters import Grouping, group_images
    from patchfield.batch.job import Job

    settings = image_settings(contrast, channels, axes)
    recipes = feature_recipes(backbone, sampling, settings)
    job = Job((), output, suffix_of(file_format), settings.axes, index, overwrite=overwrite)
    grouping = Grouping(groups, rule, small, side)

    def group(job: Job, extractor: "Extractor", bars: "Bars") -> "Results":
        return group_images(job, grouping, extractor, bars)

    _run(group, images, job, recipes, device, "grouped")


def attention(
    images: ImageArguments,
    output: OutputFolder,
    backbone: Annotated[
        str, typer.Option("--backbone", "-b", help="A vision transformer: its name (see `patchfield models`) or file.")
    ] = "dinov2-small",
    facet: Annotated[
        Literal["attention", "query", "key", "value"],
        typer.Option(help="The class token's attention, or each patch's query, key or value (a head's mean)."),
    ] = "attention",
    block: Annotated[int, typer.Option(help="Which block, from 0, or from the last, -1.")] = -1,
    head: Annotated[int, typer.Option(min=0, help="Which head, from 1; 0 for the mean of all.")] = 0,
    stride: Annotated[
        int | None, typer.Option(min=1, help="Pixels between patches; as far as they are wide if left out.")
    ] = None,
    sampling: SamplingName = None,
    contrast: ContrastText = None,
    channels: ChannelsText = None,
    axes: AxesText = None,
    plane: PlaneText = None,
    file_format: FileFormat = "tiff",
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> None:
    """Show where a vision transformer looks: multiples of what a patch would get if all got the same."""
    index = plane_index(plane)

    from patchfield.batch.attention import show_attention
    from patchfield.batch.job import Job

    settings = image_settings(contrast, channels, axes)
    (recipe,) = feature_recipes([backbone], sampling, settings)
    recipe = recipe if stride is None else replace(recipe, options={"stride": stride})
    job = Job((), output, suffix_of(file_format), settings.axes, index, overwrite=overwrite)
    _run(partial(show_attention, facet=facet, block=block, head=head), images, job, (recipe,), device, "shown")


def _run(
    work: "Work", images: list[str], job: "Job", recipes: "tuple[FeatureRecipe, ...]", device: str, done: str
) -> None:
    """Find the images, do the work, and say how it went."""
    from patchfield.batch.selection import find_images
    from patchfield.cli.terminal import Bars, stoppable
    from patchfield.pipeline import Extractor

    checked_device(device)
    found = find_images(images)
    with stoppable(job.output), Bars() as bars:
        extractor = Extractor.load(recipes, device, bars.download)
        results = work(replace(job, images=found.files), extractor, bars)
    finish(results, found, job.output, done)
