"""Interpolation between tokens against PyTorch's own resizing."""

import numpy as np
import pytest
import torch

from patchfield.field.axis import Axis
from patchfield.field.views import AxisView

MODES = {"nearest": "nearest-exact", "bilinear": "bilinear", "bicubic": "bicubic"}


@pytest.mark.parametrize("how", MODES)
@pytest.mark.parametrize("pitch", [2, 7, 14])
def test_taps_resize_as_pytorch_does(how, pitch):
    tokens = torch.from_numpy(np.random.default_rng(0).standard_normal(9))
    size = 9 * pitch
    square = tokens[None, None, :, None].expand(1, 1, 9, 9)
    settings = {} if how == "nearest" else {"align_corners": False}
    expected = torch.nn.functional.interpolate(square, size=(size, size), mode=MODES[how], **settings)[0, 0, :, 0]
    axis = Axis(size, AxisView(), (pitch - 1) / 2, pitch, 9)
    index, weights = axis.taps(np.arange(size), how)
    np.testing.assert_allclose((tokens.numpy()[index] * weights).sum(1), expected, atol=1e-12)
    parts = [band.matrix @ tokens.numpy()[band.tokens] for band in axis.bands(np.arange(size), how)]
    np.testing.assert_allclose(np.concatenate(parts), expected, atol=1e-6)


@pytest.mark.parametrize("how", MODES)
def test_weights_sum_to_one_everywhere(how):
    axis = Axis(50, AxisView(flip=True, shift=-3), -4.5, 7, 8)
    _, weights = axis.taps(np.arange(50), how)
    np.testing.assert_allclose(weights.sum(1), 1)
