"""From clusters to classes: the two mappings by which a clustering is scored as a segmentation.

Both read a contingency table of :func:`patchfield.evaluate.metrics.contingency_table` with the classes as rows and the
clusters as columns, and return one class (row number) for each cluster.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment


def match_one_to_one(contingency: ArrayLike, unmatched: int = 0) -> NDArray[np.int64]:
    """Pair each class with one cluster so that the summed IoU of the pairs is largest (Hungarian method).

    Parameters
    ----------
    contingency : (classes, clusters) int
    unmatched : int
        Class of the clusters that are left over when there are more of them than classes.

    Returns
    -------
    (clusters,) int64

    Examples
    --------
    >>> match_one_to_one([[0, 5], [7, 1]])
    array([1, 0])
    """
    contingency = np.asarray(contingency, np.int64)
    classes, clusters = linear_sum_assignment(_pair_iou(contingency), maximize=True)
    match = np.full(contingency.shape[1], unmatched, np.int64)
    match[clusters] = classes
    return match


def match_by_precision(contingency: ArrayLike) -> NDArray[np.int64]:
    """Send each cluster to the class that most of its labelled pixels belong to (greedy, many to one).

    Ties go to the class listed first. A cluster without a labelled pixel goes to the class with the most pixels:
    nothing is known of it, and that is the likeliest.

    Parameters
    ----------
    contingency : (classes, clusters) int

    Returns
    -------
    (clusters,) int64

    Examples
    --------
    >>> match_by_precision([[4, 1, 2, 0], [0, 9, 2, 0]])
    array([0, 1, 0, 1])
    """
    contingency = np.asarray(contingency, np.int64)
    match: NDArray[np.int64] = contingency.argmax(0)
    match[contingency.sum(0) == 0] = contingency.sum(1).argmax()
    return match


def match_clusters(contingency: ArrayLike) -> NDArray[np.int64]:
    """One to one where there are as many clusters as classes, else by precision: the rule of the published tables.

    Parameters
    ----------
    contingency : (classes, clusters) int

    Returns
    -------
    (clusters,) int64

    Examples
    --------
    >>> match_clusters([[6, 5], [5, 0]]), match_clusters([[6, 5, 0], [5, 0, 1]])
    (array([1, 0]), array([0, 0, 1]))
    """
    classes, clusters = np.shape(contingency)
    return match_one_to_one(contingency) if clusters == classes else match_by_precision(contingency)


def matched_confusion(contingency: ArrayLike, match: ArrayLike) -> NDArray[np.int64]:
    """Confusion matrix of the segmentation in which every cluster is replaced by its class.

    Parameters
    ----------
    contingency : (..., classes, clusters) int
    match : (clusters,) int

    Returns
    -------
    (..., classes, classes) int64

    Examples
    --------
    >>> matched_confusion([[4, 1, 2], [0, 9, 2]], [0, 1, 1])
    array([[ 4,  3],
           [ 0, 11]])
    """
    contingency, match = np.asarray(contingency, np.int64), np.asarray(match)
    confusion: NDArray[np.int64] = contingency @ np.eye(contingency.shape[-2], dtype=np.int64)[match]
    return confusion


def _pair_iou(contingency: NDArray[np.int64]) -> NDArray[np.float64]:
    union = contingency.sum(1, keepdims=True) + contingency.sum(0, keepdims=True) - contingency
    iou: NDArray[np.float64] = np.divide(contingency, union, out=np.zeros(contingency.shape), where=union > 0)
    return iou
