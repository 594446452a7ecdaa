"""Images that lie elsewhere: how a probe does without the directions in which an image differs as a whole.

The next image of a series is brighter, blurred, of another composition: all of its features lie elsewhere, and a linear
probe takes that for a change of classes. What an image differs by as a whole is known without a single label: the mean
of its features, less that of the images that were painted. Scores along this direction are penalised by
``PENALTY / 2 * (weights @ shift) ** 2``, as the weights are already, and what they told is made up for by what goes
along with it: one Newton step from the weights of the fit, in closed form (Sherman & Morrison 1950)::

    weights - response @ shift * (shift @ weights) / (shift @ response @ shift + 1 / PENALTY)

with the inverse of the curvature of the objective as `response`. Where the painted images lie, scores stay. On an image
that was painted itself nothing changes: its strokes say what its features mean. docs/probes.md has what this gained.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from patchfield.probe.solver import LinearMap

PENALTY = 0.01
"""Of the same size as the probe's own, for features in the same units."""

_SAME = 1e-3
"""An image lies where one lies whose centre is this near: the same one, from other crops or with fewer views."""

Numbers = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Shift:
    """What a probe has to know to do without the shift of an image.

    Attributes
    ----------
    centres : (n, channels) float32 array
        Mean features of the images that were painted.
    measure : callable
        Gives the response of the weights (:func:`patchfield.probe.solver.measure_response`); called when the first
        image lies elsewhere, so that it costs a stroke on the image in view nothing.
    """

    centres: Numbers
    measure: Callable[[], Numbers]

    @cached_property
    def response(self) -> Numbers:
        """How far weights give way, (channels, channels)."""
        return self.measure()

    def discounted(self, scores: LinearMap, centre: Numbers) -> LinearMap:
        """Scores for an image whose features have the mean `centre`, (channels,)."""
        distances = np.linalg.norm(self.centres - centre, axis=1)
        if distances.min() <= _SAME * np.linalg.norm(centre):
            return scores
        painted = self.centres.mean(0, dtype=np.float64)
        shift = centre - painted
        given = self.response.astype(np.float64) @ shift
        change = np.outer(given, shift @ scores.weights) / (shift @ given + 1 / PENALTY)
        weights, bias = scores.weights - change, scores.bias + painted @ change
        return LinearMap(weights.astype(np.float32), bias.astype(np.float32))
