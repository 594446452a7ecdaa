"""What a run learns from: labelled and unlabelled images found in folders, checked before hours are spent on them."""

from dataclasses import dataclass
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from patchfield.evaluate.micrographs import LabelledImage, labelled_images, labels_of
from patchfield.images import ImageSettings, read_image
from training.data.collection import Collection, image_files, open_collection
from training.episodes.settings import EpisodeSettings
from training.episodes.sources import (
    CollageSource,
    LabelledSource,
    Source,
    SyntheticSource,
    Textures,
)
from training.errors import TrainingError

MAX_CLASSES = 255


@dataclass(frozen=True)
class Sources:
    """Where the episodes come from.

    Attributes
    ----------
    weighted : list of (Source, float)
        Each with its share.
    inputs : dict of str to str
        Fingerprints of what was found.
    facts : dict
        Counts, and one sentence for every file that is left out.
    """

    weighted: list[tuple[Source, float]]
    inputs: dict[str, str]
    facts: dict[str, Any]


def find_sources(settings: EpisodeSettings, console: Console, index: Path | None = None) -> Sources:
    """Where the episodes come from, and how often.

    Parameters
    ----------
    settings : EpisodeSettings
    console : rich.console.Console
    index : Path, optional
        Where what was found out about unlabelled images is kept.

    Raises
    ------
    PatchfieldError
        When folders, images or masks cannot be used, with one sentence that says what to do.
    """
    weighted: list[tuple[Source, float]] = []
    inputs: dict[str, str] = {}
    facts: dict[str, Any] = {}
    shares = settings.shares
    if settings.label_folders and shares.labelled:
        sets = _labelled(settings)
        facts["labelled"] = sum(map(len, sets))
        console.print(f"{facts['labelled']} labelled image(s) in {len(sets)} set(s)", highlight=False)
        inputs["labels"] = _fingerprint(sets)
        weighted.append(
            (
                LabelledSource(
                    sets, settings.magnification, reference=settings.reference, composition=settings.composition
                ),
                shares.labelled,
            )
        )
    if shares.synthetic:
        weighted.append((SyntheticSource(settings.magnification, settings.reference), shares.synthetic))
    if settings.texture_folders and shares.collages:
        collection = _textures(settings, console, index)
        textures = Textures(collection.planes, collection.settings)
        facts |= {"images": len(collection.planes), "left_out": list(collection.left_out)}
        console.print(f"{facts['images']} unlabelled image(s) of {len(textures.kinds)} kind(s)", highlight=False)
        inputs["textures"] = collection.fingerprint()
        weighted.append((CollageSource(textures, settings.magnification, settings.reference), shares.collages))
    if not weighted:
        raise TrainingError(
            "there is nothing to train on: give --labels or --textures, or a share of synthetic images."
        )
    return Sources(weighted, inputs, facts)


def _labelled(settings: EpisodeSettings) -> list[list[LabelledImage]]:
    """Labelled images by set, without those held out and those without masks."""
    sets = []
    for folder in settings.label_folders:
        for images in labelled_images(folder).values():
            kept = [image for image in images if image.mask and not _is_held_out(image.image, settings.held_out)]
            if kept:
                _check_masks(kept)
                sets.append(kept)
    if not sets:
        folders = ", ".join(map(str, settings.label_folders))
        raise TrainingError(f"no image of {folders} has a mask that may be trained on: see --labels and --held_out.")
    return sets


def _check_masks(images: list[LabelledImage]) -> None:
    """Refuse masks that say nothing about classes, before hours are spent on them."""
    most = 0
    for labelled in images:
        image = read_image(labelled.image)
        if image.planes > 1:
            raise TrainingError(f"{labelled.image} has {image.planes} planes: give labelled images of one plane.")
        mask = labels_of(labelled.truth, image.shape)
        classes = np.unique(mask[mask > 0])
        most = max(most, len(classes))
        if len(classes) and classes[-1] > MAX_CLASSES:
            raise TrainingError(
                f"{labelled.truth} holds the label {classes[-1]}: masks of classes go up to {MAX_CLASSES}; give all "
                "objects of one class the same label."
            )
    if most < 2:
        folder = images[0].image.parent
        raise TrainingError(f"no mask in {folder} holds two classes: label the background, too (0 is unlabelled).")


def _fingerprint(sets: list[list[LabelledImage]]) -> str:
    """Short hash of the contents of all labelled images and masks."""
    digest = sha256()
    for images in sets:
        digest.update(b"|")
        for labelled in images:
            for path in (labelled.image, labelled.truth):
                digest.update(sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _textures(settings: EpisodeSettings, console: Console, index: Path | None) -> Collection:
    """Unlabelled images that can be read."""
    files = [path for path in image_files(settings.texture_folders) if not _is_held_out(path, settings.held_out)]
    if not files:
        raise TrainingError("all images of --textures are held out: make --held_out narrower.")
    shown = track(files, "opening images", console=console, transient=True, disable=not console.is_terminal)
    collection = open_collection(shown, ImageSettings(), least_side=1, index=index)
    for sentence in collection.left_out:
        console.print(f"Left out: {sentence}", highlight=False, soft_wrap=True)
    return collection


def _is_held_out(path: Path, patterns: list[str]) -> bool:
    return any(fnmatch(path.as_posix(), f"*/{pattern.removeprefix('/')}") for pattern in patterns)
