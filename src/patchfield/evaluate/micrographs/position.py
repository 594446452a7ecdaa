"""Position predictability: how much of *where* a patch is can be read from *what* its features say."""

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from patchfield.evaluate.metrics.patches import PatchGrid
from patchfield.field import FeatureField

_TRAINED_SHARE = 1 / 36
_MIN_TRAINED = 4


def position_predictability(field: FeatureField, patch: int = 14, repeats: int = 6, seed: int = 0) -> float:
    """Coefficient of determination of a linear read-out of row and column from the features of patches.

    A ridge regression (alpha 1, features standardised) learns the two ramps 0 to 1 on a random 1/36 of the patches and
    is scored on all of them, as in "What DINO saw" (arXiv 2603.16840). Where the material is homogeneous, position is a
    nuisance: 1 means that it dominates, 0 or less that it cannot be read. Compare backbones on the same images only.

    Parameters
    ----------
    field : FeatureField
    patch : int
        Side of a patch in pixels.
    repeats : int
        Random choices of patches to average over.
    seed : int

    Returns
    -------
    float
        R2, at most 1.

    Examples
    --------
    >>> import numpy as np, patchfield as pf
    >>> noise = np.random.default_rng(0).random((256, 256))
    >>> position_predictability(pf.extract(noise, "filters")) < 0.3
    True
    """
    grid = PatchGrid(field.shape, patch)
    features = field.sample(*grid.centres())
    ramps = np.indices(grid.count).reshape(2, -1).T / np.maximum(np.array(grid.count) - 1, 1)
    generator = np.random.default_rng(seed)
    trained = min(max(_MIN_TRAINED, round(len(features) * _TRAINED_SHARE)), len(features))
    scores = []
    for _ in range(repeats):
        chosen = generator.choice(len(features), trained, replace=False)
        scaler = StandardScaler().fit(features[chosen])
        probe = Ridge(alpha=1.0).fit(scaler.transform(features[chosen]), ramps[chosen])
        scores.append(r2_score(ramps, probe.predict(scaler.transform(features))))
    return float(np.mean(scores))
