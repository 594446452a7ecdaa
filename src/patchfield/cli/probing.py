"""`patchfield probe`: what a probe knows, from what, and what it goes by."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patchfield.cli.options import given_path

if TYPE_CHECKING:
    from patchfield.field import FeatureRecipe
    from patchfield.probe import Agreement, ChannelGroup, LinearProbe, StrokeResult

SHOWN = 8
"""Groups of features, confusions and strokes of which there may be many."""


def probe(
    file: Annotated[Path, typer.Argument(metavar="FILE", parser=given_path, help="A probe that was saved.")],
) -> None:
    """Show what a probe knows: classes, strokes, features, pixel size, and how well it predicts strokes held out."""
    from patchfield.cli.terminal import say, show_table
    from patchfield.probe import LinearProbe, group_importance, stroke_agreement

    loaded = LinearProbe.load(file)
    agreement = stroke_agreement([], loaded)
    for what, fact in facts(loaded, file, agreement).items():
        say(f"{what:12}{fact}")
    columns = ("value", "name", "colour", "strokes", "painted", "kept", "agreement")
    show_table("Classes", columns, class_rows(loaded, agreement))
    if agreement is None:
        return
    say("agreement: share of a class's pixels that are predicted right when their whole stroke is held out")
    show_confusion(loaded, agreement)
    groups = embedded_groups(loaded.recipes)
    if groups:
        found = group_importance([], groups, loaded) or ()
        rows = [[entry.group, f"{100 * entry.loss:+.1f}"] for entry in found[:SHOWN]]
        show_table("What it goes by", ("features", "agreement lost without them, %"), rows)
        say("fitted again without a group of features; about 0: others know it as well")


def facts(loaded: "LinearProbe", file: Path, agreement: "Agreement | None") -> dict[str, str]:
    """What is true of the whole probe, by what it is."""
    from patchfield.probe.training_image import length_range

    training, kept = loaded.training, len(loaded.kept)
    size = training.pixel_size
    strokes, pixels = sum(training.strokes.values()), sum(training.pixels.values())
    lacking = "3 strokes of each class would tell" if kept else "it keeps no samples, and new strokes start anew"
    return {
        "probe": f"{file} ({file.stat().st_size / 1e6:.2f} MB)",
        "features": " | ".join(f"{recipe.backbone}, {recipe.sampling}" for recipe in loaded.recipes) or "unknown",
        "trained on": f"{counted(training.images, 'image')}, {strokes} strokes, {pixels} pixels",
        "keeps": f"{kept} samples of {counted(len(loaded.kept.sources), 'image')}, which new strokes go on from",
        "pixel size": "unknown" if size is None else length_range(size),
        "finishing": finishing_text(loaded),
        "agreement": f"unknown: {lacking}" if agreement is None else f"{100 * agreement.mean:.1f} % (mean of classes)",
    }


def counted(number: int, thing: str) -> str:
    """A number of things.

    Examples
    --------
    >>> counted(1, "image"), counted(3, "image")
    ('1 image', '3 images')
    """
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def finishing_text(loaded: "LinearProbe") -> str:
    """What a probe does to its segmentations."""
    finishing = loaded.finishing
    holes = " and ".join(loaded.classes[v].name if v in loaded.classes else str(v) for v in finishing.fill_holes)
    steps = (
        (finishing.smoothing, f"smoothed within {finishing.smoothing:g} pixels"),
        (finishing.fill_holes, f"holes filled by {holes}"),
        (finishing.min_size, f"no pieces of fewer than {finishing.min_size} pixels"),
    )
    return ", ".join(text for asked, text in steps if asked) or "nothing: segmentations are as predicted"


def class_rows(loaded: "LinearProbe", agreement: "Agreement | None") -> list[list[str]]:
    """Value, name, colour, strokes, painted pixels, kept samples and agreement of every class."""
    training = loaded.training
    kept = loaded.kept.counted()[2]
    rows: list[list[str]] = []
    for value, info in loaded.classes.items():
        counts = (training.strokes.get(value, 0), training.pixels.get(value, 0), kept.get(value, 0))
        share = "" if agreement is None else f"{100 * agreement.per_class[value]:.1f} %"
        rows.append([str(value), info.name, info.color, *map(str, counts), share])
    return rows


def show_confusion(loaded: "LinearProbe", agreement: "Agreement") -> None:
    """What is mistaken for what, and which strokes are taken for another class."""
    from patchfield.cli.terminal import say, show_table

    names = {value: info.name for value, info in loaded.classes.items()}
    rows = [[names[painted], names[given], f"{100 * share:.1f} %"] for painted, given, share in agreement.confusions()]
    if rows:
        show_table("What is mistaken for what", ("painted", "predicted", "of the pixels painted"), rows[:SHOWN])
    strokes = agreement.disagreeing
    if strokes:
        places = [stroke_row(result, names) for result in strokes[:SHOWN]]
        show_table("Strokes that disagree", ("image", "row, column", "painted", "predicted", "right"), places)
        say(
            f"{len(strokes)} of {agreement.strokes} strokes, held out, are mostly taken for another class: look at them"
        )


def stroke_row(result: "StrokeResult", names: dict[int, str]) -> list[str]:
    """Where a stroke is, what it was painted as and taken for."""
    row, column = result.centre
    image = result.image.name or result.image.id[:12] or "?"
    return [image, f"{row}, {column}", names[result.value], names[result.predicted], f"{100 * result.right:.0f} %"]


def embedded_groups(recipes: "tuple[FeatureRecipe, ...]") -> "tuple[ChannelGroup, ...]":
    """Groups of the features of a probe, where they are made without a download and as they were."""
    from patchfield.backbones import load_backbone
    from patchfield.backbones.catalogue import find_weight
    from patchfield.backbones.weights import Embedded
    from patchfield.probe import channel_groups

    weights = [find_weight(recipe.backbone) for recipe in recipes]
    if not all(weight is not None and isinstance(weight.origin, Embedded) for weight in weights):
        return ()
    backbones = [load_backbone(recipe.backbone, device="cpu") for recipe in recipes]
    same = all(one.fingerprint == recipe.fingerprint for one, recipe in zip(backbones, recipes, strict=True))
    return channel_groups(backbones) if same else ()
