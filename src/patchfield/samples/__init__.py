"""Sample micrographs: generated ones with exact masks, and scikit-image's own; nothing is downloaded.

>>> from patchfield.samples import load_sample
>>> sample = load_sample("alloy")
>>> sample.image.shape, sorted(sample.class_names.values())
((512, 512), ['lamellar', 'matrix'])
"""

from patchfield.errors import ImageError
from patchfield.samples import bundled, endless, generated
from patchfield.samples.base import Sample, SampleEntry

__all__ = ["Sample", "SampleEntry", "load_sample", "samples"]

_ENTRIES = (
    SampleEntry("alloy", "Two-phase alloy, phases of equal grey value (generated)", generated.alloy),
    SampleEntry("grains", "Polycrystal with precipitates (generated)", generated.grains),
    SampleEntry("fibres", "Fibre composite with pores (generated)", generated.fibres),
    SampleEntry("nuclei", "Fluorescent nuclei, 16-bit (generated)", generated.nuclei),
    SampleEntry("foam", "Tomogram of a foam, 8 slices, 16-bit (generated)", generated.foam),
    SampleEntry(endless.NAME, "Random microstructure, a different one each time (generated)", endless.microstructure),
    SampleEntry("cell", "Floating cell, phase image (scikit-image)", bundled.floating_cell),
    SampleEntry("glands", "Stained glands, RGB histology (scikit-image)", bundled.stained_glands),
)


def samples() -> tuple[SampleEntry, ...]:
    """All samples, the one to begin with first."""
    return _ENTRIES


def load_sample(name: str) -> Sample:
    """Make a sample; the same name always gives the same pixels.

    Besides those listed, ``microstructure-NUMBER`` for any number is a micrograph of a random material.

    Raises
    ------
    ImageError
        When there is no such sample.
    """
    for entry in _ENTRIES:
        if entry.name == name:
            return entry.make(entry)
    random = endless.numbered(name)
    if random is not None:
        return random.make(random)
    raise ImageError(f"There is no sample {name!r}: choose from {', '.join(entry.name for entry in _ENTRIES)}.")
