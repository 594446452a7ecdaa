"""The chain of a segmentation without labels: pooled features, small clusters, merging, foreground, places, strokes."""

import numpy as np
import pytest
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.cluster import AgglomerativeClustering

from patchfield.backbones import random_vit
from patchfield.errors import FieldError
from patchfield.explore import (
    Clusters,
    Foreground,
    MergeTree,
    Similarity,
    attention_cutoff,
    cluster_densities,
    confident_strokes,
    pooled,
    similar_places,
)
from patchfield.explore.standard import Standard
from patchfield.field import FeatureField
from patchfield.field.axis import Axis
from patchfield.field.field import Block
from patchfield.field.grid import Grid
from patchfield.field.views import AxisView


def pixel_field(values: np.ndarray) -> FeatureField:
    """A field whose tokens are the pixels of (H, W, C) values."""
    axes = [Axis(size, AxisView(), 0.0, 1, size) for size in values.shape[:2]]
    grid = Grid(torch.from_numpy(values.astype(np.float16)), *axes)
    return FeatureField(values.shape[:2], (Block((grid,), "bilinear"),))


def centred(centres: np.ndarray, sizes: np.ndarray) -> Clusters:
    return Clusters(centres.T.astype(np.float32), np.zeros(len(centres), np.float32), centres, sizes)


@pytest.mark.parametrize("side", [2, 5, 8])
def test_pooling_is_the_mean_over_squares(side):
    values = np.random.default_rng(0).random((40, 31, 2)).astype(np.float16).astype(np.float32)
    field = pixel_field(values)
    found = pooled(field, side)
    (grid,) = found.blocks[0].grids
    step = side // 2
    for i, j in ((0, 0), (1, 2), (3, 1)):
        square = values[i * step : i * step + side, j * step : j * step + side]
        np.testing.assert_allclose(grid.tokens[i, j].float(), square.mean((0, 1)), atol=2e-3)
        centre = (grid.rows.origin + i * grid.rows.pitch, grid.columns.origin + j * grid.columns.pitch)
        assert centre == (i * step + (side - 1) / 2, j * step + (side - 1) / 2)
    flat = pooled(pixel_field(np.full((20, 30, 3), 7.0)), side)
    np.testing.assert_allclose(flat.dense(), 7)
    assert pooled(field, 0) is field is pooled(field, 1)
    assert pooled(field, 10**6).dense().std(axis=(1, 2)).max() < 1e-3


def test_merging_is_wards_and_complete_linkage():
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 1, (25, 4))
    ones = np.ones(25, np.int64)
    for how in ("ward", "complete"):
        tree = MergeTree.from_clusters(centred(centres, ones), how)
        reference = linkage(centres, how)
        scale = np.sqrt(0.5) if how == "ward" else 1
        np.testing.assert_allclose(tree.heights, scale * reference[:, 2], rtol=1e-6)
        for count in (1, 2, 7, 25):
            ours, theirs = tree.groups(count), fcluster(reference, count, "maxclust")
            assert len(set(zip(ours.tolist(), theirs.tolist(), strict=True))) == count
        height = float(np.median(tree.heights))
        assert len(np.unique(tree.groups(tree.count_at(height)))) == tree.count_at(height)


def test_ward_counts_pixels_and_not_clusters():
    points = np.array([[0.0], [1.0], [2.2]])
    assert MergeTree.from_clusters(centred(points, np.array([1, 1, 1]))).groups(2).tolist() == [1, 1, 2]
    assert MergeTree.from_clusters(centred(points, np.array([100, 100, 1]))).groups(2).tolist() == [2, 1, 1]


def test_groups_are_numbered_by_size_and_the_natural_number_is_that_of_the_lumps():
    rng = np.random.default_rng(0)
    lumps = np.array([[0, 0], [9, 0], [0, 9], [9, 9]])
    centres = np.repeat(lumps, 5, axis=0) + rng.normal(0, 0.3, (20, 2))
    tree = MergeTree.from_clusters(centred(centres, np.repeat([4, 3, 2, 1], 5)))
    assert tree.natural == 4
    assert tree.groups(tree.natural).tolist() == np.repeat([1, 2, 3, 4], 5).tolist()
    with pytest.raises(FieldError, match="0 groups"):
        tree.groups(0)


def test_the_published_cutoff_merges_as_scikit_learn_does_with_it():
    rng = np.random.default_rng(1)
    centres = np.concatenate([rng.normal(0, 0.2, (12, 3)), rng.normal(2, 0.2, (8, 3))])
    densities = np.repeat([0.1, 1.0], [12, 8])
    cutoff = attention_cutoff(centres, densities)
    tree = MergeTree.from_clusters(centred(centres, np.ones(20, np.int64)), "complete")
    expected = AgglomerativeClustering(None, linkage="complete", distance_threshold=cutoff).fit_predict(centres)
    ours = tree.groups(tree.count_at(cutoff))
    assert len(set(zip(ours.tolist(), expected.tolist(), strict=True))) == len(set(expected.tolist()))


