"""What a run learns from: labelled and unlabelled images found in folders, checked before hours are spent on them."""

from fnmatch import fnmatch
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from patchfield.evaluate.micrographs import LabelledImage, labelled_images
from patchfield.images import ImageSettings, read_labels
from training.data.collection import image_files, open_collection
from training.episodes.settings import EpisodeSettings
from training.episodes.sources import (
    CollageSource,
    LabelledSource,
    Source,
    SyntheticSource,
    Textures,
)
from training.errors import TrainingError

MOST_CLASSES = 255


def find_sources(settings: EpisodeSettings, console: Console) -> list[tuple[Source, float]]:
    """Where the episodes come from, and how often.

    Raises
    ------
    PatchfieldError
        When folders, images or masks cannot be used, with one sentence that says what to do.
    """
    sources: list[tuple[Source, float]] = []
    shares = settings.shares
    if settings.label_folders and shares.labelled:
        sets = _labelled(settings)
        count = sum(map(len, sets))
        console.print(f"{count} labelled image(s) in {len(sets)} set(s)", highlight=False)
        sources.append((LabelledSource(sets, settings.magnification), shares.labelled))
    if shares.synthetic:
        sources.append((SyntheticSource(settings.magnification), shares.synthetic))
    if settings.texture_folders and shares.collages:
        textures = _textures(settings, console)
        count = sum(map(len, textures.kinds))
        console.print(f"{count} unlabelled image(s) of {len(textures.kinds)} kind(s)", highlight=False)
        sources.append((CollageSource(textures, settings.magnification), shares.collages))
    if not sources:
        raise TrainingError(
            "there is nothing to train on: give --labels or --textures, or a share of synthetic images."
        )
    return sources


def _labelled(settings: EpisodeSettings) -> list[list[LabelledImage]]:
    """Labelled images by set, without those held out and those without masks."""
    sets = []
    for folder in settings.label_folders:
        for images in labelled_images(folder).values():
            kept = [each for each in images if each.mask and not _is_held_out(each.image, settings.held_out)]
            if kept:
                _check_masks(kept)
                sets.append(kept)
    if not sets:
        folders = ", ".join(map(str, settings.label_folders))
        raise TrainingError(f"no image of {folders} has a mask that may be trained on: see --labels and --held-out.")
    return sets


def _check_masks(images: list[LabelledImage]) -> None:
    """Refuse masks that say nothing about classes, before hours are spent on them."""
    most = 0
    for labelled in images:
        mask = read_labels(labelled.truth)
        classes = np.unique(mask[mask > 0])
        most = max(most, len(classes))
        if len(classes) and classes[-1] > MOST_CLASSES:
            raise TrainingError(
                f"{labelled.truth} holds the label {classes[-1]}: masks of classes go up to {MOST_CLASSES}; give all "
                "objects of one class the same label."
            )
    if most < 2:
        folder = images[0].image.parent
        raise TrainingError(f"no mask in {folder} holds two classes: label the background, too (0 is unlabelled).")


def _textures(settings: EpisodeSettings, console: Console) -> Textures:
    """Unlabelled images that can be read."""
    files = [path for path in image_files(settings.texture_folders) if not _is_held_out(path, settings.held_out)]
    if not files:
        raise TrainingError("all images of --textures are held out: make --held_out narrower.")
    shown = track(files, "opening images", console=console, transient=True, disable=not console.is_terminal)
    collection = open_collection(shown, ImageSettings(), least_side=1)
    for sentence in collection.left_out:
        console.print(f"Left out: {sentence}", highlight=False, soft_wrap=True)
    return Textures(collection.planes, collection.settings)


def _is_held_out(path: Path, patterns: list[str]) -> bool:
    return any(fnmatch(path.as_posix(), f"*/{pattern.removeprefix('/')}") for pattern in patterns)
