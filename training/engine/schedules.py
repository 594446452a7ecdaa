"""What changes over the steps of a run: learning rate, weight decay, the teacher's momentum."""

import math

MIN_MOMENTUM = 0.99


def cosine(start: float, end: float, step: int, steps: int, warmup: int = 0) -> float:
    """Half a cosine from `start` (at step 0) to `end` (at step `steps`), after a linear warm-up from 0.

    Examples
    --------
    >>> [round(cosine(0.04, 0.5, step, 100), 4) for step in (0, 50, 100)]
    [0.04, 0.27, 0.5]
    >>> cosine(1e-4, 0, 4, 100, warmup=10)
    5e-05
    """
    if step < warmup:
        return start * (step + 1) / warmup
    progress = (step - warmup) / max(steps - warmup, 1)
    return end + (start - end) * (1 + math.cos(math.pi * min(progress, 1))) / 2


def momentum_for(steps: int, residual: float = 0.1) -> float:
    """Initial momentum of the teacher that leaves `residual` of its initial weights after `steps` steps.

    With the cosine to 1 the momenta of a run multiply to ``exp(-steps (1 - m) / 2)``. The published 0.9995 is
    made for 46 000 steps; after 1 000 steps it would still be 78 % of the initial teacher. Never below
    `MIN_MOMENTUM`: a teacher that follows faster and a student that finds it easiest to agree when all patches
    look alike lead each other there within some tens of steps.

    Examples
    --------
    >>> round(momentum_for(1000), 4), round(momentum_for(5000), 4), momentum_for(100)
    (0.9954, 0.9991, 0.99)
    """
    return max(MIN_MOMENTUM, 1 - 2 * math.log(1 / residual) / steps)
