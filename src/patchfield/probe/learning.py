"""From features of painted pixels to all that a fitted probe knows."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from patchfield.errors import ProbeError
from patchfield.probe.classes import ClassInfo, complete_classes
from patchfield.probe.kept import KeptSamples, facts_of, joined_centres
from patchfield.probe.material import Material
from patchfield.probe.shift import Shift
from patchfield.probe.solver import fit_softmax, measure_response
from patchfield.probe.trained import Trained, alike, check_classes, summary


def learned(
    material: Material, kept: KeptSamples, before: Trained | None, l2: float, classes: Mapping[int, ClassInfo] | None
) -> Trained:
    """What is learned from samples of strokes and from kept ones together.

    Parameters
    ----------
    material : Material
        Sampled features of the strokes.
    kept : KeptSamples
        Of earlier strokes, none of whose pixels is painted now.
    before : Trained or None
        What was known before: fitting starts from it, and kept samples are of its features.
    l2 : float
        Strength of the penalty on squared weights.
    classes : dict of int to ClassInfo or None
        Names and colours; those from before, or defaults, for values that are not given.

    Raises
    ------
    LabelError
        When fewer than two classes are painted, or too many.
    ProbeError
        When the features are of another backbone than the kept samples.
    """
    used = material.samples.values > 0
    values, index = np.unique(np.concatenate([material.samples.values[used], kept.values]), return_inverse=True)
    check_classes(values)
    recipes = material.recipes if material.features or before is None else before.recipes
    features = [*_used_features(material, used), *([kept.features.astype(np.float32)] if len(kept) else [])]
    channels = features[0].shape[1]
    same = before is not None and alike(before.recipes, len(before.scores.weights), recipes, channels)
    if len(kept) and before is not None and not same:
        raise ProbeError(
            f"The probe keeps samples of {summary(before.recipes, len(before.scores.weights))} and cannot learn "
            f"from {summary(recipes, channels)}: extract the images alike, or train a new probe."
        )
    start = before.scores_for(values) if before is not None and same else None
    scores = fit_softmax(features, index, l2, start)
    named = complete_classes(values, classes, before.classes if before else {})
    shift = Shift(_centres(material, kept), partial(measure_response, features, index, l2, scores))
    known = shift if len(shift.centres) else None
    return Trained(values, scores, named, recipes, facts_of(material, kept), known)


def _used_features(material: Material, used: NDArray[np.bool_]) -> list[NDArray[np.float32]]:
    """Features of the samples that have a label (still), image by image."""
    if used.all():
        return list(material.features)
    return [features[used[material.samples.slice_of(i)]] for i, features in enumerate(material.features)]


def _centres(material: Material, kept: KeptSamples) -> NDArray[np.float32]:
    """Mean features of all images that were painted; none when those of some are not known."""
    parts = [np.stack(material.centres)] if material.centres else []
    return joined_centres(*parts, *([kept.centres] if len(kept) else []))
