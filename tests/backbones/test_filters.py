"""The filter bank: what its channels mean, and that they depend on nothing they should not depend on."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from patchfield import LinearProbe, extract, load_backbone
from patchfield.backbones.filters import FilterBank, compute_channels, mean_gradients
from patchfield.backbones.filters.scales import scale_space
from patchfield.images import ImageSettings, model_image
from patchfield.testing import BackboneTests

BANK = FilterBank()


def textured(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A float image in 0..1 with structure at several scales."""
    noise = np.random.default_rng(seed).random((height, width))
    layers = [gaussian_filter(noise, sigma) for sigma in (0.5, 2, 6)]
    mixed = sum((layer - layer.mean()) / layer.std() for layer in layers)
    return np.clip(0.5 + mixed / 16, 0, 1).astype(np.float32)


def channel(image: np.ndarray, name: str) -> np.ndarray:
    """One channel at every pixel."""
    return extract(image, "filters", "fast", contrast="none").dense()[BANK.channel_names.index(name)]


def test_is_the_backbone_called_filters_and_small_in_memory() -> None:
    bank = load_backbone("filters")
    field = extract(textured(256, 256), bank, "balanced")
    assert field.channels == bank.channels == len(set(bank.channel_names))  # type: ignore[attr-defined]
    assert field.nbytes / 256**2 < 60
    assert field.recipes[0].fingerprint == FilterBank().fingerprint


def test_adapting_to_an_image_changes_neither_fingerprint_nor_levels() -> None:
    adapted = BANK.adapted(model_image(textured(40, 50) / 3))
    assert (adapted.fingerprint, adapted.levels, adapted.options) == (BANK.fingerprint, BANK.levels, BANK.options)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((1, 1), np.uint8),
        np.full((3, 70), 200, np.uint8),
        np.full((64, 64), 1e30),
        np.where(np.eye(90) > 0, np.nan, 1.0),
        np.where(np.arange(64**2).reshape(64, 64) == 2080, 65535, 0).astype(np.uint16),
        (textured(37, 53)[..., None] * [255, 0, 90]).astype(np.uint8),
    ],
    ids=["one pixel", "constant", "constant, huge", "with NaN", "one bright pixel", "colour, odd size"],
)
def test_features_of_any_image_are_finite_and_fit_float16(image: np.ndarray) -> None:
    dense = extract(image, "filters", "fast").dense()
    assert dense.shape == (BANK.channels, *image.shape[:2])
    assert np.isfinite(dense).all()
    assert np.abs(dense).max() < 100


def test_a_constant_image_has_no_structure() -> None:
    dense = extract(np.full((48, 48), 90, np.uint8), "filters", "fast").dense()
    np.testing.assert_allclose(dense, dense[:, :1, :1].repeat(48, 1).repeat(48, 2), atol=1e-3)


