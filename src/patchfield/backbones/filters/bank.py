"""The filter bank: intensities, edges, ridges, texture and context of each pixel at scales from 1 to 32 pixels."""

import hashlib
from collections.abc import Mapping, Sequence
from math import cos, pi, sin

import torch
from torch import Tensor

from patchfield.backbones.base import Backbone, Level
from patchfield.backbones.contrast import Reference
from patchfield.backbones.filters.neighbourhood import eigenvalues, line_means, pool, smooth
from patchfield.backbones.filters.scales import (
    COARSEST,
    EDGE_SIGMAS,
    Scale,
    average,
    gradient_magnitude,
    resampled,
    scale_space,
    stored_pitch,
    working_pitch,
)
from patchfield.backbones.filters.statistics import ImageStatistics, measure
from patchfield.images import ModelImage

VERSIONS: Mapping[Reference, int] = {"median": 1, "middle": 2}
"""Counts up whenever a channel changes. Probes of a version that is no longer here are refused."""

_PITCHES = (1, 2, 4, COARSEST)
_COLOUR_SIGMAS = (1, 2, 4, 8)
_TEXTURE_SIGMAS = (2, 4, 8)
_SURROUNDINGS = (8, 16, 32)
_BLOB_SIGMAS, _BLOB_SURROUNDINGS = (1, 2, 4), (4, 8, 16)
_LINE_LENGTH, _LINE_ANGLES = 9, 8

_TONES = 9
"""Soft bins of intensity, over the image's contrast to both sides of what it is counted from."""

_NOISE_DEVIATION = 0.1
"""Deviation, in units of the image's contrast, below which surroundings count as flat."""

_NOISE_ENERGY = 0.05
"""Energy, in units of the image's mean, below which surroundings count as smooth."""


class FilterBank(Backbone):
    """Classical features of each pixel as a backbone: nothing to download, nothing learnt.

    Grids of four pitches (1, 2, 4, 8 pixels) hold channels of growing width. Everything is relative to the image:
    see :mod:`patchfield.backbones.filters.statistics`; :meth:`adapted` gives the bank that knows an image.

    Parameters
    ----------
    statistics : ImageStatistics, optional
        Of the image whose crops `encode` will see; those of a plain image of medium contrast by default.
    reference : {"middle", "median"}
        What :meth:`adapted` counts intensities from. The median is version 1, for what was trained with it.

    Attributes
    ----------
    channel_names : tuple of str
        In the order of a field's channels.
    channel_families : tuple of str
        What each channel describes, whatever its scale: "intensity", "edges", "texture", ...

    Examples
    --------
    >>> import numpy as np, patchfield as pf
    >>> bank = FilterBank()
    >>> field = pf.extract(np.eye(64), bank)
    >>> field.channels == len(bank.channel_names)
    True
    """

    name = "filters"
    tile = 1024
    margin = 3 * 32
    device = torch.device("cpu")

    def __init__(self, statistics: ImageStatistics | None = None, reference: Reference = "middle") -> None:
        self.options = {}
        self.reference = reference
        self._statistics = statistics or ImageStatistics()
        self.levels = LEVELS
        self.channel_names = tuple(name for names in _NAMES.values() for name in names)
        self.channel_families = tuple(_family(name) for name in self.channel_names)
        digest = hashlib.sha256(repr((VERSIONS[reference], self.channel_names)).encode())
        self.fingerprint = digest.hexdigest()[:16]

    @staticmethod
    def known(fingerprint: str | None) -> "FilterBank | None":
        """The bank, of whatever version, that has a fingerprint; None when there is none."""
        banks = (FilterBank(reference=reference) for reference in VERSIONS)
        return next((bank for bank in banks if bank.fingerprint == fingerprint), None)

    def adapted(self, image: ModelImage) -> "FilterBank":
        """The bank that knows contrast and structure of `image`."""
        return FilterBank(measure(image, self.reference), self.reference)

    @torch.inference_mode()
    def encode(self, batch: Tensor) -> list[Tensor]:
        """Channels of a batch of crops; see :meth:`patchfield.backbones.base.Backbone.encode`."""
        return compute_channels(self._statistics.normalised(batch.to(self.device)), self._statistics.energies)


