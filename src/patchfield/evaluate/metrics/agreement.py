"""How well a segmentation agrees with a mask: confusion matrices and what is read from them.

Two means of the intersection over union (IoU, the Jaccard index) are in use and give different numbers:

* :func:`mean_iou`: one image, the mean over the classes that its mask holds. Averaged over images, it is the figure
  of the stroke benchmark.
* :func:`mean_iou_of_set`: confusion matrices summed over a whole set first, then the mean over *all* classes of the
  set, a class that never occurs counting 0. It is the figure of PASCAL VOC and of the tables of NeCo.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from patchfield.errors import LabelError

Ignored = int | Collection[int] | None
"""True values that do not count: one, several (0 and 255, say), or None where all count."""

MAX_CELLS = 1 << 24
"""Cells of a table of counts (128 MB): 4096 classes, far more than any set has."""


def contingency_table(
    prediction: ArrayLike,
    truth: ArrayLike,
    predicted_values: ArrayLike,
    true_values: ArrayLike,
    ignore: Ignored = 0,
) -> NDArray[np.int64]:
    """Count the pixels of each true value that carry each predicted value.

    Parameters
    ----------
    prediction, truth : array of int, equal shapes
        Predicted and true value of each pixel.
    predicted_values, true_values : sequence of int
        The values of the columns and of the rows, in that order; no value twice.
    ignore : int, collection of int, or None
        Pixels with one of these *true* values do not count. None: all count.

    Returns
    -------
    (len(true_values), len(predicted_values)) int64

    Raises
    ------
    LabelError
        The shapes differ, a pixel that counts holds a value that is not listed (leaving it out would flatter), or
        there are so many values that they must be numbers of objects.

    Examples
    --------
    >>> contingency_table([7, 7, 8, 9], [1, 1, 2, 2], [7, 8, 9], [1, 2])
    array([[2, 0, 0],
           [0, 1, 1]])
    """
    prediction, truth = np.asarray(prediction), np.asarray(truth)
    if prediction.shape != truth.shape:
        raise LabelError(
            f"the prediction has shape {prediction.shape} and the mask {truth.shape}: "
            "compare a segmentation with the mask of the same image."
        )
    shape = (np.size(true_values), np.size(predicted_values))
    if shape[0] * shape[1] > MAX_CELLS:
        raise LabelError(
            f"{shape[1]} predicted values are to be compared with {shape[0]} true ones, which look like numbers of "
            "objects: give all objects of one class the same value."
        )
    counted = counted_pixels(truth, ignore)
    rows = _positions(truth[counted], true_values, "mask")
    columns = _positions(prediction[counted], predicted_values, "prediction")
    return np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1]).reshape(shape)


def confusion_matrix(
    prediction: ArrayLike,
    truth: ArrayLike,
    values: ArrayLike | None = None,
    ignore: Ignored = 0,
) -> NDArray[np.int64]:
    """Count how often pixels of each class (row) are predicted as each class (column).

    Parameters
    ----------
    prediction, truth : array of int, equal shapes
        Predicted and true class of each pixel.
    values : sequence of int, optional
        The classes, in the order of rows and columns. By default all values that occur at pixels that count, ascending;
        give them to add matrices up over images.
    ignore : int, collection of int, or None
        Pixels with one of these *true* classes do not count (0: unlabelled; 255: void in PASCAL VOC). None: all count.
        A *predicted* class of such a value is an error like any other, and must then be among `values`.

    Returns
    -------
    (K, K) int64

    Raises
    ------
    LabelError
        The shapes differ, a pixel that counts holds a class that is not in `values`, or there are thousands of classes.

    Examples
    --------
    >>> confusion_matrix([1, 1, 2, 2], [1, 2, 2, 0])
    array([[1, 0],
           [1, 1]])
    """
    if values is None:
        prediction, truth = np.asarray(prediction), np.asarray(truth)
        counted = counted_pixels(truth, ignore)
        occurring = [truth[counted]]
        if prediction.shape == truth.shape:
            occurring.append(prediction[counted])
        values = np.unique(np.concatenate(occurring))
    return contingency_table(prediction, truth, values, values, ignore)


def counted_pixels(truth: ArrayLike, ignore: Ignored = 0) -> NDArray[np.bool_]:
    """Pixels whose true value counts.

    Parameters
    ----------
    truth : array of int
    ignore : int, collection of int, or None
        Values that do not count.

    Returns
    -------
    array of bool, the shape of `truth`

    Examples
    --------
    >>> counted_pixels([0, 1, 255], ignore=(0, 255))
    array([False,  True, False])
    """
    truth = np.asarray(truth)
    if ignore is None:
        return np.ones(truth.shape, bool)
    ignored = [ignore] if isinstance(ignore, int | np.integer) else list(ignore)
    return ~np.isin(truth, ignored)


def class_iou(confusion: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of each class, ``TP / (TP + FP + FN)``.

    Parameters
    ----------
    confusion : (..., K, K) int
        Matrices of :func:`confusion_matrix`.

    Returns
    -------
    (..., K) float64
        NaN where a class is neither in the mask nor in the prediction.

    Examples
    --------
    >>> class_iou([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    array([0.75, 0.8 ,  nan])
    """
    confusion = np.asarray(confusion)
    hit = np.diagonal(confusion, axis1=-2, axis2=-1)
    union = confusion.sum(-1) + confusion.sum(-2) - hit
    return _share(hit, union)


