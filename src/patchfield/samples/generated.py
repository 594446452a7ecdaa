"""Micrographs generated from an exact mask, by the standard models of random microstructures."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from patchfield.samples.base import Sample, SampleEntry
from patchfield.samples.imaging import (
    as_uint8,
    imaged,
    random_field,
    scattered_points,
    spinodal_field,
    voronoi,
)
from patchfield.samples.strokes import strokes_inside

SHAPE = (512, 512)


def alloy(entry: SampleEntry) -> Sample:
    """Two phases of equal mean grey value, told apart by texture alone: smooth matrix, lamellar colonies."""
    rng = np.random.default_rng(20)
    lamellar = spinodal_field(SHAPE, rng, 110) > 0.15
    colony, _ = voronoi(SHAPE, scattered_points(SHAPE, 60, rng), rng)
    angle = rng.uniform(0, np.pi, colony.max() + 1)[colony]
    rows, columns = np.indices(SHAPE)
    phase = 2 * np.pi / 7 * (rows * np.sin(angle) + columns * np.cos(angle)) + 0.8 * random_field(SHAPE, rng, 8)
    matrix = 0.5 + 0.04 * random_field(SHAPE, rng, 2.5)
    scene = np.where(lamellar, 0.5 + 0.12 * np.sin(phase), matrix)
    image = as_uint8(imaged(scene, rng, blur=0.9, noise=0.06, drift=0.04, scan_lines=0.006))
    return _sample(entry, image, np.where(lamellar, 2, 1), {1: "matrix", 2: "lamellar"})


def grains(entry: SampleEntry) -> Sample:
    """A polycrystal: grains of different brightness, dark grooves between them, bright precipitates on them."""
    rng = np.random.default_rng(4)
    seeds = scattered_points(SHAPE, 42, rng)
    cell, distance = voronoi(SHAPE, seeds, rng, waviness=3)
    boundary = distance < 2
    on_boundary = np.argwhere(distance < 1)
    centres = on_boundary[rng.choice(len(on_boundary), 60, replace=False)]
    precipitate = _discs(centres, rng.uniform(3, 6, len(centres)))
    scene = rng.uniform(0.35, 0.65, len(seeds))[cell] + 0.02 * random_field(SHAPE, rng, 3)
    scene[boundary] = 0.15
    scene[precipitate] = 0.85
    image = as_uint8(imaged(scene, rng, blur=1.0, noise=0.07, drift=0.05))
    mask = np.where(precipitate, 3, np.where(boundary, 2, 1))
    return _sample(entry, image, mask, {1: "grain", 2: "boundary", 3: "precipitate"})


def fibres(entry: SampleEntry) -> Sample:
    """A fibre composite cut across: bright fibres in a grey matrix, pores whose rims charge up."""
    rng = np.random.default_rng(11)
    centres = scattered_points(SHAPE, 40, rng)
    fibre = _discs(centres, rng.uniform(15, 19, len(centres)))
    pore = (spinodal_field(SHAPE, rng, 60) > 1.35) & ~ndimage.binary_dilation(fibre, iterations=2)
    rim = np.exp(-ndimage.distance_transform_edt(~pore) / 2.5) * ~fibre
    scene = 0.42 + 0.03 * random_field(SHAPE, rng, 4) + 0.25 * rim
    scene[fibre] = (0.6 + 0.04 * random_field(SHAPE, rng, 1.5))[fibre]
    scene[pore] = 0.12
    image = as_uint8(imaged(scene, rng, blur=1.2, noise=0.08, drift=0.08, scan_lines=0.012))
    mask = np.where(fibre, 2, np.where(pore, 3, 1))
    return _sample(entry, image, mask, {1: "matrix", 2: "fibre", 3: "pore"})


def nuclei(entry: SampleEntry) -> Sample:
    """Stained nuclei, 16-bit: uneven illumination, brightness from cell to cell, photon noise."""
    rng = np.random.default_rng(7)
    centres = scattered_points(SHAPE, 46, rng, tries=600)
    nucleus = np.zeros(SHAPE, bool)
    stain = np.zeros(SHAPE)
    chromatin = 1 + 0.25 * random_field(SHAPE, rng, 3)
    for centre in centres:
        inside = _ellipse(centre, rng.uniform(11, 21, 2), rng.uniform(0, np.pi))
        nucleus |= inside
        stain[inside] = rng.lognormal(0, 0.45)
    light = 1 + 0.35 * spinodal_field(SHAPE, rng, 400)
    haze = ndimage.gaussian_filter(stain, 25)
    photons = 25 * light + 60 * haze + 160 * light.clip(0.3) * ndimage.gaussian_filter(stain * chromatin, 1.5)
    image = 400 + 22 * rng.poisson(photons.clip(0)) + rng.normal(0, 25, SHAPE)
    return _sample(
        entry, np.clip(image, 0, 65535).astype(np.uint16), np.where(nucleus, 2, 1), {1: "background", 2: "nucleus"}
    )


def foam(entry: SampleEntry) -> Sample:
    """Eight slices of a tomogram, 16-bit: pores in a solid with dense inclusions, strokes on two slices."""
    rng = np.random.default_rng(3)
    shape = (8, 256, 256)
    structure = random_field(shape, rng, (3, 9, 9))
    pore = structure > 0.5
    inclusion = (random_field(shape, rng, (2, 4, 4)) > 2.0) & ~ndimage.binary_dilation(pore, iterations=2)
    mask = np.where(inclusion, 3, np.where(pore, 1, 2)).astype(np.uint8)
    scene = np.choose(mask - 1, [0.25, 0.55, 0.85]) + 0.03 * random_field(shape, rng, (1, 2, 2))
    slices = [imaged(plane, rng, blur=1.2, noise=0.12, drift=0.05) for plane in scene]
    image = np.clip(np.stack(slices) * 30000 + 4000, 0, 65535).astype(np.uint16)
    strokes = np.zeros(shape, np.uint8)
    for plane in (0, 5):
        strokes[plane] = strokes_inside(mask[plane], seed=plane)
    return Sample(entry.name, entry.title, image, strokes, mask, {1: "pore", 2: "solid", 3: "inclusion"})


def _sample(
    entry: SampleEntry, image: NDArray[np.floating | np.integer], mask: NDArray[np.integer], class_names: dict[int, str]
) -> Sample:
    mask = mask.astype(np.uint8)
    return Sample(entry.name, entry.title, image, strokes_inside(mask, seed=1), mask, class_names)


def _discs(centres: NDArray[np.integer] | NDArray[np.floating], radii: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether a pixel lies in one of the discs, (H, W)."""
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    inside = np.zeros(SHAPE, bool)
    for (row, column), radius in zip(centres, radii, strict=True):
        inside |= (rows - row) ** 2 + (columns - column) ** 2 < radius**2
    return inside


def _ellipse(centre: NDArray[np.floating], axes: NDArray[np.floating], angle: float) -> NDArray[np.bool_]:
    """Whether a pixel lies in an ellipse with these half axes, turned by `angle`, (H, W)."""
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    down, right = rows - centre[0], columns - centre[1]
    along = down * np.sin(angle) + right * np.cos(angle)
    across = down * np.cos(angle) - right * np.sin(angle)
    inside: NDArray[np.bool_] = (along / axes[0]) ** 2 + (across / axes[1]) ** 2 < 1
    return inside