def compute_channels(colours: Tensor, energies: Sequence[float] | Tensor) -> list[Tensor]:
    """All channels of some images, on any device.

    Parameters
    ----------
    colours : Tensor (B, 3, h, w) float32
        Counted from the middle of the image's range in units of its contrast; both sides are multiples of `COARSEST`.
    energies : sequence of float, or Tensor (len(EDGE_SIGMAS), B, 1, 1)
        Mean gradient of all images, or of each, at each of `EDGE_SIGMAS`.

    Returns
    -------
    list of Tensor (B, channels, h / pitch, w / pitch) float32
        One for each of `LEVELS`.
    """
    return [torch.stack(list(planes.values()), dim=1) for planes in _planes(colours, energies).values()]


def _planes(colours: Tensor, energies: Sequence[float] | Tensor) -> dict[int, dict[str, Tensor]]:
    """Planes (B, h / pitch, w / pitch) by pitch, finest first, and name."""
    grey = colours.mean(1)
    scales = scale_space(grey)
    energy = dict(zip(EDGE_SIGMAS, energies, strict=True))
    channels = _Channels()
    channels.add("intensity", grey, 1, 1)
    _add_tones(channels, scales[1])
    _add_colours(channels, colours)
    for scale in scales.values():
        channels.add(f"intensity, {scale.sigma} px", scale.plane, scale.pitch, stored_pitch(scale.sigma))
    for sigma in EDGE_SIGMAS:
        _add_edges(channels, scales[sigma], energy[sigma])
    _add_texture(channels, scales[1], energy[1])
    _add_relative(channels, scales, grey)
    for sigma in _BLOB_SIGMAS:
        _add_blobs(channels, scales[sigma], energy[sigma])
    _add_lines(channels, scales[2], energy[2])
    return channels.by_pitch


class _Channels:
    """Collects planes on the grids that will keep them."""

    def __init__(self) -> None:
        self.by_pitch: dict[int, dict[str, Tensor]] = {pitch: {} for pitch in _PITCHES}

    def add(self, name: str, plane: Tensor, pitch: int, kept: int) -> None:
        """Keep a plane of a grid of `pitch` on the grid of pitch `kept`."""
        self.by_pitch[kept][name] = resampled(plane, pitch, kept)


def _add_tones(channels: _Channels, scale: Scale) -> None:
    """Soft bins (triangles that sum to one): with them a linear probe can single out any range of intensity."""
    width = 2 / (_TONES - 1)
    tone = scale.plane.clamp(-1, 1)
    for number in range(_TONES):
        plane = (1 - (tone - (number * width - 1)).abs() / width).clamp_(min=0)
        channels.add(f"tone {number + 1} of {_TONES}", plane, scale.pitch, 1)


def _add_colours(channels: _Channels, colours: Tensor) -> None:
    """Opponent colours (zero for grey images)."""
    red, green, blue = colours.unbind(1)
    for name, plane in (("red - green", red - green), ("yellow - blue", (red + green) / 2 - blue)):
        for sigma in _COLOUR_SIGMAS:
            pitch = stored_pitch(sigma)
            channels.add(f"{name}, {sigma} px", smooth(pool(plane, pitch), 1), pitch, pitch)


def _add_edges(channels: _Channels, scale: Scale, energy: float | Tensor) -> None:
    """Gradient and curvatures: edges, ridges, valleys, blobs. Roots tame the long tails of energies."""
    kept = stored_pitch(scale.sigma)
    edge = (gradient_magnitude(scale) / energy).sqrt_()
    channels.add(f"edge, {scale.sigma} px", edge, scale.pitch, kept)
    for name, curvature in zip(("larger", "smaller"), scale.curvatures(), strict=True):
        plane = _signed_root(curvature / energy)
        channels.add(f"{name} curvature, {scale.sigma} px", plane, scale.pitch, kept)


