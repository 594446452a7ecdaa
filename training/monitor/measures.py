"""What to watch while post-training without labels: do the features stay alive?

All functions take and return plain tensors and numbers, need no gradient, and cost a few milliseconds at a few thousand
patches.
"""

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

COLLAPSED_SHARE = 0.6
"""Training should stop when the effective rank has fallen below this share of its start."""


@torch.no_grad()
def effective_rank(features: Tensor) -> float:
    """Number of directions that features really use: the exponential of the entropy of their singular values.

    Roy and Vetterli (EUSIPCO 2007), on centred features. A collapsing backbone shows here first.

    Parameters
    ----------
    features : (n, channels)

    Returns
    -------
    float
        1 (all on a line) to ``min(n - 1, channels)``; 0 when all features are equal.

    Examples
    --------
    >>> round(effective_rank(torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]])), 3)
    2.0
    """
    centred = features.double() - features.double().mean(0)
    spectrum = torch.linalg.svdvals(centred)
    if spectrum.sum() == 0:
        return 0.0
    share = spectrum / spectrum.sum()
    return float(torch.special.entr(share).sum().exp())


def has_collapsed(rank: float, initial_rank: float) -> bool:
    """Whether an effective rank has fallen below 60 % of its start: stop, and go back to an earlier checkpoint."""
    return rank < COLLAPSED_SHARE * initial_rank


@torch.no_grad()
def drift(features: Tensor, original: Tensor) -> float:
    """Mean cosine of the features with those of the original backbone at the same patches: 1 when nothing has moved.

    Parameters
    ----------
    features, original : (n, channels)
    """
    return float(cosine_similarity(features.float(), original.float(), dim=-1).mean())


@torch.no_grad()
def neighbour_consistency(first: Tensor, second: Tensor, references: Tensor) -> float:
    """Share of patches whose nearest reference is the same in two augmented views of the image.

    Parameters
    ----------
    first, second : (n, channels)
        Features of the same patches in the two views.
    references : (r, channels)
        NeCo compares with 49.

    Returns
    -------
    float
        0 to 1; chance is about ``1 / r``.
    """
    references = normalize(references.float(), dim=-1)
    nearest = [(normalize(view.float(), dim=-1) @ references.T).argmax(-1) for view in (first, second)]
    return float((nearest[0] == nearest[1]).float().mean())
