"""What a microscope does to a scene: random textures, and blur, drift and noise of the instrument."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, spatial


def random_field(
    shape: tuple[int, ...], rng: np.random.Generator, correlation: float | Sequence[float]
) -> NDArray[np.float64]:
    """A Gaussian random field with mean 0, deviation 1 and a Gaussian correlation of that many pixels."""
    field = ndimage.gaussian_filter(rng.standard_normal(shape), correlation, mode="wrap")
    standardised: NDArray[np.float64] = (field - field.mean()) / field.std()
    return standardised


def spinodal_field(shape: tuple[int, int], rng: np.random.Generator, wavelength: float) -> NDArray[np.float64]:
    """A Gaussian random field of one dominant wavelength in pixels, as spinodal decomposition leaves it.

    J. W. Cahn, J. Chem. Phys. 42, 93 (1965): the sum of many plane waves of one length and random directions.
    """
    rows, columns = np.meshgrid(np.fft.fftfreq(shape[0]), np.fft.fftfreq(shape[1]), indexing="ij")
    ring = np.exp(-(((np.hypot(rows, columns) * wavelength - 1) / 0.25) ** 2))
    field = np.fft.ifft2(np.fft.fft2(rng.standard_normal(shape)) * ring).real
    standardised: NDArray[np.float64] = (field - field.mean()) / field.std()
    return standardised


def voronoi(
    shape: tuple[int, int], seeds: NDArray[np.floating], rng: np.random.Generator, waviness: float = 0.0
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The Voronoi cells of some seeds, their walls bent by `waviness` pixels.

    Returns
    -------
    cell : ndarray (H, W) int
        Index of the nearest seed.
    distance : ndarray (H, W) float
        Distance to the nearest wall in pixels: (d2² - d1²) / (2 |s2 - s1|) for the two nearest seeds.
    """
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).astype(float)
    if waviness:
        grid += waviness * np.stack([random_field(shape, rng, 12), random_field(shape, rng, 12)], axis=-1)
    distances, nearest = spatial.KDTree(seeds).query(grid, k=2)
    span = np.linalg.norm(seeds[nearest[..., 1]] - seeds[nearest[..., 0]], axis=-1)
    return nearest[..., 0], (distances[..., 1] ** 2 - distances[..., 0] ** 2) / (2 * span)


def scattered_points(
    shape: tuple[int, int], spacing: float, rng: np.random.Generator, tries: int = 4000
) -> NDArray[np.float64]:
    """Random points no closer than `spacing` to each other (random sequential addition), (n, 2) float."""
    points: list[NDArray[np.float64]] = []
    for candidate in rng.uniform((0, 0), shape, (tries, 2)):
        if not points or np.min(np.linalg.norm(np.array(points) - candidate, axis=1)) >= spacing:
            points.append(candidate)
    return np.array(points)


def imaged(
    scene: NDArray[np.floating],
    rng: np.random.Generator,
    *,
    blur: float,
    noise: float,
    drift: float = 0.0,
    scan_lines: float = 0.0,
) -> NDArray[np.float64]:
    """A scene (values 0 to 1) as an electron microscope records it.

    Parameters
    ----------
    blur : float
        Deviation of the point spread in pixels.
    noise : float
        Deviation of the white noise at full brightness; grows with the square root of brightness.
    drift : float
        Amplitude of the slow brightness gradient across the image.
    scan_lines : float
        Deviation of the brightness of single rows.
    """
    height, width = scene.shape
    recorded: NDArray[np.float64] = ndimage.gaussian_filter(np.asarray(scene, float), blur)
    recorded += drift * (np.linspace(-1, 1, width) + 0.5 * np.linspace(-1, 1, height)[:, None])
    recorded += scan_lines * rng.standard_normal((height, 1))
    return recorded + noise * np.sqrt(np.clip(recorded, 0.05, None)) * rng.standard_normal(scene.shape)


def as_uint8(recorded: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Values 0 to 1 as an 8-bit detector stores them, clipped."""
    return np.clip(np.round(recorded * 255), 0, 255).astype(np.uint8)
