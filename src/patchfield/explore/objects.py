"""Objects of one image without labels, as HR-Dv2 finds them: what is attended to, its classes and boxes."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label, regionprops

from patchfield.explore.clusters import Clusters
from patchfield.explore.merging import MergeTree, attention_cutoff, cluster_densities
from patchfield.field import FeatureField

MIN_AREA = 200
"""Smaller components get no box."""
MAX_OVERLAP = 0.8
"""Boxes that overlap the box of the whole foreground more than this are left out."""
_SAMPLES = 50_000


class Box(NamedTuple):
    """Rows `top` to `bottom` and columns `left` to `right`, the last ones not included."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True, eq=False)
class Attended:
    """What is found in one image.

    Attributes
    ----------
    classes : (H, W) int64 array
        Merged clusters from 1, the largest first; 0 where there is no value.
    foreground : (H, W) bool array
        Pixels of the classes whose attention density is above the mean of the classes.
    """

    classes: NDArray[np.int64]
    foreground: NDArray[np.bool_]


def attended_objects(
    field: FeatureField, attention: FeatureField, clusters: int = 80, scale: float = 1.0, seed: int = 0
) -> Attended:
    """Cluster an image, merge by attention, and tell foreground from background (arXiv 2410.19836), without a CRF.

    K-means of L2-normalised features; clusters are merged by complete linkage up to :func:`attention_cutoff`; classes
    of which the mean attention is above that of all classes are foreground.

    Parameters
    ----------
    field : FeatureField
    attention : FeatureField
        Of the same image, see :func:`attention_field`; heads are averaged.
    clusters : int
    scale : float
        Of the cut-off: 1.0 for DINOv2, 1.1 for DINO.
    seed : int

    Raises
    ------
    FieldError
        When the image has fewer pixels than clusters.
    """
    found = Clusters.fit(field, clusters, seed, _SAMPLES, metric="cosine")
    numbers = found.assign(field)
    mean = np.full((attention.channels, 1), 1 / attention.channels, np.float32)
    attended = attention.project(mean)[0]
    densities = cluster_densities(numbers, attended, len(found.bias))
    tree = MergeTree.from_clusters(found, "complete")
    groups = tree.groups(tree.count_at(attention_cutoff(found.centres, densities, scale)))
    classes = np.append(0, groups)[numbers]
    of_classes = cluster_densities(classes, attended, int(groups.max()))
    return Attended(classes, np.append(False, of_classes > of_classes.mean())[classes])


def object_boxes(attended: Attended, min_area: int = MIN_AREA, single: bool = False) -> list[Box]:
    """Boxes of the foreground: one of its largest component, then one of each large component of each class.

    Parameters
    ----------
    attended : Attended
    min_area : int
        Components of a class with at most so many pixels get no box.
    single : bool
        Only the first.

    Examples
    --------
    >>> classes = np.ones((60, 60), int)
    >>> classes[10:30, 10:50] = 2
    >>> classes[20:55, 30:50] = 3
    >>> whole, *parts = object_boxes(Attended(classes, classes > 1))
    >>> whole, len(parts)
    (Box(top=10, left=10, bottom=55, right=50), 2)
    >>> object_boxes(Attended(classes, classes > 9))
    []
    """
    whole = regionprops(label(attended.foreground))
    if not whole:
        return []
    first = Box(*max(whole, key=lambda region: region.area).bbox)
    if single:
        return [first]
    parts = regionprops(label(attended.classes * attended.foreground))
    boxes = [Box(*region.bbox) for region in parts if region.area > min_area]
    return [first, *(box for box in boxes if box_overlap(box, first) <= MAX_OVERLAP)]


def box_overlap(one: Box, other: Box) -> float:
    """Intersection over union.

    Examples
    --------
    >>> box_overlap(Box(0, 0, 10, 10), Box(0, 5, 10, 15))
    0.3333333333333333
    """
    height = max(0, min(one.bottom, other.bottom) - max(one.top, other.top))
    width = max(0, min(one.right, other.right) - max(one.left, other.left))
    areas = [(box.bottom - box.top) * (box.right - box.left) for box in (one, other)]
    return height * width / (sum(areas) - height * width)


def shared_groups(maps: list[NDArray[np.integer]], min_share: float = 0.01) -> NDArray[np.int64]:
    """Which groups are common to all images (co-segmentation): those that cover at least a share of each.

    Parameters
    ----------
    maps : list of (H, W) int arrays
        Groups from 1 that the images share, such as :meth:`Clusters.assign` gives them for clusters of all.
    min_share : float

    Examples
    --------
    >>> shared_groups([np.array([[1, 1, 2]]), np.array([[3, 1, 2]]), np.array([[2, 2, 2]])])
    array([2])
    """
    shares = [np.bincount(groups.ravel(), minlength=256) / groups.size for groups in maps]
    most = max(len(share) for share in shares)
    least = np.min([np.pad(share, (0, most - len(share))) for share in shares], axis=0)
    found: NDArray[np.int64] = np.flatnonzero(least >= min_share)
    return found[found > 0]
