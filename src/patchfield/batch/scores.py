"""How well segmentation files agree with mask files."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from patchfield.atomic import atomic_path
from patchfield.batch.selection import find_labels, match_labels
from patchfield.errors import LabelError
from patchfield.evaluate import class_iou, confusion_matrix, mean_iou_of_image, pixel_accuracy
from patchfield.images import read_labels


@dataclass(frozen=True)
class Score:
    """Agreement of one segmentation with its mask, over the pixels that the mask labels.

    Attributes
    ----------
    name : str
        What the image is called.
    mean_iou, accuracy : float
        Mean IoU over the classes in the mask; share of right pixels.
    iou : dict of label value to float
        IoU of every class that occurs in the mask.
    """

    name: str
    mean_iou: float
    accuracy: float
    iou: dict[int, float]


def score_files(segmentations: Sequence[str], masks: str) -> list[Score]:
    """Compare segmentations with masks (0 = not counted) of the same name.

    Parameters
    ----------
    segmentations : sequence of str
        Files, folders (their ``*_segmentation`` files, where there are any) and patterns.
    masks : str
        A file, folder or pattern.

    Raises
    ------
    LabelError
        When nothing is found, no names match, or shapes differ.
    """
    files = [file for argument in segmentations for file in _segmentations_of(argument)]
    matched = match_labels(files, find_labels(masks))
    unmatched = [file.name for file in files if file not in matched]
    if unmatched:
        raise LabelError(f"{unmatched[0]} has no mask of its name in {masks}.")
    return [_score(file, mask) for file, mask in matched.items()]


def mean_score(scores: Sequence[Score]) -> Score:
    """The mean over images; a class's IoU over the images whose mask holds it."""
    classes = sorted({value for score in scores for value in score.iou})
    return Score(
        "mean",
        float(np.mean([score.mean_iou for score in scores])),
        float(np.mean([score.accuracy for score in scores])),
        {value: float(np.mean([score.iou[value] for score in scores if value in score.iou])) for value in classes},
    )


def score_table(scores: Sequence[Score]) -> tuple[list[str], list[list[str]]]:
    """Column names and rows, one per score and one for the mean."""
    total = mean_score(scores)
    columns = ["image", "mean IoU", "accuracy", *(f"IoU {value}" for value in total.iou)]
    rows = [
        [score.name, f"{score.mean_iou:.4f}", f"{score.accuracy:.4f}"]
        + [f"{score.iou[value]:.4f}" if value in score.iou else "" for value in total.iou]
        for score in [*scores, total]
    ]
    return columns, rows


def write_scores(path: Path, scores: Sequence[Score]) -> None:
    """Write the table of scores as CSV."""
    columns, rows = score_table(scores)
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([columns, *rows])


def _segmentations_of(argument: str) -> list[Path]:
    files = find_labels(argument)
    ours = [file for file in files if file.stem.endswith("_segmentation")]
    return ours if Path(argument).is_dir() and ours else files


def _score(segmentation: Path, mask: Path) -> Score:
    predicted, truth = read_labels(segmentation), read_labels(mask)
    if predicted.shape != truth.shape:
        raise LabelError(f"{segmentation} has shape {predicted.shape}, but {mask} has {truth.shape}.")
    values = np.union1d(truth, predicted[truth > 0])
    confusion = confusion_matrix(predicted, truth, values)
    per_class = class_iou(confusion)
    iou = {int(v): float(i) for v, i, row in zip(values, per_class, confusion, strict=True) if row.any()}
    name = segmentation.stem.removesuffix("_segmentation")
    return Score(name, float(mean_iou_of_image(confusion)), float(pixel_accuracy(confusion)), iou)