def test_densities_are_means_over_clusters():
    labels, attention = np.random.default_rng(0).integers(0, 4, (20, 30)), np.random.default_rng(1).random((20, 30))
    expected = [attention[labels == number].mean() for number in (1, 2, 3)]
    np.testing.assert_allclose(cluster_densities(labels, attention, 3), expected)


def test_cosine_clusters_are_nearest_by_angle():
    values = np.abs(np.random.default_rng(0).normal(0, 1, (24, 25, 6))).astype(np.float16).astype(np.float32)
    field = pixel_field(values)
    found = Clusters.fit(field, 5, metric="cosine")
    np.testing.assert_allclose(np.linalg.norm(found.centres, axis=1), 1)
    unit = values / np.linalg.norm(values, axis=2, keepdims=True)
    np.testing.assert_array_equal(found.assign(field), (unit @ found.centres.T).argmax(2) + 1)


def test_the_margin_is_the_distance_to_the_next_group():
    values = np.random.default_rng(0).normal(0, 1, (20, 20, 3))
    field = pixel_field(values)
    clusters, groups = Clusters.fit(field, 6), np.array([1, 1, 2, 2, 2, 3])
    scores = field.project(clusters.weights, clusters.bias)
    best = np.sort(np.stack([scores[groups == group].max(0) for group in (1, 2, 3)]), axis=0)
    np.testing.assert_allclose(clusters.margin(field, groups), best[-1] - best[-2], atol=1e-5)


def test_the_foreground_is_the_side_with_structure_whatever_the_sign():
    rng = np.random.default_rng(0)
    truth = np.zeros((80, 120), bool)
    truth[20:60, 30:80] = True
    picture = np.where(truth, rng.random(truth.shape), 0.5)
    values = truth[..., None] * [3.0, 1.0] + rng.normal(0, 0.05, (80, 120, 2))
    for sign in (1, -1):
        field = pixel_field(sign * values)
        found = Foreground.from_first_component([field], [picture])
        mask = found.mask(field)
        assert (mask & truth).sum() / (mask | truth).sum() > 0.95
        np.testing.assert_allclose(found.inverted().score(field), 1 - found.score(field), atol=1e-5)


def test_places_are_found_on_other_images():
    rng = np.random.default_rng(0)
    pattern = rng.normal(3, 1, 5)
    fields = []
    spots = ((10, 12), (40, 30))
    for row, column in spots:
        values = rng.normal(0, 0.3, (60, 50, 5))
        values[row, column] = pattern
        fields.append(pixel_field(values))
    standard = Standard.from_features(np.concatenate([field.dense().reshape(5, -1).T for field in fields]))
    images = [Similarity.from_field(field, standard=standard) for field in fields]
    direction = images[0].direction(10, 12)
    found = similar_places(images, direction, count=2)
    assert [(place.image, place.row, place.column) for place in found] == [(0, 10, 12), (1, 40, 30)]
    unit = [standard.standardise(field.sample([r], [c]))[0] for field, (r, c) in zip(fields, spots, strict=True)]
    unit = [vector / np.linalg.norm(vector) for vector in unit]
    assert found[1].similarity == pytest.approx(float(unit[0] @ unit[1]), abs=1e-3)


def test_strokes_lie_where_it_is_sure_and_far_from_borders():
    groups = np.ones((90, 90), int)
    groups[:, 45:] = 2
    groups[40:43, 10:40] = 3
    confidence = np.ones((90, 90))
    confidence[45:, :] = 0
    strokes = confident_strokes(groups, confidence, count=6)
    assert set(np.unique(strokes)) == {0, 1, 2, 3}, "a thin group is not left out"
    assert (groups[strokes > 0] == strokes[strokes > 0]).all()
    assert np.abs(np.nonzero(strokes == 2)[1] - 44.5).min() > 2
    assert np.nonzero(strokes == 2)[0].mean() < 45, "where confidence is high"


def test_facets_are_the_means_of_a_heads_vectors():
    vit = random_vit("vit_tiny_patch16_224", depth=2, device="cpu")
    images = torch.rand(1, 3, 48, 64)
    network = vit.transformer
    for block in (0, -1):
        attention = network.vit.blocks[block].attn
        sequence, _ = network._embed(images)
        for earlier in network.vit.blocks[: block % 2]:
            sequence = earlier(sequence)
        vectors = attention.qkv(network.vit.blocks[block].norm1(sequence))[0, 1:].reshape(12, 3, 3, 64)
        for number, facet in enumerate(("query", "key", "value")):
            expected = vectors[:, number].mean(-1).T.reshape(3, 3, 4)
            torch.testing.assert_close(vit.attention(images, block, facet)[0], expected, atol=1e-5, rtol=1e-4)
