"""The classifier of an episode: ridge regression in closed form, through which gradients reach the features.

Bertinetto et al., "Meta-learning with differentiable closed-form solvers", ICLR 2019; Lee et al., "Meta-learning with
differentiable convex optimization", CVPR 2019.
"""

import torch
from torch import Tensor
from torch.nn import functional


def fit_ridge(features: Tensor, classes: Tensor, count: int, penalty: Tensor | float) -> tuple[Tensor, Tensor]:
    """A class-balanced ridge regression onto one-hot targets.

    Minimises ``sum_i s_i |x_i W + b - onehot(y_i)|^2 + penalty |W|^2`` with ``s_i = 1 / (count * samples of y_i)``.

    Parameters
    ----------
    features : Tensor (n, C) float32
    classes : Tensor (n,) int64
        0 to ``count - 1``, each of them at least once.
    count : int
        Number of classes K.
    penalty : Tensor or float
        Of the squared weights.

    Returns
    -------
    weights : Tensor (C, K)
    bias : Tensor (K,)

    Examples
    --------
    >>> weights, bias = fit_ridge(torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 1]), 2, 0.0)
    >>> weights.tolist(), bias.tolist()
    ([[-0.5, 0.5]], [0.5, 0.5])
    """
    targets = functional.one_hot(classes, count).to(features.dtype)
    share = (targets / (count * targets.sum(0))).sum(1, keepdim=True)
    centre, mean_target = (share * features).sum(0), (share * targets).sum(0)
    centred = features - centre
    covariance = centred.T @ (share * centred)
    ridge = penalty * torch.eye(len(covariance), dtype=features.dtype, device=features.device)
    weights = torch.linalg.solve(covariance + ridge, centred.T @ (share * (targets - mean_target)))
    return weights, mean_target - centre @ weights
