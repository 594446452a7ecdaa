"""Random microstructures: endless, repeatable, with masks that are the truth of their images."""

import numpy as np
import pytest

from patchfield.samples.microstructure import draw_material
from patchfield.samples.microstructure.fields import Spectrum
from patchfield.samples.microstructure.geometry import KINDS

SHAPE = (128, 160)


def test_a_seed_is_a_material_and_another_seed_another():
    images = [
        draw_material(np.random.default_rng(seed)).micrograph(SHAPE, np.random.default_rng(5)) for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(images[0][0], images[1][0])
    assert images[0][0].shape != images[2][0].shape or not np.allclose(images[0][0], images[2][0])


@pytest.mark.parametrize("seed", range(20))
def test_values_and_phases_are_within_their_ranges(seed):
    rng = np.random.default_rng(seed)
    material = draw_material(rng)
    image, mask = material.micrograph(SHAPE, rng, scale=1.3)
    assert image.dtype == np.float32
    assert image.shape in (SHAPE, (*SHAPE, 3))
    assert 0 <= image.min() < image.max() <= 1
    assert mask.shape == SHAPE
    assert 1 <= mask.min() <= mask.max() <= material.phases


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_geometry_shows_all_its_phases_in_most_images(kind):
    seen = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        geometry = kind.from_rng(rng)
        phases = np.unique(geometry.layout((256, 256), rng, 1.0).phase)
        assert phases.max() < geometry.phases
        seen.append(len(phases) == geometry.phases)
    assert np.mean(seen) > 0.7


@pytest.mark.parametrize("wavelength", [6.0, 12.0, 24.0])
def test_a_narrow_spectrum_has_its_wavelength(wavelength):
    field = Spectrum(wavelength, bandwidth=0.1).field((256, 256), np.random.default_rng(0))
    power = np.abs(np.fft.fft2(field)) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    assert (power * frequency).sum() / power.sum() == pytest.approx(1 / wavelength, rel=0.1)


def test_elongated_structure_is_longer_along_its_angle():
    field = Spectrum(10, bandwidth=0.3, elongation=4, angle=0.0).field((256, 256), np.random.default_rng(0))
    down, right = (np.abs(np.diff(field, axis=axis)).mean() for axis in (0, 1))
    assert down < right / 2
