"""What makes a field a field: sampling, projecting and making dense are one linear map."""

import numpy as np
import pytest

from patchfield.errors import FieldError
from patchfield.field import field as field_module
from patchfield.field import load_field, save_field
from patchfield.pipeline import extract
from patchfield.testing.backbones import PatchMeans

SAMPLINGS = [
    "fast",
    "phases(3)",
    "shifts(1, 2, moore) * flips()",
    "rotations() * shifts(2, neumann)",
    "phases(2) * mirrors()",
]
INTERPOLATIONS = ["nearest", "bilinear", "bicubic", "guided"]


@pytest.fixture
def make_field(noise):
    def make(sampling="phases(2)", interpolation="bilinear", levels=((7, 14, 5), (14, 14, 3))):
        return extract(noise, PatchMeans(*levels), sampling, interpolation)

    return make


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("levels", [((14, 14, 6),), ((1, 1, 3), (2, 2, 4), (8, 8, 2))], ids=["coarse", "pyramid"])
def test_projecting_is_dense_then_multiply(make_field, sampling, interpolation, levels):
    field = make_field(sampling, interpolation, levels)
    rng = np.random.default_rng(0)
    weights, bias = rng.standard_normal((field.channels, 4)), rng.standard_normal(4)
    dense = field.dense()
    expected = np.einsum("chw,ck->khw", dense, weights) + bias[:, None, None]
    maps = field.project(weights, bias)
    np.testing.assert_allclose(maps, expected, atol=1e-5)
    decided = np.abs(np.diff(np.sort(expected, axis=0)[-2:], axis=0)[0]) > 1e-5
    np.testing.assert_array_equal(field.argmax(weights, bias)[decided], expected.argmax(0)[decided])


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_samples_are_the_dense_features_at_those_pixels(make_field, sampling, interpolation):
    field = make_field(sampling, interpolation)
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(0, 61, 200), rng.integers(0, 83, 200)
    np.testing.assert_allclose(field.sample(rows, columns), field.dense()[:, rows, columns].T, atol=2e-6)


def test_a_region_is_that_part_of_the_whole(make_field):
    field = make_field("shifts(3, neumann) * phases(2)")
    weights = np.random.default_rng(0).standard_normal((field.channels, 2))
    region = (slice(13, 40), slice(70, None))
    np.testing.assert_allclose(field.dense(region), field.dense()[:, 13:40, 70:], atol=1e-6)
    np.testing.assert_allclose(field.project(weights, region=region), field.project(weights)[:, 13:40, 70:], atol=1e-5)
    np.testing.assert_array_equal(field.argmax(weights, region=region), field.argmax(weights)[13:40, 70:])


def test_joining_appends_channels(make_field):
    a, b = make_field("fast"), make_field("phases(2)", "nearest")
    joined = a | b
    assert joined.channels == a.channels + b.channels
    assert joined.nbytes == a.nbytes + b.nbytes
    assert joined.recipes == a.recipes + b.recipes
    np.testing.assert_array_equal(joined.dense(), np.concatenate([a.dense(), b.dense()]))
    weights = np.random.default_rng(0).standard_normal((joined.channels, 3))
    parts = a.project(weights[: a.channels]) + b.project(weights[a.channels :])
    np.testing.assert_allclose(joined.project(weights), parts, atol=1e-5)


def test_a_saved_field_is_the_same_field(make_field, tmp_path):
    field = make_field("rotations() * phases(2)", "bicubic") | make_field("flips()")
    save_field(field, tmp_path / "image.field")
    loaded = load_field(tmp_path / "image.field")
    np.testing.assert_array_equal(loaded.dense(), field.dense())
    assert (loaded.shape, loaded.recipes, loaded.nbytes) == (field.shape, field.recipes, field.nbytes)


def test_large_images_are_projected_band_by_band(make_field, monkeypatch):
    field = make_field("phases(2) * mirrors()")
    weights = np.random.default_rng(0).standard_normal((field.channels, 3))
    whole = field.project(weights), field.argmax(weights)
    monkeypatch.setattr(field_module, "_BAND_PIXELS", 1)
    monkeypatch.setattr(field_module, "_MIN_BAND_ROWS", 7)
    np.testing.assert_allclose(field.project(weights), whole[0], atol=1e-5)
    np.testing.assert_array_equal(field.argmax(weights), whole[1])


def test_missing_pixels_are_saved(noise, tmp_path):
    noise = noise.copy()
    noise[3, 5] = np.nan
    field = extract(noise, PatchMeans((4, 4, 3)), "fast")
    save_field(field, tmp_path / "image.field")
    np.testing.assert_array_equal(load_field(tmp_path / "image.field").missing, field.missing)


def test_more_classes_than_a_byte_holds(make_field):
    field = make_field("fast")
    weights = np.random.default_rng(0).standard_normal((field.channels, 300))
    index = field.argmax(weights)
    assert index.dtype == np.uint16
    np.testing.assert_array_equal(index, field.project(weights).argmax(0))


def test_what_does_not_fit_is_refused(make_field, tmp_path):
    field = make_field()
    with pytest.raises(FieldError, match="8 channels"):
        field.project(np.zeros((5, 2)))
    with pytest.raises(FieldError, match="Rows 0 to 61"):
        field.sample([0, 61], [0, 0])
    with pytest.raises(FieldError, match="empty"):
        field.dense((slice(61, 70), slice(None)))
    with pytest.raises(FieldError, match="different size"):
        field | extract(np.zeros((20, 20)), PatchMeans((14, 14, 2)))
    (tmp_path / "no.field").write_bytes(b"\x08\0\0\0\0\0\0\0not json")
    with pytest.raises(FieldError, match=r"no\.field"):
        load_field(tmp_path / "no.field")
