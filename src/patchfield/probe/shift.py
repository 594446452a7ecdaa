"""Images that lie elsewhere: how a probe does without the directions in which an image differs as a whole.

The next image of a series is brighter, blurred, of another composition: all of its features lie elsewhere, and a linear
probe takes that for a change of classes. What an image differs by as a whole is known without a single label: the
mean of its features, less that of the painted image that is nearest. Scores along this direction are penalised by
``PENALTY / 2 * (weights @ shift) ** 2``, as the weights are already, and what they told is made up for by what goes
along with it: one Newton step from the weights of the fit, in closed form (Sherman & Morrison 1950)::

    weights - response @ shift * (shift @ weights) / (shift @ response @ shift + 1 / PENALTY)

with the inverse of the curvature of the objective as `response`. The image that was painted lies where it lies: nothing
changes there. docs/probes.md has what this gained.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from patchfield.probe.solver import LinearMap

PENALTY = 0.01
"""Of the same size as the probe's own, for features in the same units."""

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
        if (self.centres == centre).all(1).any():
            return scores
        response = self.response.astype(np.float64)
        shifts = (centre - self.centres).astype(np.float64)
        sizes = np.einsum("ij,jk,ik->i", shifts, response, shifts)
        nearest = sizes.argmin()
        change = np.outer(response @ shifts[nearest], shifts[nearest] @ scores.weights) / (sizes[nearest] + 1 / PENALTY)
        weights, bias = scores.weights - change, scores.bias + self.centres[nearest] @ change
        return LinearMap(weights.astype(np.float32), bias.astype(np.float32))
