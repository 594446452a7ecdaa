"""Many files looked at together: features of all are sampled first, then each one is shown."""

import hashlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from patchfield.batch.job import Job, Outcome, Results, Watch
from patchfield.errors import FieldError
from patchfield.explore.pooling import pooled
from patchfield.explore.standard import SAMPLES, sample_pixels
from patchfield.field import FeatureField
from patchfield.images import Micrograph, PlaneIndex
from patchfield.pipeline import Extractor

KEPT_BYTES = 2**30
"""Fields up to this much together are kept for when they are shown; those of larger jobs are computed twice."""
_FEWEST = 100
"""Pixels of each plane that are looked at, at least."""


class Together:
    """The planes of a job's files that can be opened, and their fields.

    Parameters
    ----------
    job : Job
    extractor : Extractor
    watch : callable
    results : Results
        Gets why files failed, and which are parts of others.
    side : float
        Pixels over which features are pooled, 0 for none.
    """

    def __init__(self, job: Job, extractor: Extractor, watch: Watch, results: Results, side: float = 0) -> None:
        self.job = job
        self.results = results
        self._extractor = extractor
        self._watch = watch
        self._side = side
        self._kept: dict[tuple[Path, PlaneIndex], FeatureField] = {}
        self.opened = dict(self._open())

    @property
    def identity(self) -> str:
        """Short hash of what is looked at: the same files and planes make the same colours and clusters."""
        planes = [(file.name, self.job.planes(image)) for file, image in sorted(self.opened.items())]
        return hashlib.sha256(repr(planes).encode()).hexdigest()[:16]

    def field(self, file: Path, index: PlaneIndex) -> FeatureField:
        """The field of a plane, pooled, computed where it was not kept."""
        if (file, index) in self._kept:
            return self._kept[file, index]
        made = self._extractor.field(self.opened[file], index, partial(self._watch, file))
        field = pooled(made, self._side)
        if field.nbytes + sum(kept.nbytes for kept in self._kept.values()) <= KEPT_BYTES:
            self._kept[file, index] = field
        return field

    def sampled(self) -> NDArray[np.float32]:
        """Features (n, channels) of random pixels, as many of each plane; files that fail are left out from now on.

        Raises
        ------
        FieldError
            When no file is left.
        """
        planes = sum(len(self.job.planes(image)) for image in self.opened.values())
        share = max(_FEWEST, SAMPLES // max(1, planes))
        parts = []
        for file, image in list(self.opened.items()):
            failed = True
            with self.results.failures.caught(file):
                parts += [sample_pixels(self.field(file, index), share) for index in self.job.planes(image)]
                failed = False
            if failed:
                del self.opened[file]
        if not parts:
            raise FieldError("None of the images can be used: what is wrong with each is listed above.")
        return np.concatenate(parts)

    def _open(self) -> Iterator[tuple[Path, Micrograph]]:
        parts: set[str] = set()
        for file in self.job.images:
            with self.results.failures.caught(file):
                if os.path.realpath(file) in parts:
                    self.results.note(file, Outcome.PART)
                    continue
                image = self.job.open(file)
                self.job.planes(image)
                parts |= {os.path.realpath(path) for path in image.others}
                yield file, image
