import numpy as np
import pytest

from patchfield.errors import LabelError
from patchfield.evaluate.metrics import boundary_f, mean_boundary_f


def square(size, start, stop):
    labels = np.ones((size, size), np.uint8)
    labels[start:stop, start:stop] = 2
    return labels


@pytest.mark.parametrize(("shift", "tolerance", "perfect"), [(0, 0.0, True), (2, 2.0, True), (3, 2.0, False)])
def test_tolerance_is_in_pixels(shift, tolerance, perfect):
    truth = np.repeat([[1] * 20 + [2] * 20], 12, axis=0)
    prediction = np.repeat([[1] * (20 + shift) + [2] * (20 - shift)], 12, axis=0)
    assert boundary_f(prediction, truth, tolerance) == {1: float(perfect), 2: float(perfect)}


def test_false_boundaries_cost_precision_and_missed_ones_recall():
    truth, nothing = square(30, 8, 20), np.ones((30, 30), np.uint8)
    assert mean_boundary_f(nothing, truth) == 0.0
    extra = truth.copy()
    extra[26:28, 26:28] = 2
    f_extra = boundary_f(extra, truth)[2]
    inner = 12 * 4 - 4
    precision = inner / (inner + 4)
    np.testing.assert_allclose(f_extra, 2 * precision / (precision + 1))
    assert np.isnan(mean_boundary_f(nothing, nothing))


def test_unlabelled_pixels_have_no_boundaries():
    truth = square(30, 8, 20)
    prediction = truth.copy()
    prediction[:5] = 2
    assert mean_boundary_f(prediction, truth) < 1
    truth[:6] = 0
    assert mean_boundary_f(prediction, truth) == 1


def test_refuses_other_shapes():
    with pytest.raises(LabelError, match="shape"):
        boundary_f(np.ones((4, 5)), np.ones((5, 4)))
