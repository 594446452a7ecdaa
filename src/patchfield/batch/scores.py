"""How well segmentation files agree with mask files."""

import csv
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from patchfield.atomic import atomic_path
from patchfield.batch.cells import text_cell
from patchfield.batch.failures import Failures
from patchfield.batch.matching import match_labels
from patchfield.errors import LabelError, OutputError, printable
from patchfield.evaluate.metrics import class_iou, contingency_table, mean_iou_of_image, pixel_accuracy
from patchfield.images import ArrayStack, labels_of_planes, read_label_stack

VOID = (255, 65535)
"""What masks of many data sets hold where nobody knows the class (PASCAL VOC): the highest value of 8 or 16 bits."""

MAX_CLASSES = 255
"""A mask with more values numbers objects, or is a lossy copy of a mask."""

COLUMNS = ("image", "mean IoU", "accuracy")


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


@dataclass
class Scores:
    """The scores of many files, and what is to be said about them.

    Attributes
    ----------
    scores : list of Score
    failures : Failures
        Files that could not be compared.
    notes : list of str
        Sentences: masks that label nothing, values that were not counted or never occur in a segmentation.
    """

    failures: Failures
    scores: list[Score] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def score_files(
    segmentations: Sequence[Path], masks: Sequence[Path], log_folder: Path, ignore: Collection[int] | None = None
) -> Scores:
    """Compare segmentations with masks of the same name; 0 in a mask does not count.

    Parameters
    ----------
    segmentations, masks : sequence of Path
    log_folder : Path
        Where the traceback goes if a file meets a defect.
    ignore : collection of int, optional
        Further mask values that do not count. When left out, a value of :data:`VOID` does not count if it occurs in
        masks beside other values and in no segmentation, and a note says so.

    Raises
    ------
    LabelError
        When no names match, or two segmentations are of one image.
    """
    matched = match_labels(segmentations, masks, "masks")
    result = Scores(Failures(log_folder))
    tables: dict[Path, _Table] = {}
    for file in segmentations:
        with result.failures.caught(file):
            if file not in matched:
                raise LabelError(f"{file} has no mask of its name.")
            tables[file] = _compare(file, matched[file])
    ignored = set(ignore) if ignore is not None else _void(tables.values())
    if ignore is None and ignored:
        values = " and ".join(map(str, sorted(ignored)))
        result.notes.append(
            f"The value {values} of the masks occurs in no segmentation and was not counted, as the void of many data "
            "sets; --ignore 0 counts it."
        )
    for value in _never_predicted(tables.values(), ignored):
        result.notes.append(
            f"The value {value} of the masks occurs in no segmentation and counts with an IoU of 0; --ignore {value} "
            "leaves it out."
        )
    for file, table in tables.items():
        score = table.score(ignored)
        if score is None:
            result.notes.append(f"{matched[file]} labels nothing and was left out.")
        else:
            result.scores.append(score)
    return result


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
    columns = [*COLUMNS, *(f"IoU {value}" for value in total.iou)]
    rows = [
        [score.name, f"{score.mean_iou:.4f}", f"{score.accuracy:.4f}"]
        + [f"{score.iou[value]:.4f}" if value in score.iou else "" for value in total.iou]
        for score in [*scores, total]
    ]
    return columns, rows


def write_scores(path: Path, scores: Sequence[Score]) -> None:
    """Write the table of scores as CSV, in place of an earlier one; see :func:`check_scores_file`."""
    columns, rows = score_table(scores)
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([columns, *([text_cell(row[0]), *row[1:]] for row in rows)])


def check_scores_file(path: Path) -> None:
    """Make sure that a table of scores may be written to `path`.

    Raises
    ------
    OutputError
        When something else than a table of scores stands there.
    """
    if not path.exists():
        return
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = next(csv.reader(file), [])
    except (OSError, ValueError, csv.Error):
        header = []
    if tuple(header[: len(COLUMNS)]) != COLUMNS:
        raise OutputError(f"{path} is not a table of scores and would be replaced: move it, or write elsewhere.")


@dataclass(frozen=True)
class _Table:
    """Pixels of each mask value (rows) that a segmentation gives each of these values, or any other (last column)."""

    name: str
    values: tuple[int, ...]
    predicted: frozenset[int]
    counts: NDArray[np.int64]

    def score(self, ignored: Collection[int]) -> Score | None:
        """None when no pixel counts."""
        confusion = np.vstack([self.counts, np.zeros_like(self.counts[:1])])
        confusion[: len(self.values)][[value in ignored for value in self.values]] = 0
        if not confusion.any():
            return None
        counted = [bool(row.any()) for row in confusion[: len(self.values)]]
        iou = {
            value: float(share)
            for value, share, counts in zip(self.values, class_iou(confusion), counted, strict=False)
            if counts
        }
        return Score(self.name, float(mean_iou_of_image(confusion)), float(pixel_accuracy(confusion)), iou)


def _compare(segmentation: Path, mask: Path) -> _Table:
    predicted, truth = _values(segmentation, mask)
    values = np.unique(truth[truth > 0])
    if len(values) > MAX_CLASSES:
        raise LabelError(
            f"{mask} holds {len(values)} values: a mask of classes has at most {MAX_CLASSES}; masks that number "
            "objects, and lossy copies of masks (JPEG), cannot be compared with."
        )
    # Which class is left out of the table a pixel was taken for does not matter: one more column holds them all.
    row_of, other = np.searchsorted(values, predicted), len(values)
    known = np.isin(predicted, values)
    true_row = np.where(truth > 0, np.searchsorted(values, truth), -1)
    counts = contingency_table(np.where(known, row_of, other), true_row, range(other + 1), range(other), ignore=-1)
    name = printable(segmentation.stem.removesuffix("_segmentation"))
    return _Table(name, tuple(map(int, values)), frozenset(map(int, np.unique(predicted))), counts)


def _values(segmentation: Path, mask: Path) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """The values of both, with their planes in one order."""
    predicted, truth = (read_label_stack(file, max_classes=None) for file in (segmentation, mask))
    if predicted.shape != truth.shape or prod(predicted.lengths) != prod(truth.lengths):
        raise LabelError(f"{segmentation} has shape {predicted.values.shape}, but {mask} has {truth.values.shape}.")
    planes = labels_of_planes(truth, ArrayStack(predicted.values, f"{predicted.axes}YX", str(segmentation)))
    ordered = np.stack([planes[index] for index in np.ndindex(*predicted.lengths)])
    return predicted.values, ordered.reshape(predicted.values.shape)


def _void(tables: Iterable[_Table]) -> set[int]:
    """The values of :data:`VOID` that say that nobody knows: beside other values, and in no segmentation."""
    tables = list(tables)
    of_masks = {value for table in tables for value in table.values}
    predicted = frozenset().union(*(table.predicted for table in tables))
    return {value for value in VOID if value in of_masks - predicted} if of_masks - {*VOID} else set()


def _never_predicted(tables: Iterable[_Table], ignored: Collection[int]) -> list[int]:
    tables = list(tables)
    predicted = frozenset().union(*(table.predicted for table in tables))
    return sorted({value for table in tables for value in table.values} - predicted - set(ignored))
