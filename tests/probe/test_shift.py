"""Images that lie elsewhere as a whole: what a probe does without, and where it does not."""

import numpy as np
import pytest

from patchfield import LinearProbe
from patchfield.field import FeatureField
from patchfield.pipeline import extract
from patchfield.probe.shift import Shift
from patchfield.probe.solver import LinearMap
from patchfield.testing.backbones import RandomLift


def seen(image: np.ndarray) -> FeatureField:
    """An image as it is: of another colour it has other features."""
    return extract(image, RandomLift(), "fast", contrast=(-1.0, 3.0))


@pytest.fixture(scope="module")
def painted() -> np.ndarray:
    """(64, 96, 3): two thirds and one of a ramp, which red and green show alike, each with its noise."""
    materials = np.repeat([0.0, 1.0, 2.0], 32)[None].repeat(64, 0)
    noise = np.random.default_rng(1).normal(scale=0.2, size=(64, 96, 3))
    return (materials[..., None] * [0.5, 0.5, 0.0] + noise).astype(np.float32)


@pytest.fixture(scope="module")
def greener(painted) -> np.ndarray:
    return painted + np.float32([0, 0.6, 0])


@pytest.fixture
def probe(painted, labels) -> LinearProbe:
    return LinearProbe().fit([(seen(painted), labels)])


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return np.repeat(np.uint8([2, 5, 200]), 32)[None].repeat(64, 0)


def plain(probe: LinearProbe, field: FeatureField) -> np.ndarray:
    """The segmentation by the weights as they were learned."""
    return probe.values[field.argmax(probe.weights, probe.bias)]


def test_what_moved_counts_less_and_what_did_not_takes_its_place(probe, greener, truth):
    other = seen(greener)
    before, now = ((segmentation == truth).mean() for segmentation in (plain(probe, other), probe.segment(other)))
    assert now > before + 0.1


def test_on_the_painted_image_nothing_changes(probe, painted):
    again = seen(painted)
    np.testing.assert_array_equal(probe.segment(again), plain(probe, again))
    assert "response" not in vars(probe._knowledge().shift)  # and nothing is measured for it


def test_all_that_a_probe_says_of_an_image_agrees(probe, greener, tmp_path):
    other = seen(greener)
    whole = probe.segment(other)
    np.testing.assert_array_equal(probe.values[probe.probabilities(other).argmax(0)], whole)
    region = (slice(10, 40), slice(20, 90))
    np.testing.assert_array_equal(probe.segment(other, region), whole[region])
    probe.save(tmp_path / "a.probe")
    loaded = LinearProbe.load(tmp_path / "a.probe")
    np.testing.assert_array_equal(loaded.probabilities(other), probe.probabilities(other))
    assert loaded.identity == probe.identity


def test_a_loaded_probe_knows_which_images_were_painted(probe, painted, greener, labels, tmp_path):
    probe.save(tmp_path / "a.probe")
    corrected = LinearProbe.load(tmp_path / "a.probe").fit([(seen(greener), labels)])
    for image in (painted, greener):
        np.testing.assert_array_equal(corrected.segment(seen(image)), plain(corrected, seen(image)))
    assert len(corrected.samples.centres) == 2
    both = LinearProbe().fit([(seen(painted), labels), (seen(greener), labels)])
    np.testing.assert_array_equal(both.samples.centres, corrected.samples.centres)


def test_scores_of_an_image_stay_and_weights_along_its_shift_vanish_the_more_they_are_penalised(monkeypatch):
    rng = np.random.default_rng(0)
    root = rng.normal(size=(6, 6))
    scores = LinearMap(*(rng.normal(size=shape).astype(np.float32) for shape in ((6, 3), 3)))
    centres = rng.normal(size=(1, 6)).astype(np.float32)
    shift = Shift(centres, lambda: (root @ root.T + np.eye(6)).astype(np.float32))
    centre = centres[0] + np.float32([1, 0, 0, 2, 0, 0])
    along = []
    for penalty in (1e-3, 1.0, 1e9):
        monkeypatch.setattr("patchfield.probe.shift.PENALTY", penalty)
        changed = shift.discounted(scores, centre)
        np.testing.assert_allclose(
            centres[0] @ changed.weights + changed.bias, centres[0] @ scores.weights + scores.bias, atol=1e-4
        )
        along.append(np.abs((centre - centres[0]) @ changed.weights).max())
    assert along[0] > along[1] > along[2]
    assert along[2] < 1e-4


def test_pixels_without_a_value_do_not_move_an_image(image):
    holed = image.copy()
    holed[:, 60:] = np.nan
    moved = np.abs(seen(holed).centre - seen(image[:, :60]).centre).max()
    assert moved < 0.2 * np.abs(seen(image).centre - seen(image[:, :60]).centre).max()
