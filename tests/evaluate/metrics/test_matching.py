from itertools import permutations

import numpy as np
import pytest

from patchfield.evaluate.metrics import (
    class_iou,
    confusion_matrix,
    contingency_table,
    match_by_precision,
    match_one_to_one,
    matched_confusion,
    mean_iou_of_set,
)


@pytest.mark.parametrize("classes", [2, 3, 5, 6])
def test_one_to_one_is_the_best_of_all_permutations(classes):
    table = np.random.default_rng(classes).integers(0, 50, (classes, classes))
    best = max(class_iou(matched_confusion(table, match)).mean() for match in permutations(range(classes)))
    assert class_iou(matched_confusion(table, match_one_to_one(table))).mean() == pytest.approx(best)


def test_left_over_clusters_go_to_the_unmatched_class():
    table = [[9, 0, 1], [0, 9, 1]]
    np.testing.assert_array_equal(match_one_to_one(table), [0, 1, 0])
    np.testing.assert_array_equal(match_one_to_one(table, unmatched=1), [0, 1, 1])


def test_precision_counts_shares_of_the_cluster_not_of_the_class():
    # Cluster 1 holds most of the small class 1, yet most of its pixels are class 0.
    table = np.array([[50, 30, 3, 0], [0, 20, 3, 0]])
    np.testing.assert_array_equal(match_by_precision(table), [0, 0, 0, 0])
    np.testing.assert_array_equal(match_by_precision(table[::-1]), [1, 1, 0, 1])


@pytest.mark.parametrize("match", [match_one_to_one, match_by_precision])
def test_a_perfect_clustering_scores_one(match):
    generator = np.random.default_rng(0)
    truth = generator.choice([1, 4, 5, 9], 500)
    clusters = np.array([0, 3, 2, 0, 1, 2, 0, 0, 0, 0])[truth]
    table = contingency_table(clusters, truth, range(4), [1, 4, 5, 9])
    assert mean_iou_of_set(matched_confusion(table, match(table))) == 1.0


def test_matched_confusion_is_that_of_the_relabelled_image():
    generator = np.random.default_rng(1)
    truth, clusters = generator.integers(1, 4, 300), generator.integers(0, 8, 300)
    table = contingency_table(clusters, truth, range(8), [1, 2, 3])
    match = match_by_precision(table)
    np.testing.assert_array_equal(
        matched_confusion(table, match), confusion_matrix(match[clusters] + 1, truth, [1, 2, 3])
    )
