"""The samples that a probe keeps, so that strokes of another day go on from what was painted before.

Measured (`benchmarks/correcting.py`, docs/probes.md): a probe that keeps samples is corrected as well as one that is
trained on all strokes again, while the distance to its earlier weights as a penalty forgets or does not learn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from patchfield.probe.labels import Integers, Strokes, chosen_positions
from patchfield.probe.material import Material
from patchfield.probe.trained import TrainingFacts, pixel_size_range
from patchfield.probe.training_image import TrainingImage

MAX_PER_CLASS = 500
"""Samples kept of each class, spread over images and strokes."""

MAX_BYTES = 8 * 2**20
"""Features kept in all; many classes of long features share it, and each keeps one sample at least."""

_LARGEST = float(np.finfo(np.float16).max)
_COLUMN_BITS = 32


def _no_numbers() -> Integers:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class KeptSamples:
    """Features of chosen painted pixels, and where they were painted; ordered by image, row and column.

    Attributes
    ----------
    features : (n, channels) float16 array
    values : (n,) int64 array
        Label of each sample, 1 or more.
    images : (n,) int64 array
        Image of each sample, as its position in `sources`.
    strokes : (n,) int64 array
        Stroke of each sample, numbered over all images.
    rows, columns : (n,) int64 arrays
    sizes : (n,) int64 array
        Painted pixels of the stroke of each sample.
    sources : tuple of TrainingImage
    centres : (m, channels) float32 array
        Mean features of the images that were painted, those included that no sample is kept of; none where they are not
        known.
    """

    features: NDArray[np.float16] = field(default_factory=lambda: np.zeros((0, 0), np.float16))
    values: Integers = field(default_factory=_no_numbers)
    images: Integers = field(default_factory=_no_numbers)
    strokes: Integers = field(default_factory=_no_numbers)
    rows: Integers = field(default_factory=_no_numbers)
    columns: Integers = field(default_factory=_no_numbers)
    sizes: Integers = field(default_factory=_no_numbers)
    sources: tuple[TrainingImage, ...] = ()
    centres: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def from_material(cls, material: Material) -> "KeptSamples":
        """All samples of a fit."""
        if not len(material.samples.values):
            return cls()
        parts, first_stroke = [], 0
        for number, (painted, source) in enumerate(zip(material.strokes, material.images, strict=True)):
            of_image = material.samples.slice_of(number)
            pixels = material.samples.pixels[of_image]
            strokes = painted.numbers[np.searchsorted(painted.pixels, pixels)]
            rows, columns = np.divmod(pixels, painted.width)
            part = cls(
                material.features[number].clip(-_LARGEST, _LARGEST).astype(np.float16),
                material.samples.values[of_image],
                np.zeros(len(pixels), np.int64),
                strokes + first_stroke,
                rows,
                columns,
                painted.sizes[strokes],
                (source,),
                material.centres[number][None],
            )
            first_stroke += painted.count
            parts.append(part.subset(part.values > 0))
        return reduce(KeptSamples.joined, parts)

    def subset(self, chosen: NDArray[np.bool_] | Integers) -> "KeptSamples":
        """Some of the samples, in the order of an index; images and strokes without any are gone."""
        used, images = np.unique(self.images[chosen], return_inverse=True)
        strokes = np.unique(self.strokes[chosen], return_inverse=True)[1]
        return KeptSamples(
            self.features[chosen],
            self.values[chosen],
            images.astype(np.int64),
            strokes.astype(np.int64),
            self.rows[chosen],
            self.columns[chosen],
            self.sizes[chosen],
            tuple(self.sources[image] for image in used),
            self.centres,
        )

    def joined(self, other: "KeptSamples") -> "KeptSamples":
        """The samples of both; images of one id are one image."""
        if not len(self) or not len(other):
            return self if len(self) else other
        positions = {source.id: number for number, source in enumerate(self.sources) if source.id}
        sources, places = list(self.sources), []
        for source in other.sources:
            place = positions.get(source.id, len(sources))
            if place == len(sources):
                sources.append(source)
            places.append(place)
        both = KeptSamples(
            np.concatenate([self.features, other.features]),
            np.concatenate([self.values, other.values]),
            np.concatenate([self.images, np.array(places)[other.images]]),
            np.concatenate([self.strokes, other.strokes + self.strokes.max() + 1]),
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.columns, other.columns]),
            np.concatenate([self.sizes, other.sizes]),
            tuple(sources),
            joined_centres(self.centres, other.centres),
        )
        return both.subset(np.lexsort((both.columns, both.rows, both.images)))

    def unpainted(self, strokes: Sequence[Strokes], images: Sequence[TrainingImage]) -> "KeptSamples":
        """Without the samples of pixels that are painted again, whatever they are painted with.

        A whole stroke that is there again thus takes the place of what was kept of it, and a correction is added.
        """
        kept = np.ones(len(self), bool)
        for painted, image in zip(strokes, images, strict=True):
            for number, source in enumerate(self.sources):
                if not image.id or source.id != image.id:
                    continue
                mine = np.flatnonzero((self.images == number) & (self.columns < painted.width))
                pixels = self.rows[mine] * painted.width + self.columns[mine]
                kept[mine[np.isin(pixels, painted.pixels)]] = False
        return self if kept.all() else self.subset(kept)

    def relabelled(self, changes: Mapping[int, int]) -> "KeptSamples":
        """With other label values; samples whose value becomes 0 are gone."""
        values = self.values.copy()
        for old, new in changes.items():
            values[self.values == old] = new
        return replace(self, values=values).subset(values > 0)

    def thinned(self, seed: int = 0) -> "KeptSamples":
        """As many as are kept: at most 500 of each class, 8 MiB of features, spread over images and strokes."""
        class_count = len(np.unique(self.values))
        if not class_count:
            return self
        room = MAX_BYTES // (self.features.itemsize * max(1, self.features.shape[1]) * class_count)
        positions = chosen_positions(self._as_strokes(), max(1, min(MAX_PER_CLASS, room)), seed)
        firsts = np.searchsorted(self.images, np.arange(len(self.sources)))
        return self.subset(np.concatenate([first + chosen for first, chosen in zip(firsts, positions, strict=True)]))

    def _as_strokes(self) -> list[Strokes]:
        """The samples of each image as if nothing else had been painted there."""
        found = []
        for number in range(len(self.sources)):
            first, last = np.searchsorted(self.images, [number, number + 1])
            numbers = np.unique(self.strokes[first:last], return_inverse=True)[1].astype(np.int64)
            pixels = (self.rows[first:last] << _COLUMN_BITS) + self.columns[first:last]
            found.append(Strokes(pixels, self.values[first:last], numbers, 2**_COLUMN_BITS))
        return found

    def counted(self) -> tuple[dict[int, int], dict[int, int], dict[int, int]]:
        """Strokes, painted pixels of these strokes, and samples of each class, by label value."""
        first = np.unique(self.strokes, return_index=True)[1]
        strokes, pixels, samples = {}, {}, {}
        for value in np.unique(self.values):
            of_class = first[self.values[first] == value]
            strokes[int(value)], pixels[int(value)] = len(of_class), int(self.sizes[of_class].sum())
            samples[int(value)] = int((self.values == value).sum())
        return strokes, pixels, samples


def joined_centres(*parts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centres without repetitions, in an order that they alone decide; none when those of one part are not known."""
    return np.unique(np.concatenate(parts), axis=0) if all(map(len, parts)) else parts[0][:0]


def facts_of(material: Material, kept: KeptSamples) -> TrainingFacts:
    """What a fit is trained on: the strokes given, and what is kept of others."""
    given = TrainingFacts.from_samples(material.strokes, material.samples, material.images)
    ids = {image.id for image in material.images if image.id}
    strokes, pixels, samples = kept.counted()
    return TrainingFacts(
        images=given.images + sum(source.id not in ids for source in kept.sources),
        strokes=_added(given.strokes, strokes),
        pixels=_added(given.pixels, pixels),
        samples=_added(given.samples, samples),
        pixel_size=pixel_size_range((*material.images, *kept.sources)),
    )


def _added(first: Mapping[int, int], second: Mapping[int, int]) -> dict[int, int]:
    return {value: first.get(value, 0) + second.get(value, 0) for value in sorted({*first, *second})}
