"""The solver against scikit-learn's, on the same objective."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from patchfield.probe.solver import LinearMap, fit_softmax

SETTINGS = [(2, 12, 300, 0.03), (4, 12, 300, 0.001), (3, 60, 3000, 0.01), (3, 80, 60, 0.1)]
"""Classes, channels, samples, l2: few samples, many (the Hessian is sampled), more channels than samples."""


def blobs(classes: int, channels: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping, correlated clouds of very different sizes, scales and offsets."""
    rng = np.random.default_rng(0)
    truth = np.sort(rng.choice(classes, count, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum()))
    centres = rng.normal(size=(classes, channels))
    features = (centres[truth] + 2 * rng.normal(size=(count, channels))) @ rng.normal(size=(channels, channels))
    return (features * 10 ** rng.uniform(-2, 2, channels) + 5).astype(np.float32), truth


def reference(features: np.ndarray, truth: np.ndarray, l2: float):
    logistic = LogisticRegression(C=1 / (l2 * len(truth)), class_weight="balanced", tol=1e-8, max_iter=10_000)
    return make_pipeline(StandardScaler(), logistic).fit(features.astype(np.float64), truth)


def probabilities(scores: LinearMap, features: np.ndarray) -> np.ndarray:
    logits = features.astype(np.float64) @ scores.weights + scores.bias
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    return probabilities / probabilities.sum(1, keepdims=True)


def objective(scores: LinearMap, features: np.ndarray, truth: np.ndarray, l2: float) -> float:
    counts = np.bincount(truth)
    losses = -np.log(probabilities(scores, features)[np.arange(len(truth)), truth])
    scale = StandardScaler().fit(features.astype(np.float64)).scale_
    l2 *= 2 if len(counts) == 2 else 1
    return (losses / (len(counts) * counts[truth])).sum() + l2 / 2 * ((scores.weights * scale[:, None]) ** 2).sum()


@pytest.mark.parametrize(("classes", "channels", "count", "l2"), SETTINGS)
def test_converged_it_is_scikit_learns_logistic_regression(classes, channels, count, l2):
    features, truth = blobs(classes, channels, count)
    scores = fit_softmax([features], truth, l2, tolerance=1e-7)
    expected = reference(features, truth, l2).predict_proba(features.astype(np.float64))
    np.testing.assert_allclose(probabilities(scores, features), expected, atol=1e-3)


@pytest.mark.parametrize(("classes", "channels", "count", "l2"), SETTINGS)
def test_the_default_tolerance_reaches_the_minimum_within_1e_4(classes, channels, count, l2):
    features, truth = blobs(classes, channels, count)
    best = objective(fit_softmax([features], truth, l2, tolerance=1e-8), features, truth, l2)
    assert objective(fit_softmax([features], truth, l2), features, truth, l2) <= best * (1 + 1e-4)


def test_where_it_starts_does_not_matter():
    features, truth = blobs(3, 30, 2000)
    elsewhere = LinearMap(np.random.default_rng(1).normal(size=(30, 3)).astype(np.float32), np.zeros(3, np.float32))
    cold = fit_softmax([features], truth, 0.01, tolerance=1e-7)
    for start in (cold, elsewhere):
        warm = fit_softmax([features], truth, 0.01, start, tolerance=1e-7)
        np.testing.assert_allclose(probabilities(warm, features), probabilities(cold, features), atol=1e-3)


def test_parts_are_as_good_as_the_whole():
    features, truth = blobs(2, 8, 200)
    whole = fit_softmax([features], truth, 0.01)
    parts = fit_softmax([features[:50], features[50:]], truth, 0.01)
    np.testing.assert_allclose(parts.weights, whole.weights, rtol=1e-3, atol=1e-5)


def test_constant_channels_and_separable_classes_are_harmless():
    features = np.zeros((40, 4), np.float32)
    features[:, 1] = 1000  # constant up to nothing
    features[:, 2] = 1000 + 1e-5 * np.arange(40)  # constant up to rounding
    features[20:, 3] = 1
    truth = np.repeat([0, 1], 20)
    scores = fit_softmax([features], truth, 1e-3)
    assert np.isfinite(scores.weights).all()
    assert np.abs(scores.weights[:3]).max() < 1e-3 * np.abs(scores.weights[3]).max()
    np.testing.assert_array_equal(probabilities(scores, features).argmax(1), truth)


def test_weights_are_centred_over_the_classes():
    features, truth = blobs(4, 12, 300)
    scores = fit_softmax([features], truth, 0.01)
    np.testing.assert_allclose(scores.weights.sum(1), 0, atol=1e-5 * np.abs(scores.weights).max())
