"""How well the boundaries of a segmentation follow those of a mask."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt

from patchfield.errors import LabelError
from patchfield.evaluate.metrics.agreement import Ignored, counted_pixels


def boundary_f(
    prediction: ArrayLike, truth: ArrayLike, tolerance: float = 2.0, ignore: Ignored = 0
) -> dict[int, float]:
    """Boundary F-score of each class in the mask of one image.

    Precision is the share of a class's predicted boundary pixels that lie within `tolerance` of its true boundary,
    recall the share of its true boundary pixels within `tolerance` of the predicted one, F their harmonic mean
    (Csurka, Larlus and Perronnin, BMVC 2013). A boundary pixel of a class has one of its four neighbours in another
    class.

    Parameters
    ----------
    prediction, truth : (H, W) array of int
    tolerance : float
        Distance in pixels.
    ignore : int, collection of int, or None
        Pixels with one of these true values have no boundaries, nor have their neighbours towards them.

    Returns
    -------
    dict of int to float
        Class value to F, 0 to 1, for the classes present in the mask; NaN where neither mask nor prediction has a
        boundary of that class.

    Raises
    ------
    LabelError
        The two are not images of one shape.

    Examples
    --------
    >>> boundary_f([[1, 1, 1, 1, 2, 2]], [[1, 1, 1, 2, 2, 2]], tolerance=1)
    {1: 1.0, 2: 1.0}
    """
    prediction, truth = np.asarray(prediction), np.asarray(truth)
    if prediction.shape != truth.shape or truth.ndim != 2:
        raise LabelError(
            f"the prediction has shape {prediction.shape} and the mask {truth.shape}: "
            "boundaries are compared between two images of one shape (H, W)."
        )
    counted = counted_pixels(truth, ignore)
    predicted_edges, true_edges = _edges(prediction, counted), _edges(truth, counted)
    return {
        int(value): _f_score(predicted_edges & (prediction == value), true_edges & (truth == value), tolerance)
        for value in np.unique(truth[counted])
    }


def mean_boundary_f(prediction: ArrayLike, truth: ArrayLike, tolerance: float = 2.0, ignore: Ignored = 0) -> float:
    """Mean of :func:`boundary_f` over the classes that have a boundary; NaN when none has.

    Parameters
    ----------
    prediction, truth : (H, W) array of int
    tolerance : float
        Distance in pixels.
    ignore : int, collection of int, or None
        Pixels with one of these true values have no boundaries.

    Raises
    ------
    LabelError
        The two are not images of one shape.

    Examples
    --------
    >>> mean_boundary_f([[1, 1, 1, 1, 2, 2]], [[1, 1, 1, 2, 2, 2]], tolerance=1)
    1.0
    """
    scores = np.array(list(boundary_f(prediction, truth, tolerance, ignore).values()))
    scored = scores[~np.isnan(scores)]
    return float(scored.mean()) if scored.size else float("nan")


def _edges(labels: NDArray[Any], counted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels that count and have a 4-neighbour that counts and belongs to another class."""
    edges = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        before, after = np.swapaxes(labels, 0, axis)[:-1], np.swapaxes(labels, 0, axis)[1:]
        both = np.swapaxes(counted, 0, axis)[:-1] & np.swapaxes(counted, 0, axis)[1:]
        step = (before != after) & both
        turned = np.swapaxes(edges, 0, axis)
        turned[:-1] |= step
        turned[1:] |= step
    return edges


def _f_score(predicted: NDArray[np.bool_], true: NDArray[np.bool_], tolerance: float) -> float:
    if not predicted.any() and not true.any():
        return float("nan")
    if not predicted.any() or not true.any():
        return 0.0
    precision = float(np.mean(distance_transform_edt(~true)[predicted] <= tolerance))
    recall = float(np.mean(distance_transform_edt(~predicted)[true] <= tolerance))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
