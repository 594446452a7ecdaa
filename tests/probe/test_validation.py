"""Agreement with held-out strokes."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from patchfield.probe import LinearProbe, find_strokes, stroke_agreement


@pytest.fixture
def noisy(labels) -> np.ndarray:
    """Labels with a stroke of class 5 where class 2 is, so that agreement cannot be complete."""
    labels[20, 5:25] = 5
    return labels


def test_it_is_the_balanced_accuracy_of_strokes_held_out(field, noisy):
    strokes = find_strokes(noisy)
    features = field.sample(*np.divmod(strokes.pixels, 96))
    folds = np.empty(len(strokes.pixels), int)
    for value in np.unique(strokes.values):  # strokes of each class, dealt over three folds
        mine = strokes.values == value
        folds[mine] = np.unique(strokes.numbers[mine], return_inverse=True)[1] % 3
    predicted = np.empty_like(strokes.values)
    for fold in range(3):
        train, test = folds != fold, folds == fold
        logistic = LogisticRegression(C=1 / (0.03 * train.sum()), class_weight="balanced", max_iter=5000)
        model = make_pipeline(StandardScaler(), logistic).fit(features[train], strokes.values[train])
        predicted[test] = model.predict(features[test])
    agreement = stroke_agreement([(field, noisy)], LinearProbe(l2=0.03))
    assert agreement.mean == pytest.approx(balanced_accuracy_score(strokes.values, predicted), abs=0.03)
    assert agreement.strokes == 10
    assert agreement.mean == pytest.approx(np.mean(list(agreement.per_class.values())))
    assert agreement.per_class[5] < 0.85 < agreement.per_class[200]


def test_no_figure_before_each_class_has_three_strokes(field, labels):
    assert stroke_agreement([(field, labels)]).mean > 0.9
    labels[50, 5:25] = 0
    assert stroke_agreement([(field, labels)]) is None
    labels[labels != 5] = 0
    assert stroke_agreement([(field, labels)]) is None
    assert stroke_agreement([]) is None


def test_strokes_of_all_images_count(field, labels):
    first, second = labels.copy(), labels.copy()
    first[40:], second[:40] = 0, 0
    assert stroke_agreement([(field, first)]) is None
    assert stroke_agreement([(field, first), (field, second)]).strokes == 9


def test_it_leaves_the_probe_as_it_was(field, labels):
    probe = LinearProbe().fit([(field, labels)])
    before = probe.weights
    stroke_agreement([(field, labels)], probe)
    assert probe.weights is before