def _add_texture(channels: _Channels, scale: Scale, energy: float | Tensor) -> None:
    """Eigenvalues of the structure tensor: how much fine structure there is around, and whether it has a direction.

    (Förstner & Gülch 1987; Bigün & Granlund 1987.)
    """
    down, right = (derivative / energy for derivative in scale.gradient())
    products = torch.stack([down**2, down * right, right**2])
    for sigma in _TEXTURE_SIGMAS:
        pitch = working_pitch(sigma)
        larger, smaller = eigenvalues(*average(products, scale.pitch, sigma))
        for name, plane in (("along", smaller), ("across", larger)):
            root = plane.clamp(min=0).sqrt().sqrt_()
            channels.add(f"texture {name}, {sigma} px", root, pitch, stored_pitch(sigma))


def _add_relative(channels: _Channels, scales: dict[int, Scale], grey: Tensor) -> None:
    """Intensity and edge relative to mean and deviation of the surroundings: free of shading and local contrast."""
    for sigma in _SURROUNDINGS:
        wide = scales[sigma]
        variance = average(grey**2, 1, sigma) - wide.plane**2
        deviation = variance.clamp_(min=0).sqrt_() + _NOISE_DEVIATION
        for fine in (scales[1], scales[2], scales[4]):
            pitch = max(2, stored_pitch(fine.sigma))
            mean, spread = (resampled(plane, wide.pitch, pitch) for plane in (wide.plane, deviation))
            edge = resampled(gradient_magnitude(fine), fine.pitch, pitch)
            within = f"{fine.sigma} px within {sigma} px"
            channels.add(f"relative intensity, {within}", (fine.on(pitch) - mean) / spread, pitch, pitch)
            channels.add(f"relative edge, {within}", (edge / spread).sqrt_(), pitch, pitch)


def _add_blobs(channels: _Channels, scale: Scale, energy: float | Tensor) -> None:
    """How much of the surroundings is bright, and how much dark, structure of this scale."""
    larger, smaller = scale.curvatures()
    laplacian = (larger + smaller) / energy
    for name, part in (("dark", laplacian.clamp(min=0)), ("bright", (-laplacian).clamp(min=0))):
        for sigma in _BLOB_SURROUNDINGS:
            if sigma > scale.sigma:
                plane = (average(part, scale.pitch, sigma) + _NOISE_ENERGY).log_()
                pitch = max(scale.pitch, working_pitch(sigma))
                channels.add(f"{name} spots, {scale.sigma} px within {sigma} px", plane, pitch, stored_pitch(sigma))


def _add_lines(channels: _Channels, scale: Scale, energy: float | Tensor) -> None:
    """Membranes: means over lines of all directions, relative to the point itself: extremes and root mean square."""
    plane = scale.on(2)
    means = line_means(plane, _lines(_LINE_LENGTH, _LINE_ANGLES)) - plane
    channels.add("brightest line, 17 px", means.amax(0), 2, 2)
    channels.add("darkest line, 17 px", means.amin(0), 2, 2)
    channels.add("spread of lines, 17 px", (means.square().mean(0).sqrt_() / energy).sqrt_(), 2, 2)


def _lines(length: int, angles: int) -> list[list[tuple[int, int]]]:
    """Pixels of lines through the origin, (row, column), at equal angles."""
    steps = range(-(length // 2), length // 2 + 1)
    turns = [pi * number / angles for number in range(angles)]
    return [[(round(step * sin(turn)), round(step * cos(turn))) for step in steps] for turn in turns]


_FAMILIES = {
    "red - green": "colour",
    "yellow - blue": "colour",
    "larger curvature": "curvature",
    "smaller curvature": "curvature",
    "edge": "edges",
    "texture along": "texture",
    "texture across": "texture",
    "dark spots": "spots",
    "bright spots": "spots",
    "brightest line": "lines",
    "darkest line": "lines",
    "spread of lines": "lines",
    "relative intensity": "relative intensity",
    "relative edge": "relative edges",
}


def _family(name: str) -> str:
    return _FAMILIES.get(name.partition(",")[0], "intensity")


def _signed_root(values: Tensor) -> Tensor:
    return values.sign() * values.abs().sqrt_()


_NAMES = {
    pitch: tuple(planes)
    for pitch, planes in _planes(torch.zeros(1, 3, COARSEST, COARSEST), ImageStatistics().energies).items()
}
LEVELS = tuple(Level(pitch, pitch, len(names)) for pitch, names in _NAMES.items())
"""The grids of the bank."""
