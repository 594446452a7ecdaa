"""Multinomial logistic regression fast enough to refit after every stroke.

The objective is scikit-learn's ``LogisticRegression(C=1 / (l2 * n), class_weight="balanced")`` on standardised
features, divided by the number of samples n::

    sum_i s_i * -log softmax(W x_i + b)[y_i]  +  l2 / 2 * |W|^2,        s_i = 1 / (classes * samples of class y_i)

where, of two classes, only the difference of their weights is penalised. It is minimised by Newton's method with
conjugate gradients (Nocedal & Wright, *Numerical Optimization*, 7.1). A gradient takes two products with all samples.
Curvature needs less: samples that are already sure contribute hardly any, so products with the Hessian use some
hundred samples, drawn by their curvature (sub-sampled Newton, Byrd et al., SIAM J. Optim. 21, 2011). The gradient
stays exact, and so does the solution.

All products are arranged as (classes x channels) @ (channels x samples): with the few classes on the left, BLAS is
about five times faster than the other way round.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from patchfield.probe.labels import Integers

_MIN_CURVED = 512
"""Samples that the Hessian is seen through; as many as channels when those are more."""

_MIN_MEASURED = 2048
"""Samples that the curvature of a finished fit is measured on; twice as many as channels when those are more."""

_MAX_STEPS = 100
_MAX_CG_STEPS = 80
_CG_TOLERANCE = 0.1
"""Each Newton step is solved to this part of its gradient: more exact steps cost more than they save."""

_SUFFICIENT_DECREASE = 1e-4
_CONSTANT = 1e-6
"""A channel whose deviation is less than this part of its mean only varies by rounding."""


@dataclass(frozen=True, eq=False)
class LinearMap:
    """Class scores of raw features: ``features @ weights + bias``.

    Attributes
    ----------
    weights : (channels, classes) float32 array
    bias : (classes,) float32 array
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]


def measure_response(
    features: Sequence[NDArray[np.float32]], classes: Integers, l2: float, scores: LinearMap
) -> NDArray[np.float32]:
    """How far weights give way to a push: the inverse of the curvature of what :func:`fit_softmax` minimises.

    At its minimum `scores`, mean over the classes, the bias free. Many samples are seen through those that curve most.

    Returns
    -------
    (channels, channels) float32 array
        For raw features.
    """
    samples, mean, scale = _standardised(features)
    problem = _Problem(samples, torch.from_numpy(classes), l2)
    hessian = problem.mean_hessian(_unfolded(scores, problem.class_count, mean, scale))
    response: NDArray[np.float64] = (torch.linalg.inv(hessian.double()) / torch.outer(scale, scale)).numpy()
    return np.ascontiguousarray(response, np.float32)


def fit_softmax(
    features: Sequence[NDArray[np.float32]],
    classes: Integers,
    l2: float,
    start: LinearMap | None = None,
    tolerance: float = 3e-4,
) -> LinearMap:
    """Fit class scores to samples.

    Parameters
    ----------
    features : sequence of (n_i, channels) float32 arrays
        Samples, in any number of parts.
    classes : (n,) int64 array
        Class index of each sample, 0 to K - 1, each of them at least once.
    l2 : float
        Strength of the penalty on the squared weights (of standardised features).
    start : LinearMap, optional
        Scores to start from (warm start), for the same classes.
    tolerance : float
        Take the last step when it promises to lower the objective by less than this part of it. The objective is
        then within 1e-5 of its minimum, relatively, and probabilities within a few 1e-3 (both measured); 1e-6 brings
        them to float32 precision for twice the time.

    Returns
    -------
    LinearMap
        For features as they are: the standardisation is folded in. Weights and biases of all classes sum to zero,
        which the softmax cannot see and which keeps them small (tokens are float16).
    """
    samples, mean, scale = _standardised(features)
    problem = _Problem(samples, torch.from_numpy(classes), l2)
    weights = problem.newton(_unfolded(start, problem.class_count, mean, scale), tolerance)
    return _folded(weights, mean, scale)


