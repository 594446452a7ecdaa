import numpy as np
import pytest

from patchfield.evaluate.metrics import mean_iou
from patchfield.evaluate.micrographs.protocols import Example, drawn_pixels, linear_probe, overclustering, retrieval


@pytest.fixture
def examples(field_of, features_of, phases):
    """Two images of the same classes with noisy features."""
    return [
        Example(f"{i}", field_of(features_of(labels, noise=0.7, seed=i)), labels, None)
        for i, labels in enumerate((phases, phases[::-1]))
    ]


def test_drawn_pixels_keep_to_the_budget_over_all_images(phases):
    rare = np.zeros_like(phases)
    rare[0, :4] = 17
    drawn = drawn_pixels([phases, rare], 10, seed=0)
    whole = np.concatenate([each.ravel() for each in drawn])
    values, counts = np.unique(whole[whole > 0], return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == {3: 10, 5: 10, 9: 10, 17: 4}
    assert all(
        np.array_equal(each[each > 0], truth[each > 0]) for each, truth in zip(drawn, (phases, rare), strict=True)
    )


def test_drawn_pixels_follow_the_seed(phases):
    first, again, other = (drawn_pixels([phases], 10, seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_every_protocol_finds_classes_that_the_features_tell_apart(examples):
    train, test = examples[:1], examples[1:]
    truth = test[0].truth
    drawn = drawn_pixels([train[0].truth], 50, seed=0)
    assert mean_iou(linear_probe(train, test, drawn)[0], truth) > 0.95
    assert mean_iou(retrieval(train, test, neighbours=5, temperature=0.02, patch=4)[0], truth) > 0.85
    fitted, oracle = overclustering(train, test, clusters=12, seed=0)
    assert mean_iou(fitted[0], truth) > 0.9
    assert mean_iou(oracle[0], truth) > 0.9


def test_only_the_oracle_map_sees_the_test_labels(examples, field_of):
    """Where the test image's labels are renamed, the fitted map is all wrong and the oracle map does not mind."""
    train, test = examples[0], examples[1]
    renamed = np.select([test.truth == 3, test.truth == 5, test.truth == 9], [5, 9, 3])
    swapped = Example(test.name, test.field, renamed, None)
    fitted, oracle = overclustering([train], [swapped], clusters=12, seed=0)
    assert mean_iou(fitted[0], renamed) < 0.1
    assert mean_iou(oracle[0], renamed) > 0.9


def test_images_without_labels_do_not_train(examples):
    strokes = [*drawn_pixels([examples[0].truth], 30, seed=0), np.zeros_like(examples[1].truth)]
    (alone,) = linear_probe(examples[:1], examples[1:], strokes[:1])
    (beside,) = linear_probe(examples, examples[1:], strokes)
    np.testing.assert_array_equal(alone, beside)
