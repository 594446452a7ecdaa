"""Numbered samples of random microstructures: every number is another material."""

import numpy as np

from patchfield.errors import ImageError
from patchfield.samples.base import Sample, SampleEntry
from patchfield.samples.imaging import as_uint8
from patchfield.samples.microstructure import draw_material
from patchfield.samples.strokes import strokes_inside

NAME = "microstructure"
"""The sample of number `FIRST`; others are called NAME-NUMBER."""

FIRST = 18
SHAPE, SCALE = (512, 512), 1.4
_MIN_SHARE = 0.02
"""Materials with a rarer phase than this are drawn again."""


def microstructure(entry: SampleEntry) -> Sample:
    """The micrograph of the number that the sample's name ends with."""
    rng = np.random.default_rng(_number(entry.name))
    while True:
        material = draw_material(rng)
        image, mask = material.micrograph(SHAPE, rng, SCALE)
        shares = np.bincount(mask.ravel(), minlength=material.phases + 1)[1:] / mask.size
        if shares.min() >= _MIN_SHARE:
            break
    names = {value: f"phase {value}" for value in range(1, material.phases + 1)}
    low, high = np.percentile(image, (0.5, 99.5))
    image = (image - low) / (high - low)  # as an operator sets the detector
    return Sample(entry.name, entry.title, as_uint8(image), strokes_inside(mask, seed=1), mask, names)


def numbered(name: str) -> SampleEntry | None:
    """The entry of a name such as ``microstructure-7``; None for names of another kind."""
    stem, _, number = name.partition("-")
    if stem != NAME or not number:
        return None
    return SampleEntry(name, f"Random microstructure number {_number(name)} (generated)", microstructure)


def _number(name: str) -> int:
    number = name.partition("-")[2] or str(FIRST)
    if not number.isdecimal():
        raise ImageError(f"There is no sample {name!r}: give a number, such as {NAME}-7.")
    return int(number)