def _standardised(parts: Sequence[NDArray[np.float32]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Samples (n, C + 1) with mean 0 and deviation 1 and a last column of ones; the means; the deviations."""
    raw = [torch.from_numpy(part) for part in parts]
    count, channels = sum(len(part) for part in raw), raw[0].shape[1]
    mean = torch.stack([torch.ones(len(part)) @ part for part in raw]).sum(0) / count
    samples = torch.empty(count, channels + 1)
    samples[:, channels] = 1
    values = samples[:, :channels]
    for part, target in zip(raw, torch.split(values, [len(part) for part in raw]), strict=True):
        torch.sub(part, mean, out=target)
    scale = torch.linalg.vector_norm(values, dim=0) / count**0.5
    scale[scale <= _CONSTANT * mean.abs()] = 1
    values /= scale
    return samples, mean.double(), scale.double()


def _unfolded(start: LinearMap | None, class_count: int, mean: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Scores of raw features as scores (K, C + 1) of standardised ones; zeros to start from nothing."""
    if start is None:
        return torch.zeros(class_count, len(mean) + 1)
    raw, bias = torch.from_numpy(start.weights).double().T, torch.from_numpy(start.bias).double()
    scores = torch.hstack([raw * scale, (bias + raw @ mean)[:, None]])
    return (scores - scores.mean(0)).float()


def _folded(weights: torch.Tensor, mean: torch.Tensor, scale: torch.Tensor) -> LinearMap:
    """Scores of standardised features as scores of raw ones, centred over the classes."""
    centred = weights.double() - weights.double().mean(0)
    raw = centred[:, :-1] / scale
    bias = centred[:, -1] - raw @ mean
    return LinearMap(raw.T.float().contiguous().numpy(), bias.float().numpy())


class _Problem:
    """The objective on standardised samples.

    Parameters
    ----------
    samples : (n, C + 1) float32 tensor
        The last column is 1.
    classes : (n,) int64 tensor
    l2 : float
    """

    def __init__(self, samples: torch.Tensor, classes: torch.Tensor, l2: float) -> None:
        counts = torch.bincount(classes)
        self.class_count = len(counts)
        self._samples, self._classes = samples, classes
        self._shares = 1 / (self.class_count * counts[classes]).float()
        self._truth = torch.nn.functional.one_hot(classes, self.class_count).T.float().contiguous()
        # Of two classes, scikit-learn penalises |W_1 - W_0|^2, which for centred weights is 2 |W|^2.
        self._penalty = torch.full((samples.shape[1],), 2 * l2 if self.class_count == 2 else l2)
        self._penalty[-1] = 0
        self._curved = max(_MIN_CURVED, samples.shape[1])

    def newton(self, weights: torch.Tensor, tolerance: float) -> torch.Tensor:
        """The weights (K, C + 1) that minimise the objective."""
        value, gradient, probabilities = self.evaluate(weights)
        if value > math.log(self.class_count):  # worse than knowing nothing: not a start to go on from
            weights = torch.zeros_like(weights)
            value, gradient, probabilities = self.evaluate(weights)
        for _ in range(_MAX_STEPS):
            step = _conjugate_gradients(self._curvature(probabilities), -gradient)
            slope = float((gradient * step).sum())
            if -slope <= tolerance * value:
                return weights + step  # this close, Newton's step needs no check
            length = 1.0
            while length > 1e-6:
                tried = self.evaluate(weights + length * step)
                if tried[0] <= value + _SUFFICIENT_DECREASE * length * slope:
                    break
                # The minimum of the parabola through what is known, within reason.
                best = -slope * length**2 / (2 * (tried[0] - value - slope * length))
                length = min(max(best, 0.1 * length), 0.5 * length)
            else:
                break  # float32 sees no further decrease
            weights = weights + length * step
            value, gradient, probabilities = tried
        return weights

    def mean_hessian(self, weights: torch.Tensor) -> torch.Tensor:
        """Second derivatives by the weights of one class (C, C), mean over classes, penalty included."""
        probabilities = self.evaluate(weights)[2]
        sizes = self._shares * (probabilities * (1 - probabilities)).mean(0)
        samples = self._samples[:, :-1]
        count = max(_MIN_MEASURED, 2 * samples.shape[1])
        if len(samples) > count:
            kept, sizes = _draw(sizes, sizes, count)
            samples = samples[kept]
        centred = samples - (sizes @ samples) / sizes.sum().clamp(min=torch.finfo(sizes.dtype).tiny)
        return (centred * sizes[:, None]).T @ centred + torch.diag(self._penalty[:-1])

    def evaluate(self, weights: torch.Tensor) -> tuple[float, torch.Tensor, torch.Tensor]:
        """The objective, its gradient (K, C + 1), and the class probabilities (K, n)."""
        logs = torch.log_softmax(weights @ self._samples.T, 0)
        losses = -logs.gather(0, self._classes[None])[0] * self._shares
        value = losses.sum(dtype=torch.float64) + (self._penalty * weights.double() ** 2).sum() / 2
        probabilities = logs.exp()
        gradient = ((probabilities - self._truth) * self._shares) @ self._samples + self._penalty * weights
        return float(value), gradient, probabilities

    def _curvature(self, probabilities: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        """Products with the Hessian at given probabilities, estimated from the samples that curve most."""
        samples, shares = self._samples, self._shares
        if len(samples) > self._curved:
            kept, shares = _draw(shares * (1 - probabilities.square().sum(0)), shares, self._curved)
            samples, probabilities = samples[kept], probabilities[:, kept]
        weighted = probabilities * shares

        def product(direction: torch.Tensor) -> torch.Tensor:
            scores = direction @ samples.T
            change = weighted * (scores - (probabilities * scores).sum(0))
            return change @ samples + self._penalty * direction

        return product


def _draw(sizes: torch.Tensor, shares: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw about `count` samples with probability proportional to size, the largest for certain.

    This is threshold sampling (Duffield, Lund & Thorup, IEEE Trans. Inf. Theory 51, 2005), made deterministic by
    taking a sample whenever the running sum of probabilities passes an integer. Shares are divided by the
    probabilities, so that sums over the drawn samples estimate sums over all.
    """
    ranked = sizes.double().sort(descending=True).values
    rest = ranked.sum() - ranked.cumsum(0) + ranked
    thresholds = rest[:count] / torch.arange(count, 0, -1)
    certain = int((ranked[:count] > thresholds).sum())
    threshold = thresholds[min(certain, count - 1)]
    probabilities = (sizes.double() / threshold).clamp(max=1)
    running = probabilities.cumsum(0).floor()
    kept = torch.nonzero(torch.diff(running, prepend=torch.zeros(1, dtype=running.dtype)))[:, 0]
    return kept, shares[kept] / probabilities[kept].float()


def _conjugate_gradients(product: Callable[[torch.Tensor], torch.Tensor], target: torch.Tensor) -> torch.Tensor:
    """Solve ``product(x) = target`` for a positive definite product, roughly; the answer never points uphill."""
    answer, residual = torch.zeros_like(target), target.clone()
    direction = residual.clone()
    size = first = float(residual.square().sum())
    for _ in range(_MAX_CG_STEPS):
        if size <= _CG_TOLERANCE**2 * first or size == 0:
            break
        curved = product(direction)
        curvature = float((direction * curved).sum())
        if curvature <= 0:  # rounding
            break
        answer.add_(direction, alpha=size / curvature)
        residual.sub_(curved, alpha=size / curvature)
        new_size = float(residual.square().sum())
        direction = residual + direction * (new_size / size)
        size = new_size
    return answer