def test_scales_are_gaussians_wherever_their_grids_are() -> None:
    image = textured(256, 256)
    for sigma, scale in scale_space(torch.from_numpy(image)[None]).items():
        exact = gaussian_filter(image.astype(float), sigma, mode="nearest")
        if scale.pitch > 1:  # samples stand between four pixels
            between = (exact[1:, 1:] + exact[:-1, :-1] + exact[1:, :-1] + exact[:-1, 1:]) / 4
            exact = between[scale.pitch // 2 - 1 :: scale.pitch, scale.pitch // 2 - 1 :: scale.pitch]
        edge = 2 * sigma // scale.pitch
        difference = (scale.plane[0].numpy() - exact)[edge:-edge, edge:-edge]
        assert np.abs(difference).max() < 0.05 * exact.std(), sigma


def test_a_dot_stays_where_it_is_at_every_scale() -> None:
    image = np.zeros((128, 128), np.float32)
    image[60, 71] = 1
    for sigma in (1, 2, 4, 8, 16):
        plane = channel(gaussian_filter(image, 3) * 50, f"intensity, {sigma} px")
        plane = plane - plane.min()
        centre = [(plane.sum(1 - axis) * np.arange(128)).sum() / plane.sum() for axis in (0, 1)]
        np.testing.assert_allclose(centre, (60, 71), atol=0.5)


@pytest.mark.parametrize("turn", [lambda x: np.rot90(x).copy(), lambda x: x[:, ::-1].copy(), lambda x: x.T.copy()])
def test_no_direction_is_preferred(turn) -> None:
    image = textured(64, 64)
    features = extract(image, "filters", "fast").dense()
    turned = extract(turn(image), "filters", "fast").dense()
    expected = np.stack([turn(plane) for plane in features])
    np.testing.assert_allclose(turned, expected, atol=0.02)


def test_tiles_equal_the_whole() -> None:
    image = textured(512, 400)
    in_tiles = FilterBank()
    in_tiles.tile = 256
    difference = extract(image, in_tiles, "fast").dense() - extract(image, BANK, "fast").dense()
    assert np.abs(difference).max() < 0.02


@settings(max_examples=8, deadline=None)
@given(gain=st.floats(0.05, 1), offset=st.floats(0, 0.5))
def test_brightness_and_contrast_of_an_image_do_not_matter(gain: float, offset: float) -> None:
    image = textured(48, 64)
    dimmed = image * min(gain, 1 - offset) + offset
    plain, other = (extract(pixels, "filters", "fast", contrast="none").dense() for pixels in (image, dimmed))
    np.testing.assert_allclose(other, plain, atol=0.02)


def test_colours_are_told_apart_and_grey_images_have_none() -> None:
    image = np.full((64, 64, 3), 180, np.uint8)
    image[20:30, 20:30] = (180, 60, 180)
    for name in [name for name in BANK.channel_names if name.startswith(("red - green", "yellow - blue"))]:
        plane = channel(image, name)
        assert abs(plane[25, 25] - plane[50, 50]) > 0.2
        assert not channel(image[..., 0], name).any()


def test_a_material_keeps_its_intensity_however_much_of_the_image_it_covers() -> None:
    """Which is why intensities are counted from the middle of the range: the median was the larger phase's."""
    colours = np.array([(60, 40, 90), (200, 180, 160)], np.uint8)
    few, many = (colours[(np.arange(64)[:, None] < rows).astype(int).repeat(64, 1)] for rows in (10, 54))
    images = [model_image(image) for image in (few, many)]
    now = [FilterBank().adapted(image) for image in images]
    before = [FilterBank(reference="median").adapted(image) for image in images]
    batch = torch.from_numpy(images[0].whole()).permute(2, 0, 1)[None]
    shifts = [float((one.encode(batch)[0] - other.encode(batch)[0])[:, 0].abs().max()) for one, other in (now, before)]
    assert shifts[0] < 1e-3
    assert shifts[1] > 0.5


def test_features_of_the_version_before_are_still_made_where_they_are_wanted() -> None:
    """Probes of version 1 counted from the median of each channel."""
    bank = load_backbone("filters", fingerprint="6867c50aa133e769")
    assert isinstance(bank, FilterBank)
    assert (bank.reference, bank.fingerprint) == ("median", "6867c50aa133e769")
    colours = np.random.default_rng(0).random((48, 64, 3)) ** (1, 2, 3)
    adapted = bank.adapted(model_image(colours, ImageSettings(contrast="none")))
    np.testing.assert_allclose(adapted._statistics.centre, np.median(colours, (0, 1)), atol=1e-6)
    assert load_backbone("filters").fingerprint == FilterBank().fingerprint != bank.fingerprint
    assert load_backbone("filters", fingerprint="unknown").fingerprint == FilterBank().fingerprint


def test_channels_respond_to_what_they_are_called() -> None:
    image = np.zeros((96, 96), np.float32)
    image[:, 48:] = 1
    image[20:24, 10:38] = 1
    edge, ridge = channel(image, "edge, 1 px"), channel(image, "smaller curvature, 2 px")
    assert np.isin(edge[60].argmax(), (47, 48))
    assert ridge[:44, :44].argmin() // 44 in (21, 22)
    stripes = np.sin(np.arange(96) * 1.5)[None].repeat(96, 0).astype(np.float32)
    across, along = channel(stripes, "texture across, 4 px"), channel(stripes, "texture along, 4 px")
    assert across[48, 48] > 10 * along[48, 48]
    tones = [channel(image, name) for name in BANK.channel_names if name.startswith("tone")]
    np.testing.assert_allclose(sum(tones), 1, atol=0.01)
    darkest, brightest = (channel(image, f"{kind} line, 17 px") for kind in ("darkest", "brightest"))
    assert abs(brightest[21, 24]) < 0.05  # a line can run along the bar
    assert darkest[21, 24] < -0.3  # and others cross it


def test_a_probe_moves_to_an_image_of_other_contrast() -> None:
    """Two textures of equal mean; the second image is darker and has a fifth of the contrast."""
    rng = np.random.default_rng(3)
    right = np.arange(128)[None].repeat(128, 0) >= 64
    images = []
    for _ in range(2):
        fine, coarse = (gaussian_filter(rng.normal(size=(128, 128)), sigma) for sigma in (0.7, 2.5))
        images.append(np.where(right, fine / fine.std(), coarse / coarse.std()))
    labels = np.zeros((128, 128), np.uint8)
    labels[20:100:20, 10:50], labels[20:100:20, 78:118] = 1, 2
    first, second = (extract(pixels, "filters", contrast=(-10, 10)) for pixels in (images[0], images[1] * 0.2 - 5))
    probe = LinearProbe().fit([(first, labels)])
    assert (probe.segment(second) == right + 1).mean() > 0.95


def test_images_of_a_batch_have_each_their_own_energies() -> None:
    images = (
        torch.from_numpy(np.stack([textured(64, 64, 1), textured(64, 64, 2) / 2])).repeat(3, 1, 1, 1).transpose(0, 1)
    )
    energies = mean_gradients(images)
    together = compute_channels(images, energies[..., None, None])
    for number, image in enumerate(images):
        alone = compute_channels(image[None], energies[:, number].tolist())
        for planes, expected in zip(together, alone, strict=True):
            torch.testing.assert_close(planes[number], expected[0], rtol=1e-4, atol=1e-5)


def test_values_are_those_of_this_version() -> None:
    """If this fails, features have changed: count VERSIONS up, so that older probes are refused, and correct these."""
    batch = torch.from_numpy(textured(64, 64)).repeat(1, 3, 1, 1)
    means = [float(tokens.abs().mean()) for tokens in BANK.encode(batch)]
    assert BANK.fingerprint == "b6a3c050c185d480"
    np.testing.assert_allclose(means, [0.16355, 0.33082, 0.60341, 0.86402], rtol=1e-3)


class TestFilterBank(BackboneTests):
    @pytest.fixture
    def backbone(self) -> FilterBank:
        return FilterBank()

    @pytest.fixture
    def again(self) -> FilterBank:
        return FilterBank()

    @pytest.fixture
    def others(self, monkeypatch: pytest.MonkeyPatch) -> list[FilterBank]:
        monkeypatch.setattr("patchfield.backbones.filters.bank.VERSIONS", {"middle": 10_000})
        return [FilterBank()]
