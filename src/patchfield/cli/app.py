"""The `patchfield` command: reads arguments, calls the library, shows what came of it.

Exit codes: 0 all went well, 1 something failed (the sentence is on stderr), 2 the arguments make no sense, 130 stopped
by Ctrl+C. What takes long to import is imported by the command that needs it.
"""

import logging
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from patchfield.cli.compare import compare
from patchfield.errors import PatchfieldError

if TYPE_CHECKING:
    from patchfield.batch.batch import Results
    from patchfield.pipeline import Download, Extractor

app = typer.Typer(
    help="A few brush strokes on a micrograph become a full segmentation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ImageArguments = Annotated[
    list[str], typer.Argument(metavar="IMAGE...", help="Image files, folders of them, or patterns like 'scans/*.tif'.")
]
OutputFolder = Annotated[Path, typer.Option("--output", "-o", help="Folder for the results; made if needed.")]
Backbones = Annotated[
    list[str] | None,
    typer.Option(
        "--backbone", "-b", help="Name (see `patchfield models`) or file, micro by default; repeat it to join features."
    ),
]
SamplingName = Annotated[
    str | None, typer.Option(help="Detail: fast, balanced (the default), fine, or hr-dv2 (17 views).")
]
ContrastText = Annotated[
    str | None,
    typer.Option(help="auto (the default), none, percentile, minmax, or LOW,HIGH in the image's values."),
]
ChannelsText = Annotated[str | None, typer.Option(help="One channel (as grey) or three (as RGB), from 0: 2 or 0,1,1.")]
PlaneNumber = Annotated[int | None, typer.Option(help="Only this plane of stacks, from 0; all planes if left out.")]
FileFormat = Annotated[Literal["tiff", "png"], typer.Option("--format", help="Format of the results.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]


@app.command()
def demo(
    output: OutputFolder = Path("demo-output"),
    sample: Annotated[str, typer.Option(help="Which sample; a wrong name lists them.")] = "alloy",
    backbone: Annotated[
        str | None, typer.Option("--backbone", "-b", help="Name or file; by default what the app begins with.")
    ] = None,
    sampling: SamplingName = None,
) -> None:
    """Segment a shipped sample from its strokes and write pictures of every step."""
    from patchfield.backbones import default_backbone
    from patchfield.cli.demonstration import demonstrate
    from patchfield.cli.terminal import Bars, say, stoppable

    with stoppable(output), Bars() as bars:
        backbone = backbone or default_backbone()
        done = demonstrate(sample, output, backbone, sampling or "balanced", partial(bars, Path(sample)), bars.download)
    say(done.summary)
    say(f"Written to {output}: {', '.join(file.name for file in done.files)}")


@app.command()
def segment(
    images: ImageArguments,
    output: OutputFolder,
    labels: Annotated[str | None, typer.Option(help="Label image, or a folder or pattern of them, by name.")] = None,
    probe: Annotated[Path | None, typer.Option(help="A probe saved before, instead of labels.")] = None,
    backbone: Backbones = None,
    sampling: SamplingName = None,
    contrast: ContrastText = None,
    channels: ChannelsText = None,
    plane: PlaneNumber = None,
    save_probe: Annotated[Path | None, typer.Option(help="Also save the trained probe to this file.")] = None,
    file_format: FileFormat = "tiff",
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Also write the probability maps.")] = False,
    device: Device = "auto",
) -> None:
    """Segment images from painted labels (0 = unlabelled, classes from 1), or with a saved probe.

    Writes NAME_segmentation for every image and areas.csv with what each class covers.
    """
    from patchfield.batch.batch import Job, segment_with_labels, segment_with_probe
    from patchfield.batch.selection import find_images, find_labels
    from patchfield.cli.terminal import Bars, stoppable
    from patchfield.pipeline import Extractor
    from patchfield.probe import LinearProbe

    _check_source(
        labels, probe, {"backbone": backbone, "sampling": sampling, "contrast": contrast, "channels": channels}
    )
    job = Job(find_images(images), output, _suffix(file_format), plane, probabilities)
    with stoppable(output), Bars() as bars:
        if probe is not None:
            trained = LinearProbe.load(probe)
            results = segment_with_probe(job, trained, Extractor.load(trained.recipes, device, bars.download), bars)
        else:
            label_files = find_labels(str(labels))
            extractor = _extractor(backbone, sampling, contrast, channels, device, bars.download)
            results = segment_with_labels(job, label_files, extractor, bars, save_probe)
    _finish(results, output, "segmented")


@app.command()
def pca(
    images: ImageArguments,
    output: OutputFolder,
    backbone: Backbones = None,
    sampling: SamplingName = None,
    contrast: ContrastText = None,
    channels: ChannelsText = None,
    plane: PlaneNumber = None,
    file_format: FileFormat = "png",
    device: Device = "auto",
) -> None:
    """Show what the features tell apart: their first three principal components as red, green and blue."""
    from patchfield.batch.batch import Job, show_components
    from patchfield.batch.selection import find_images
    from patchfield.cli.terminal import Bars, stoppable

    job = Job(find_images(images), output, _suffix(file_format), plane)
    with stoppable(output), Bars() as bars:
        extractor = _extractor(backbone, sampling, contrast, channels, device, bars.download)
        results = show_components(job, extractor, bars)
    _finish(results, output, "shown")


@app.command()
def evaluate(
    segmentations: Annotated[
        list[str], typer.Argument(metavar="SEGMENTATION...", help="Segmentation files, folders or patterns.")
    ],
    masks: Annotated[str, typer.Option(help="Mask, or a folder or pattern of them, by name; 0 does not count.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write the table to this CSV file.")
    ] = None,
) -> None:
    """Compare segmentations with masks: mean IoU, accuracy and the IoU of every class."""
    from patchfield.batch.scores import score_files, score_table, write_scores
    from patchfield.cli.terminal import show_table

    scores = score_files(segmentations, masks)
    show_table("Agreement with the masks", *score_table(scores))
    if output is not None:
        write_scores(output, scores)


app.command()(compare)


@app.command()
def models(
    links: Annotated[bool, typer.Option("--links", help="Where to fetch the files by hand, for offline use.")] = False,
) -> None:
    """List the backbones: what they are for, download size, licence, and whether they are here already."""
    from patchfield.cli.about import weight_links, weight_rows
    from patchfield.cli.terminal import say, show_table

    if links:
        for name, address in weight_links():
            say(f"{name:26}{address}")
        return
    show_table("Backbones", ("name", "what for", "download", "licence", "here"), weight_rows())


@app.command()
def info() -> None:
    """Show versions, devices and where downloads are kept; paste it into bug reports."""
    from patchfield.cli.about import installation
    from patchfield.cli.terminal import say

    for what, fact in installation().items():
        say(f"{what:20}{fact}")


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command and leave with its exit code."""
    # tifffile logs every irregularity of files that it reads all the same.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        app(arguments, prog_name="patchfield")
    except (PatchfieldError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
    sys.exit(0)


def _check_source(labels: str | None, probe: Path | None, features: dict[str, object]) -> None:
    """Either labels, and then features may be chosen, or a probe, which brings its own."""
    if (labels is None) == (probe is None):
        raise typer.BadParameter("give either --labels, to train, or --probe, to use what was trained before")
    chosen = [f"--{name}" for name, value in features.items() if value is not None]
    if probe is not None and chosen:
        raise typer.BadParameter(f"a probe brings its own features: leave out {', '.join(chosen)}")


def _extractor(
    backbones: list[str] | None,
    sampling: str | None,
    contrast: str | None,
    channels: str | None,
    device: str,
    download: "Download",
) -> "Extractor":
    from patchfield.field import FeatureRecipe
    from patchfield.images import ImageSettings
    from patchfield.pipeline import Extractor

    limits = contrast.split(",") if contrast is not None and "," in contrast else contrast or "auto"
    settings = ImageSettings(limits, channels.split(",") if channels is not None else None)  # type: ignore[arg-type]
    recipes = [FeatureRecipe(name, sampling or "balanced", image=settings) for name in backbones or ["micro"]]
    return Extractor.load(recipes, device, download)


def _suffix(file_format: str) -> str:
    return "tif" if file_format == "tiff" else file_format


def _finish(results: "Results", output: Path, done: str) -> None:
    """Say what was done and what failed, and leave with 1 if anything did."""
    from patchfield.cli.terminal import say, show_failures

    total = len(results.finished) + len(results.failures)
    say(f"{len(results.finished)} of {total} images {done}, written to {output}")
    show_failures(results.failures)
    if results.failures:
        raise typer.Exit(1)
