"""The metrics against scikit-learn and against examples worked by hand."""

import numpy as np
import pytest
import sklearn.metrics

from patchfield.errors import LabelError
from patchfield.evaluate.metrics import (
    class_iou,
    confusion_matrix,
    mean_iou,
    mean_iou_of_image,
    mean_iou_of_set,
    pixel_accuracy,
)


@pytest.fixture
def random_labels(request):
    generator = np.random.default_rng(request.param)
    values = np.array([0, 1, 3, 7, 200])
    truth = generator.choice(values, (23, 31), p=[0.2, 0.3, 0.3, 0.15, 0.05]).astype(np.uint8)
    noise = generator.choice(values[1:], truth.shape)
    prediction = np.where(generator.random(truth.shape) < 0.5, truth, noise).astype(np.uint16)
    return prediction, truth


@pytest.mark.parametrize("random_labels", range(5), indirect=True)
@pytest.mark.parametrize("ignore", [0, 200, None, (0, 200)])
def test_matches_scikit_learn(random_labels, ignore):
    prediction, truth = random_labels
    counted = ~np.isin(truth, [] if ignore is None else ignore)
    values = np.unique(np.concatenate([truth[counted], prediction[counted]]))
    confusion = confusion_matrix(prediction, truth, ignore=ignore)
    pair = truth[counted], prediction[counted]
    np.testing.assert_array_equal(confusion, sklearn.metrics.confusion_matrix(*pair, labels=values))
    expected = sklearn.metrics.jaccard_score(*pair, labels=values, average=None, zero_division=0)
    np.testing.assert_allclose(class_iou(confusion), expected)
    np.testing.assert_allclose(mean_iou_of_set(confusion), expected.mean())
    np.testing.assert_allclose(pixel_accuracy(confusion), sklearn.metrics.accuracy_score(*pair))
    present = np.unique(truth[counted])
    of_present = sklearn.metrics.jaccard_score(*pair, labels=present, average="macro", zero_division=0)
    np.testing.assert_allclose(mean_iou(prediction, truth, ignore=ignore), of_present)


def test_the_two_means_differ_on_absent_classes():
    truth, prediction = [1, 1, 1, 1], [1, 1, 1, 2]
    confusion = confusion_matrix(prediction, truth, values=[1, 2, 3])
    assert mean_iou_of_image(confusion) == 0.75
    assert mean_iou_of_set(confusion) == 0.25
    assert np.isnan(class_iou(confusion)[2])


def test_predicting_nothing_is_wrong_not_ignored():
    assert mean_iou([0, 0, 1, 1], [1, 1, 1, 1]) == 0.5


def test_perfect_and_empty():
    assert mean_iou([[4, 9]], [[4, 9]]) == 1.0
    assert np.isnan(mean_iou([1, 2], [0, 0]))


def test_sums_over_images_and_stacks_of_matrices():
    values = [2, 1]
    first = confusion_matrix([1, 2, 2], [1, 1, 2], values)
    second = confusion_matrix([2, 2, 1], [2, 2, 1], values)
    np.testing.assert_array_equal(first + second, confusion_matrix([1, 2, 2, 2, 2, 1], [1, 1, 2, 2, 2, 1], values))
    stacked = np.stack([first, second])
    np.testing.assert_allclose(mean_iou_of_image(stacked), [mean_iou_of_image(first), mean_iou_of_image(second)])


def test_refuses_what_would_flatter():
    with pytest.raises(LabelError, match="prediction holds 3"):
        confusion_matrix([1, 3], [1, 2], values=[1, 2])
    with pytest.raises(LabelError, match="mask holds 2"):
        confusion_matrix([1, 1], [1, 2], values=[1])
    with pytest.raises(LabelError, match="shape"):
        mean_iou(np.ones((2, 3)), np.ones((3, 2)))


def test_numbers_of_objects_are_refused_before_they_fill_the_memory():
    objects = np.arange(60_000).reshape(200, 300)
    with pytest.raises(LabelError, match="numbers of objects"):
        confusion_matrix(objects, objects)
