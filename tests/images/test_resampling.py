"""Images at another magnification."""

import numpy as np
import pytest

from patchfield.images.resampling import ResampledPixels


@pytest.mark.parametrize("size", [(24, 40), (96, 160), (48, 80), (7, 200)])
def test_a_slice_is_that_part_of_the_whole_and_a_ramp_stays_a_ramp(size):
    rows, columns = np.mgrid[:48, :80]
    whole = ResampledPixels((3.0 * rows + columns).astype(np.float32), size)[:]
    np.testing.assert_allclose(ResampledPixels(whole.copy(), size)[:], whole, rtol=1e-5)
    inner = (slice(2, -2), slice(5, -5))
    expected = (
        3 * ((np.mgrid[: size[0]] + 0.5) * 48 / size[0] - 0.5)[:, None]
        + (np.mgrid[: size[1]] + 0.5) * 80 / size[1]
        - 0.5
    )
    np.testing.assert_allclose(whole[inner], expected[inner], atol=0.1)
    lazy = ResampledPixels((3.0 * rows + columns).astype(np.float32), size)
    np.testing.assert_allclose(lazy[3:6, 10:20], whole[3:6, 10:20], rtol=1e-5)


def test_colours_keep_their_place_and_lines_do_not_alias():
    image = np.zeros((30, 40, 3), np.uint8)
    image[:, ::2, 1] = 200
    reduced = ResampledPixels(image, (15, 20))[2:10, 3:15]
    assert reduced.shape == (8, 12, 3)
    np.testing.assert_allclose(reduced[..., 1], 100, atol=1)
    assert not reduced[..., 0].any()
