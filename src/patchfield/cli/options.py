"""Arguments and options that several commands have, and how their texts become values."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from patchfield.errors import BackboneError, PatchfieldError

if TYPE_CHECKING:
    from patchfield.batch.finishing import Finishing
    from patchfield.field import FeatureRecipe, Interpolation
    from patchfield.images import ImageSettings


def given_path(text: str) -> Path:
    """A path; the empty text, which would mean the current folder, is most likely a variable that is not set."""
    if not text:
        raise typer.BadParameter("an empty path was given: is a variable of your shell not set?")
    return Path(text)


ImageArguments = Annotated[
    list[str], typer.Argument(metavar="IMAGE", help="Image files, folders of them, or patterns like 'scans/*.tif'.")
]
OutputFolder = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="FOLDER", parser=given_path, help="Folder for the results; made if needed."),
]
OutputFile = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", parser=given_path, help="Also write the table to this CSV file."),
]
ProbeFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", parser=given_path, help="A probe saved before, instead of labels, or to be corrected by them."
    ),
]
NewProbeFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", parser=given_path, help="Also save the trained probe to this file."),
]
Backbones = Annotated[
    list[str] | None,
    typer.Option(
        "--backbone",
        "-b",
        help="Name (see `patchfield models`) or file, micro by default; repeat it to join features. With --probe: "
        "where the file with its weights is now.",
    ),
]
SamplingName = Annotated[
    str | None, typer.Option(help="Detail: fast, balanced (the default), fine, or hr-dv2 (17 views).")
]
InterpolationName = Annotated[
    Literal["nearest", "bilinear", "bicubic", "guided"] | None,
    typer.Option(
        help="Between tokens: bilinear (the default), or guided, which draws the borders of coarse tokens where the "
        "image has them (for transformers); nearest, bicubic."
    ),
]
ContrastText = Annotated[
    str | None,
    typer.Option(help="auto (the default), none, percentile, minmax, or LOW,HIGH in the image's values."),
]
ChannelsText = Annotated[str | None, typer.Option(help="One channel (as grey) or three (as RGB), from 0: 2 or 0,1,1.")]
AxesText = Annotated[
    str | None,
    typer.Option(
        help="What the axes of the files are, where they do not say it: a letter each, such as CYX, YXC, TYX or ZCYX."
    ),
]
PlaneText = Annotated[
    str | None,
    typer.Option(
        "--plane",
        help="Only this plane of stacks, from 0; one number, or one for each axis (2,0). All planes if left out.",
    ),
]
SmoothRadius = Annotated[
    float | None,
    typer.Option("--smooth", min=0, metavar="RADIUS", help="Give every pixel the most frequent class so near; 0: off."),
]
SmallestPiece = Annotated[
    int | None,
    typer.Option(
        "--min-size", min=0, metavar="PIXELS", help="Smaller pieces of a class go to the class around them; 0: off."
    ),
]
FilledClasses = Annotated[
    list[str] | None,
    typer.Option(
        "--fill-holes", metavar="NAME|VALUE", help="This class takes over what it encloses; repeat it for several."
    ),
]
FileFormat = Annotated[Literal["tiff", "png"], typer.Option("--format", help="Format of the results.")]
ResultFormat = Annotated[Literal["tiff", "png", "ome-zarr"], typer.Option("--format", help="Format of the results.")]
Resample = Annotated[
    bool,
    typer.Option(
        "--resample",
        help="Resample images whose pixels are of another size than the probe knows (by more than 1.5 times); results "
        "have the pixels of the image.",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Make results again that are there, and replace those of another probe.")
]


@contextmanager
def value_of(option: str) -> Iterator[None]:
    """Say of an error that is raised while an option's value is read that it is that option's: exit code 2."""
    try:
        yield
    except PatchfieldError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def plane_index(text: str | None) -> tuple[int, ...] | None:
    """Numbers from 0, separated by commas."""
    if text is None:
        return None
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise typer.BadParameter(
            f"{text!r} is no plane: give a number from 0, or one for each axis (2,0)", param_hint="--plane"
        )
    return tuple(int(part) for part in parts)


def image_settings(contrast: str | None, channels: str | None, axes: str | None) -> "ImageSettings":
    """The settings that the texts of three options stand for."""
    from patchfield.images import ImageSettings

    limits: object = contrast.split(",") if contrast is not None and "," in contrast else contrast or "auto"
    with value_of("--contrast"):
        ImageSettings(contrast=limits)  # type: ignore[arg-type]
    chosen = None if channels is None else channels.split(",")
    with value_of("--channels"):
        ImageSettings(channels=chosen)  # type: ignore[arg-type]
    with value_of("--axes"):
        return ImageSettings(contrast=limits, channels=chosen, axes=axes)  # type: ignore[arg-type]


def finishing(smooth: float | None, min_size: int | None, fill_holes: list[str] | None) -> "Finishing":
    """What is to be done to segmentations; classes are looked up once it is known which there are."""
    from patchfield.batch.finishing import Finishing
    from patchfield.objects import Cleaning

    with value_of("--smooth"):
        Cleaning(smooth or 0)
    return Finishing(smooth, None if fill_holes is None else tuple(fill_holes), min_size)


def feature_recipes(
    backbones: list[str] | None,
    sampling: str | None,
    settings: "ImageSettings",
    interpolation: "Interpolation | None" = None,
) -> "tuple[FeatureRecipe, ...]":
    """How features are made, for every backbone that is given."""
    from patchfield.field import FeatureRecipe, Sampling

    with value_of("--sampling"):
        Sampling.parse(sampling or "balanced")
    for name in backbones or ():
        check_backbone(name)
    return tuple(
        FeatureRecipe(name, sampling or "balanced", interpolation or "bilinear", settings)
        for name in backbones or ["micro"]
    )


def checked_device(device: str) -> str:
    """The device, if this machine has it."""
    from patchfield.backbones.devices import choose_device

    with value_of("--device"):
        choose_device(device)
    return device


def check_backbone(name: str, option: str = "--backbone") -> None:
    """Refuse a name that can stand for nothing: no model is called so, and no file is there."""
    from patchfield.backbones.catalogue import is_known, unknown_name

    with value_of(option):
        if not name:
            raise BackboneError("An empty name was given: is a variable of your shell not set?")
        if not is_known(name) and ":" not in name and not Path(name).exists() and Path(name).name == name:
            raise unknown_name(name)


def suffix_of(file_format: str) -> str:
    """The suffix of files of a format."""
    return {"tiff": "tif", "ome-zarr": "ome.zarr"}.get(file_format, file_format)