def mean_iou_of_image(confusion: ArrayLike) -> NDArray[np.float64]:
    """Mean IoU over the classes present in the mask; false alarms of other classes cost those they are taken from.

    Parameters
    ----------
    confusion : (..., K, K) int

    Returns
    -------
    (...) float64
        NaN for a mask without a single pixel that counts.

    Examples
    --------
    >>> float(mean_iou_of_image([[3, 1, 0], [0, 4, 0], [0, 0, 0]]))
    0.775
    """
    confusion = np.asarray(confusion)
    present = confusion.sum(-1) > 0
    total = np.where(present, np.nan_to_num(class_iou(confusion)), 0).sum(-1)
    classes = present.sum(-1)
    return _share(total, classes)


def mean_iou_of_set(confusion: ArrayLike) -> NDArray[np.float64]:
    """Mean IoU over all classes of a confusion matrix summed over a set; absent classes count 0 (PASCAL VOC style).

    Parameters
    ----------
    confusion : (..., K, K) int

    Returns
    -------
    (...) float64

    Examples
    --------
    >>> round(float(mean_iou_of_set([[3, 1, 0], [0, 4, 0], [0, 0, 0]])), 3)
    0.517
    """
    means: NDArray[np.float64] = np.nan_to_num(class_iou(confusion)).mean(-1)
    return means


def mean_iou(prediction: ArrayLike, truth: ArrayLike, ignore: Ignored = 0) -> float:
    """Mean IoU over the classes present in the mask of one image (the stroke benchmark's definition).

    Parameters
    ----------
    prediction, truth : array of int, equal shapes
    ignore : int, collection of int, or None
        Pixels with one of these true classes do not count.

    Returns
    -------
    float
        0 to 1; NaN for a mask without a single pixel that counts.

    Examples
    --------
    >>> round(mean_iou([1, 1, 2, 2], [1, 2, 2, 2]), 4)      # class 1: 1/2, class 2: 2/3
    0.5833
    """
    return float(mean_iou_of_image(confusion_matrix(prediction, truth, ignore=ignore)))


def pixel_accuracy(confusion: ArrayLike) -> NDArray[np.float64]:
    """Share of the pixels that count whose class is right.

    Parameters
    ----------
    confusion : (..., K, K) int

    Returns
    -------
    (...) float64
        NaN for an empty matrix.

    Examples
    --------
    >>> float(pixel_accuracy([[3, 1], [0, 4]]))
    0.875
    """
    confusion = np.asarray(confusion)
    right, total = np.trace(confusion, axis1=-2, axis2=-1), confusion.sum((-2, -1))
    return _share(right, total)


def _share(part: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    """Quotients, NaN where the whole is nothing."""
    whole = np.asarray(whole)
    quotient: NDArray[np.float64] = np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return quotient


def _positions(values: NDArray[Any], listed: ArrayLike, what: str) -> NDArray[np.int64]:
    """Index of each of `values` in the list."""
    listed = np.asarray(listed)
    if not values.size:
        return np.zeros(0, np.int64)
    unlisted = np.setdiff1d(values, listed)
    if unlisted.size:
        raise LabelError(
            f"the {what} holds {_enumerate(unlisted)}, which {'is' if unlisted.size == 1 else 'are'} not among "
            f"the classes {_enumerate(listed)}: list every class, or say which value is to be ignored."
        )
    order = np.argsort(listed)
    return order[np.searchsorted(listed, values, sorter=order)]


def _enumerate(values: Sequence[int] | NDArray[Any], count: int = 8) -> str:
    shown = ", ".join(str(value) for value in values[:count])
    return shown if len(values) <= count else f"{shown} and {len(values) - count} more"
