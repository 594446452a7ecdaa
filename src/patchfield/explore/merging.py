"""From many small clusters to a few groups: which to join, and when to stop."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import cdist

from patchfield.errors import FieldError
from patchfield.explore.clusters import Clusters

MAX_NATURAL = 8
"""At most so many groups are proposed where nobody says how many."""
_BINS = 20

Linkage = Literal["ward", "complete"]


@dataclass(frozen=True, eq=False)
class MergeTree:
    """The order in which clusters are joined, two at a time, until one is left.

    Attributes
    ----------
    pairs : (count - 1, 2) int64 array
        What is joined in each step: clusters from 0, and the results of earlier steps from `count` on.
    heights : (count - 1,) float64 array
        How far apart the two were, never decreasing.
    sizes : (count,) int64 array
        Pixels of each cluster.

    Examples
    --------
    >>> import patchfield as pf
    >>> from patchfield.explore import Clusters
    >>> image = np.kron([[0, 1], [2, 0]], np.ones((30, 30))) + np.random.default_rng(0).normal(0, 0.01, (60, 60))
    >>> clusters = Clusters.fit(pf.extract(image, "filters"), 20)
    >>> tree = MergeTree.from_clusters(clusters)
    >>> groups = tree.groups(3)
    >>> groups.shape, sorted(set(groups.tolist()))
    ((20,), [1, 2, 3])
    """

    pairs: NDArray[np.int64]
    heights: NDArray[np.float64]
    sizes: NDArray[np.int64]

    @classmethod
    def from_clusters(cls, clusters: Clusters, how: Linkage = "ward") -> "MergeTree":
        """The merge tree of k-means clusters.

        Parameters
        ----------
        clusters : Clusters
        how : {"ward", "complete"}
            Join those whose union adds least to the spread, large clusters counting more (Ward, JASA 58, 1963); or
            those whose most distant centres are nearest, as HR-Dv2 does (Docherty et al., arXiv 2410.19836).
        """
        if len(clusters.centres) == 1:
            return cls(np.zeros((0, 2), np.int64), np.zeros(0), clusters.sizes)
        if how == "ward":
            return cls(*_ward(clusters.centres, clusters.sizes), clusters.sizes)
        joins = linkage(clusters.centres, "complete")
        return cls(joins[:, :2].astype(np.int64), joins[:, 2], clusters.sizes)

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return len(self.sizes)

    def groups(self, count: int) -> NDArray[np.int64]:
        """The group of each cluster when `count` are left, (clusters,), from 1, those with most pixels first.

        With fewer clusters than that, each is its own group.

        Raises
        ------
        FieldError
            When less than one group is asked for.
        """
        if count < 1:
            raise FieldError(f"{count} groups are not possible: ask for 1 or more.")
        found = np.arange(self.count)
        for step, (one, other) in enumerate(self.pairs[: max(0, self.count - count)]):
            found[(found == one) | (found == other)] = self.count + step
        _, group = np.unique(found, return_inverse=True)
        pixels = np.bincount(group, weights=self.sizes)
        rank = np.empty(len(pixels), np.int64)
        rank[pixels.argsort(kind="stable")[::-1]] = np.arange(1, len(pixels) + 1)
        return rank[group]

    def count_at(self, height: float) -> int:
        """How many groups are left when all that lie nearer than `height` are joined."""
        return self.count - int(np.searchsorted(self.heights, height, side="right"))

    @property
    def natural(self) -> int:
        """A number of groups that needs no labels: 2 to MAX_NATURAL, before the largest relative jump in height.

        Joining on, what is merged next is farther apart than all before, by the largest factor.
        """
        most = min(MAX_NATURAL, self.count)
        if most < 3:
            return most
        # heights[count - n] is that of the step from n groups to n - 1.
        left = np.arange(2, most + 1)
        next_step = self.heights[self.count - left]
        last_step = np.maximum(self.heights[np.maximum(self.count - left - 1, 0)], 1e-12)
        return int(left[np.argmax(next_step / last_step)])


def attention_cutoff(centres: ArrayLike, densities: ArrayLike, scale: float = 1.0) -> float:
    """HR-Dv2's distance up to which clusters are joined, from how far foreground lies from background.

    Foreground are the clusters whose attention density is above the mean of all clusters, background those below. Of
    the distances between the two, in a histogram of 20 bins, it is the right edge of the fullest bin.

    Parameters
    ----------
    centres : (clusters, dimensions) array
    densities : (clusters,) array
        Mean attention of each cluster's pixels, see :func:`cluster_densities`.
    scale : float
        The published values are 1.0 for DINOv2 and 1.1 for DINO.

    Returns
    -------
    float
        For :meth:`MergeTree.count_at` of a tree with complete linkage.

    Examples
    --------
    >>> round(attention_cutoff([[0.0], [1.0], [9.0], [10.0]], [0, 0, 1, 1]), 3)
    9.1
    """
    centres, densities = np.asarray(centres, float), np.asarray(densities, float)
    front, back = centres[densities > densities.mean()], centres[densities < densities.mean()]
    if not (len(front) and len(back)):
        return 0.0
    counts, edges = np.histogram(cdist(front, back), bins=_BINS)
    return float(scale * edges[counts.argmax() + 1])


def cluster_densities(labels: NDArray[np.integer], attention: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """Mean attention of the pixels of each cluster, (count,) float64; 0 for clusters without pixels.

    Parameters
    ----------
    labels : (H, W) int array
        Clusters from 1, 0 where there is no value.
    attention : (H, W) array
    count : int

    Examples
    --------
    >>> cluster_densities(np.array([[1, 1, 2]]), np.array([[0.0, 1.0, 3.0]]), 3)
    array([0.5, 3. , 0. ])
    """
    pixels = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    total = np.bincount(labels.ravel(), weights=attention.ravel(), minlength=count + 1)[1:]
    found: NDArray[np.float64] = total / np.maximum(pixels, 1)
    return found


def _ward(centres: NDArray[np.float64], sizes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Joins and heights by Lance and Williams' update: what a union adds to the sum of squares, and its root."""
    count = len(centres)
    weights = np.maximum(sizes, 1).astype(float)
    cost = cdist(centres, centres, "sqeuclidean") * np.multiply.outer(weights, weights)
    cost /= np.add.outer(weights, weights)
    np.fill_diagonal(cost, np.inf)
    names, pairs, heights = np.arange(count), [], []
    for step in range(count - 1):
        i, j = np.unravel_index(cost.argmin(), cost.shape)
        pairs.append(sorted((int(names[i]), int(names[j]))))
        heights.append(np.sqrt(cost[i, j]))
        joined = ((weights[i] + weights) * cost[i] + (weights[j] + weights) * cost[j] - weights * cost[i, j]) / (
            weights[i] + weights[j] + weights
        )
        cost[i] = cost[:, i] = joined
        cost[i, i] = np.inf
        cost[j] = cost[:, j] = np.inf
        weights[i] += weights[j]
        names[i] = count + step
    return np.array(pairs, np.int64), np.array(heights)
