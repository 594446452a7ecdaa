"""What is computed for each exploration, off the GUI thread: a picture of the plane on view, and what made it."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patchfield.backbones import AttentionMaps, ViT
from patchfield.explore import (
    Clusters,
    Foreground,
    MergeTree,
    Place,
    PrincipalComponents,
    Similarity,
    attention_cutoff,
    cluster_densities,
    pooled,
)
from patchfield.explore.similarity import similar_places
from patchfield.explore.standard import SAMPLES, Standard, sample_pixels
from patchfield.field import FeatureField, FeatureRecipe
from patchfield.images import model_image
from patchfield.napari.layers.stack import LayerStack
from patchfield.napari.session.planes import Plane
from patchfield.pipeline import Extractor

CLUSTERS = 80
"""As many small clusters as HR-Dv2 makes; groups are made by merging them."""


@dataclass(frozen=True)
class Waiting:
    """Something goes on that has no picture yet; the job can be cancelled here."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A plane whose features are there."""

    source: LayerStack
    plane: Plane
    field: FeatureField


@dataclass(frozen=True, eq=False)
class Grouping:
    """Small clusters, the tree that merges them, and the number of groups that a rule proposes."""

    clusters: Clusters
    tree: MergeTree
    proposed: int


@dataclass(frozen=True, eq=False)
class Attended:
    """The attention of a plane as a score from 0 to 1; `middle` is that of the mean attention."""

    maps: FeatureField
    middle: float


@dataclass(frozen=True, eq=False)
class Search:
    """Planes that a place is looked for in, prepared, and what was found."""

    standard: Standard
    prepared: Mapping[Plane, Similarity]
    places: tuple[tuple[Plane, Place], ...]


Model = PrincipalComponents | Grouping | Search | Foreground | Attended | FeatureField
Transformer = tuple[FeatureRecipe, ViT]
"""A vision transformer with a class token, and how it is used."""


@dataclass(frozen=True, eq=False)
class Picture:
    """What is shown, (H, W) or (H, W, 3), and what it was made with."""

    values: NDArray[Any]
    model: Model


Steps = Generator[Waiting | Picture, None, None]


def pca(current: Seen, seen: tuple[Seen, ...], model: PrincipalComponents | None) -> Steps:
    """Colours by one basis for all planes."""
    components = model or PrincipalComponents.fit([entry.field for entry in seen])
    yield Picture(components.rgb(current.field), components)


def clusters(
    current: Seen, seen: tuple[Seen, ...], side: float, transformer: Transformer | None, model: Grouping | None
) -> Steps:
    """The number of each pixel's small cluster, of clusters that all planes share.

    How they are merged is proposed by their merge tree, or by a transformer's attention to the plane on view.
    """
    if model is None:
        share = max(1, SAMPLES // len(seen))
        parts = []
        for entry in seen:
            parts.append(sample_pixels(pooled(entry.field, side), share))
            yield Waiting()
        features = np.concatenate(parts)
        found = Clusters.from_features(features, min(CLUSTERS, len(features)))
        tree = MergeTree.from_clusters(found)
        model = Grouping(found, tree, tree.natural)
        yield Waiting()
        if transformer is not None:
            maps = yield from _maps(current, *transformer)
            model = _by_attention(found, found.assign(pooled(current.field, side)), maps)
    yield Picture(model.clusters.assign(pooled(current.field, side)), model)


def similarity(
    current: Seen, seen: tuple[Seen, ...], side: float, asked: tuple[Plane, int, int], model: Search | None
) -> Steps:
    """How much every pixel looks like the one that was asked for, and where all planes look most like it."""
    wide = {entry.plane: pooled(entry.field, side) for entry in seen}
    standard = model.standard if model is not None else _standard(list(wide.values()))
    plane, row, column = asked
    # A plane of a stack that was left is searched no more, unless it was clicked at.
    known = {} if model is None else {p: found for p, found in model.prepared.items() if p in wide or p == plane}
    prepared = dict(known)
    for other, field in wide.items():
        if other not in prepared:
            prepared[other] = Similarity.from_field(field, standard=standard)
            yield Waiting()
    if plane not in prepared:
        return
    direction = prepared[plane].direction(row, column)
    planes = list(prepared)
    places = tuple((planes[place.image], place) for place in similar_places(list(prepared.values()), direction))
    yield Picture(prepared[current.plane].to_direction(direction), Search(standard, prepared, places))


def foreground(current: Seen, seen: tuple[Seen, ...], side: float, model: Foreground | None) -> Steps:
    """The score of every pixel for being foreground, by the first component of all planes."""
    if model is None:
        pictures = []
        for entry in seen:
            pictures.append(model_image(entry.source, entry.source.settings, entry.plane.index).whole().mean(-1))
            yield Waiting()
        model = Foreground.from_first_component([pooled(entry.field, side) for entry in seen], pictures)
    yield Picture(model.score(pooled(current.field, side)), model)


def attention(current: Seen, recipe: FeatureRecipe, backbone: ViT, head: int, maps: FeatureField | None) -> Steps:
    """Attention of one head, counted from 1, or the mean over the heads when `head` is 0."""
    if maps is None:
        maps = yield from _maps(current, recipe, backbone)
    yield Picture(_of_head(maps, head), maps)


def attended(current: Seen, recipe: FeatureRecipe, backbone: ViT, model: Attended | None) -> Steps:
    """The attention to every pixel as its score for being foreground."""
    if model is None:
        maps = yield from _maps(current, recipe, backbone)
    else:
        maps = model.maps
    values = _of_head(maps, 0)
    low, high = np.percentile(values, (1, 99))
    span = float(high - low) or 1.0
    score = np.clip((values - low) / span, 0, 1).astype(np.float32)
    yield Picture(score, Attended(maps, float((values.mean() - low) / span)))


def _maps(current: Seen, recipe: FeatureRecipe, backbone: ViT) -> Generator[Waiting | Picture, None, FeatureField]:
    """The attention maps of a plane, one channel per head."""
    maps = None
    settings = current.source.settings
    extractor = Extractor.from_backbone(AttentionMaps(backbone), recipe.sampling, "bilinear", settings)
    for step in extractor.steps(current.source, current.plane.index):
        maps = step.field or maps
        yield Waiting()
    assert maps is not None
    return maps


def _of_head(maps: FeatureField, head: int) -> NDArray[np.float32]:
    heads = maps.channels
    weights = np.full((heads, 1), 1 / heads) if head == 0 else np.eye(heads)[:, [min(head, heads) - 1]]
    return maps.project(weights.astype(np.float32))[0]


def _by_attention(found: Clusters, numbers: NDArray[np.integer], maps: FeatureField) -> Grouping:
    """HR-Dv2's rule: complete linkage, up to the distances of what is attended to from what is not."""
    densities = cluster_densities(numbers, _of_head(maps, 0), len(found.bias))
    tree = MergeTree.from_clusters(found, "complete")
    return Grouping(found, tree, max(2, tree.count_at(attention_cutoff(found.centres, densities))))


def _standard(fields: list[FeatureField]) -> Standard:
    return Standard.from_features(sample_pixels(fields, SAMPLES))
