"""The closed-form classifier against scikit-learn, and its gradient."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from training.episodes.ridge import fit_ridge


@pytest.mark.parametrize("penalty", [0.01, 1.0])
def test_it_is_the_weighted_ridge_of_scikit_learn(penalty):
    rng = np.random.default_rng(0)
    features, classes = rng.standard_normal((60, 7)), np.repeat([0, 1, 2], [40, 15, 5])
    weights, bias = fit_ridge(torch.tensor(features), torch.tensor(classes), 3, penalty)
    balance = 1 / (3 * np.bincount(classes)[classes])
    reference = Ridge(alpha=penalty).fit(features, np.eye(3)[classes], sample_weight=balance)
    np.testing.assert_allclose(weights.T, reference.coef_, atol=1e-8)
    np.testing.assert_allclose(bias, reference.intercept_, atol=1e-8)


def test_gradients_reach_features_and_penalty():
    torch.manual_seed(0)
    features = torch.randn(12, 4, dtype=torch.float64, requires_grad=True)
    penalty = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    classes = torch.tensor([0, 1, 2] * 4)
    assert torch.autograd.gradcheck(lambda x, p: fit_ridge(x, classes, 3, p), (features, penalty))
