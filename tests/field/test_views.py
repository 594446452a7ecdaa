"""Views are coordinate maps: they must agree with NumPy's transformations and invert exactly."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from patchfield.errors import FieldError
from patchfield.field import Sampling

FACTORS = [
    Sampling.shifts([1, 2], "moore"),
    Sampling.shifts([3], "neumann"),
    Sampling.flips(),
    Sampling.mirrors(),
    Sampling.rotations(),
    Sampling.phases(2),
]


@pytest.mark.parametrize(("first", "second"), list(product(FACTORS, repeat=2)), ids=str)
def test_every_product_of_views_round_trips(first, second, noise):
    for view in (first * second).views:
        np.testing.assert_array_equal(view.invert(view.apply(noise)), noise)


@pytest.mark.parametrize(("first", "second"), list(product(FACTORS, repeat=2)), ids=str)
def test_a_product_applies_the_left_factor_first(first, second, noise):
    combined = (first * second).views
    for (a, b), view in zip(product(first.views, second.views), combined, strict=True):
        np.testing.assert_array_equal(view.apply(noise), b.apply(a.apply(noise)))


def test_views_are_numpys_transformations(noise):
    expected = [noise]
    expected += [
        np.roll(noise, (d * r, d * c), (0, 1))
        for d in (1, 2)
        for r, c in product((-1, 0, 1), repeat=2)
        if (r, c) != (0, 0)
    ]
    for view, pixels in zip(Sampling.shifts([1, 2], "moore").views, expected, strict=True):
        np.testing.assert_array_equal(view.apply(noise), pixels)
    for view, k in zip(Sampling.rotations().views, (0, -1, -2, -3, 1, 3), strict=True):
        np.testing.assert_array_equal(view.apply(noise), np.rot90(noise, k))
    for view, axes in zip(Sampling.flips().views, ((), 1, (), 0), strict=True):
        np.testing.assert_array_equal(view.apply(noise), np.flip(noise, axes))


def test_phases_cover_every_sub_patch_position_once():
    found = {(view.rows.phase, view.columns.phase) for view in Sampling.phases(3).views}
    assert found == {(Fraction(i, 3), Fraction(j, 3)) for i in range(3) for j in range(3)}


def test_mirrors_cancel_a_positional_ramp_that_flips_only_halve(noise):
    ramp = np.broadcast_to(np.linspace(-1, 1, 83), (61, 83))

    def mean_over(sampling):
        # A feature that depends on the position in the view alone, as a positional bias does.
        return np.mean([view.invert(ramp) for view in sampling.views], axis=0)

    np.testing.assert_allclose(mean_over(Sampling.mirrors()), 0, atol=1e-12)
    np.testing.assert_allclose(mean_over(Sampling.flips()), ramp / 2, atol=1e-12)


@pytest.mark.parametrize("name", ["fast", "balanced", "fine", "hr-dv2", "shifts(1, 3, neumann) * mirrors()"])
def test_text_and_sampling_are_inverse(name):
    sampling = Sampling.parse(name)
    assert Sampling.parse(str(sampling)) == sampling


def test_hr_dv2_has_its_seventeen_views():
    assert Sampling.parse("hr-dv2").views == Sampling.shifts([1, 2], "moore").views
    assert len((Sampling.shifts([1, 2]) * Sampling.flips()).views) == 68


@pytest.mark.parametrize("text", ["", "phases", "phases(0)", "phases(2, moore)", "shifts(moore)", "best", "flips()*"])
def test_nonsense_is_refused_with_a_sentence(text):
    with pytest.raises(FieldError, match=r"phases"):
        Sampling.parse(text)
