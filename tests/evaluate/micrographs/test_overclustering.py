import numpy as np

from patchfield.evaluate.metrics import contingency_table, match_by_precision, matched_confusion, mean_iou_of_set
from patchfield.explore.clusters import POINTS_PER_CLUSTER, Clusters


def clustered(fields, count, seed=0):
    return Clusters.fit(fields, count, seed, POINTS_PER_CLUSTER * count, components=50)


def test_distinct_features_get_clusters_of_their_own(field_of, features_of, phases):
    field = field_of(features_of(phases, noise=0.0))
    clusters = clustered([field], 3).assign(field)
    pairs = set(zip(clusters.ravel().tolist(), phases.ravel().tolist(), strict=True))
    assert len(pairs) == 3


def test_a_pixel_goes_to_its_nearest_centroid(field_of, features_of, phases):
    """The centroids are recovered as the means of the clusters: Lloyd's condition, on pixels that were all seen."""
    features = features_of(phases, noise=1.0).astype(np.float16).astype(np.float64)
    field = field_of(features)
    clusters = clustered([field], 6, seed=3).assign(field).ravel() - 1
    flat = features.reshape(-1, 12)
    standard = (flat - flat.mean(0)) / flat.std(0)
    chosen = np.random.default_rng(3).choice(len(flat), 256 * 6, replace=False)
    means = np.stack([standard[chosen][clusters[chosen] == k].mean(0) for k in range(6)])
    nearest = ((standard[:, None] - means) ** 2).sum(-1).argmin(1)
    assert np.mean(nearest == clusters) > 0.99


def test_seeds_repeat_and_differ(field_of, features_of, phases):
    fields = [field_of(features_of(phases, noise=2.0, seed=seed)) for seed in (0, 1)]
    first, again, other = (clustered(fields, 8, seed).assign(fields[0]) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_map_fitted_on_one_image_holds_on_another(field_of, features_of, phases):
    train, test = (field_of(features_of(labels, noise=0.5)) for labels in (phases, phases[::-1]))
    clusters = clustered([train], 12)
    values = [3, 5, 9]
    fitted = match_by_precision(contingency_table(clusters.assign(train), phases, range(1, 13), values))
    table = contingency_table(clusters.assign(test), phases[::-1], range(1, 13), values)
    assert mean_iou_of_set(matched_confusion(table, fitted)) > 0.99
