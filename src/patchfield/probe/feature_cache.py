"""Features of labelled pixels, looked up once per pixel."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from patchfield.field import FeatureField
from patchfield.probe.labels import Integers, LabelSamples


@dataclass(frozen=True, eq=False)
class _Known:
    pixels: Integers
    features: NDArray[np.float32]


class FeatureCache:
    """Remembers the features sampled from each field, so that a new stroke costs only its own pixels.

    It can never be stale: fields do not change, and a refined field is another object. It forgets a field together
    with the last reference to it, and holds no more pixels of a field than were asked for at once. Threads may share
    it.

    Pickled or copied deeply, it is empty: what it knows can be looked up again.

    Examples
    --------
    >>> import patchfield as pf
    >>> field, cache = pf.extract(np.eye(32), "filters"), FeatureCache()
    >>> cache.features(field, np.array([3, 14, 15])).shape == (3, field.channels)
    True
    """

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[FeatureField, _Known] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["FeatureCache"], tuple[()]]:
        return FeatureCache, ()

    def __len__(self) -> int:
        """Number of fields that something is remembered of."""
        return len(self._known)

    def features(self, field: FeatureField, pixels: Integers) -> NDArray[np.float32]:
        """Features at the pixels of flat index `pixels` (ascending): (n, channels) float32, not to be written to."""
        with self._lock:
            known = self._known.get(field)
        if known is None:
            known = _Known(pixels[:0], np.empty((0, field.channels), np.float32))
        positions = np.searchsorted(known.pixels, pixels)
        found = positions < len(known.pixels)
        found[found] = known.pixels[positions[found]] == pixels[found]
        if found.all() and len(pixels) == len(known.pixels):
            return known.features
        features = np.empty((len(pixels), field.channels), np.float32)
        features[found] = known.features[positions[found]]
        if not found.all():
            features[~found] = field.sample(*np.divmod(pixels[~found], field.shape[1]))
            with self._lock:
                self._known[field] = _Known(pixels, features)
        return features

    def of_samples(self, fields: Sequence[FeatureField], samples: LabelSamples) -> list[NDArray[np.float32]]:
        """Features of chosen samples, one array per field."""
        return [self.features(field, samples.pixels[samples.slice_of(i)]) for i, field in enumerate(fields)]
