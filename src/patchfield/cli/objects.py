"""The command that counts and measures: `objects`."""

from typing import Annotated

import typer

from patchfield.cli.options import AxesText, OutputFolder, Overwrite, value_of


def objects(
    segmentations: Annotated[
        list[str], typer.Argument(metavar="SEGMENTATION", help="Segmentation files, folders or patterns.")
    ],
    output: OutputFolder,
    of_class: Annotated[
        str, typer.Option("--class", metavar="NAME|VALUE", help="The class: its name, or its number from 1.")
    ],
    split: Annotated[bool, typer.Option("--split", help="Part objects that touch, at their necks.")] = False,
    neck: Annotated[
        float | None,
        typer.Option(help="With --split: how narrow a neck must be, as part of the narrower object; 0.7."),
    ] = None,
    min_size: Annotated[
        int,
        typer.Option(min=0, help="Pieces of fewer pixels, of any class, go to the class around them; 0 keeps them."),
    ] = 0,
    fill_holes: Annotated[
        bool,
        typer.Option("--fill-holes", help="The class takes over what it encloses; unlabelled pixels (0) stay so."),
    ] = False,
    smooth: Annotated[
        float,
        typer.Option(min=0, metavar="RADIUS", help="Give every pixel the most frequent class within so many pixels."),
    ] = 0,
    exclude_border: Annotated[
        bool, typer.Option("--exclude-border", help="Leave out objects that touch the edge of the image.")
    ] = False,
    volume: Annotated[
        bool, typer.Option("--volume", help="Slices along Z are one body; left out, every plane is an image.")
    ] = False,
    intensity: Annotated[
        str | None,
        typer.Option(metavar="IMAGE", help="Image, or a folder or pattern of them, by name, for mean intensities."),
    ] = None,
    axes: AxesText = None,
    plot: Annotated[
        bool, typer.Option("--plot", help="Also draw the distribution of sizes, NAME_sizes.png (needs matplotlib).")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Count and measure the objects of one class of segmentations.

    Writes NAME_objects.tif for every segmentation, where each object has its own number, and objects.csv with a row
    for each object: sizes, shape, place, nearest neighbour; in pixels and, where the file says how large a pixel is,
    in physical units.
    """
    if neck is not None and not split:
        raise typer.BadParameter("--neck says how --split parts objects: give both.")
    if axes is not None and intensity is None:
        raise typer.BadParameter("--axes says what the axes of the --intensity images are: give both.")
    if not of_class:
        raise typer.BadParameter("an empty name was given: is a variable of your shell not set?", param_hint="--class")

    from patchfield.batch.objects import ObjectJob, measure_files
    from patchfield.batch.selection import ImageFiles, find_images, find_segmentations
    from patchfield.cli.segmenting import finish
    from patchfield.cli.terminal import Bars, show_table, stoppable
    from patchfield.images import ImageSettings
    from patchfield.objects import DEFAULT_NECK, Cleaning, check_neck

    with value_of("--smooth"):
        cleaning = Cleaning(smooth, min_size=min_size)
    with value_of("--neck"):
        check_neck(DEFAULT_NECK if neck is None else neck)
    with value_of("--axes"):
        ImageSettings(axes=axes)
    files = tuple(find_segmentations(segmentations))
    job = ObjectJob(
        files,
        output,
        of_class,
        cleaning,
        fill_holes,
        split,
        DEFAULT_NECK if neck is None else neck,
        exclude_border,
        volume,
        () if intensity is None else find_images([intensity], files).files,
        axes,
        plot,
        overwrite,
    )
    with stoppable(output), Bars() as bars:
        found = measure_files(job, bars)
    if found.summaries:
        columns = ("image", "objects", "of all pixels", "median equivalent diameter")
        show_table(f"Objects of class {of_class}", columns, list(found.summaries.values()))
    finish(found, ImageFiles(files), output, "measured")
