"""Exploration on real fields, against scikit-learn and plain formulas on dense features."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from patchfield.backbones.vit import AttentionMaps, random_vit
from patchfield.errors import BackboneError, FieldError
from patchfield.explore import Clusters, PrincipalComponents, Similarity, attention_field
from patchfield.explore.standard import sample_pixels
from patchfield.pipeline import extract


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """(56, 70) uint8: stripes beside noise."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (56, 70))
    pixels[:, 35:] = 128 + 60 * np.sin(np.arange(35) / 2)
    return pixels.astype(np.uint8)


@pytest.fixture(scope="module")
def vit():
    return random_vit("vit_tiny_patch16_224", depth=2, device="cpu")


@pytest.fixture(scope="module")
def field(image, vit):
    return extract(image, vit, "phases(2)")


@pytest.fixture(scope="module")
def standardised(field):
    return StandardScaler().fit_transform(field.dense().reshape(field.channels, -1).T)


def test_components_are_scikit_learns(field, standardised):
    expected = PCA(3).fit(standardised)
    found = PrincipalComponents.fit(field, samples=10**6)
    projections = found.project(field).reshape(3, -1).T
    reference = expected.transform(standardised)
    reference *= np.sign((projections * reference).sum(0))
    np.testing.assert_allclose(projections, reference, atol=0.02 * reference.std())
    np.testing.assert_allclose(found.explained, expected.explained_variance_ratio_, atol=1e-4)


def test_colours_of_a_region_are_those_of_the_whole(field):
    components = PrincipalComponents.fit(field)
    whole = components.rgb(field)
    assert whole.dtype == np.float32
    assert whole.min() == 0
    assert whole.max() == 1
    region = (slice(10, 30), slice(5, 60))
    np.testing.assert_allclose(components.rgb(field, region), whole[10:30, 5:60], atol=1e-4)


def test_a_constant_image_has_no_components_but_a_picture(vit):
    flat = extract(np.full((32, 32), 7, np.uint8), vit, "fast")
    assert np.isfinite(PrincipalComponents.fit(flat).rgb(flat)).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("image", [np.ones((1, 1)), np.ones((1, 2)), np.full((30, 30), 7.0)])
def test_images_without_any_variation_are_shown_in_silence(image):
    flat = extract(image, "filters")
    components = PrincipalComponents.fit(flat)
    assert np.isfinite(components.rgb(flat)).all()
    assert not components.explained.any()
    assert np.isfinite(Similarity.from_field(flat).to_pixel(0, 0)).all()
    if flat.shape != (1, 1):
        assert Clusters.fit(flat, 2).assign(flat).max() == 1


@pytest.mark.filterwarnings("error")
def test_pixels_without_a_value_are_neither_learned_from_nor_shown(image):
    holed = image.astype(float)
    holed[:, :20] = np.nan
    field, region = extract(holed, "filters"), (slice(0, 20), slice(10, 60))
    missing = np.isnan(holed)
    features = sample_pixels(field, 10**6)
    np.testing.assert_array_equal(features, field.sample(*np.nonzero(~missing)))
    for shown, whole in (
        (Clusters.fit(field, 3).assign(field), True),
        (Clusters.fit(field, 3).assign(field, region), False),
        (PrincipalComponents.fit(field).rgb(field).any(-1), True),
        (PrincipalComponents.fit(field).rgb(field, region).any(-1), False),
        (Similarity.from_field(field).to_pixel(20, 50) != 0, True),
    ):
        np.testing.assert_array_equal(shown > 0, ~missing if whole else ~missing[region])
    with pytest.raises(FieldError, match="no pixel of the image has a value"):
        Clusters.fit(extract(np.full((20, 20), np.nan), "filters"), 2)


def test_clusters_are_the_nearest_centres(field, standardised):
    found = Clusters.fit(field, 5, samples=10**6).assign(field)
    reference = KMeans(5, n_init=1, random_state=0).fit(standardised).labels_.reshape(field.shape)
    # Same partition up to the numbering: each of our clusters is one of theirs.
    table = np.array([[(found == i + 1)[reference == j].sum() for j in range(5)] for i in range(5)])
    assert table.max(1).sum() / table.sum() > 0.98
    sizes = np.bincount(found.ravel())[1:]
    assert (np.diff(sizes) <= 0).all()


def test_similarity_is_the_cosine_of_dense_features(field, standardised):
    unit = standardised / np.linalg.norm(standardised, axis=1, keepdims=True)
    expected = (unit @ unit[20 * 70 + 50]).reshape(field.shape)
    found = Similarity.from_field(field, samples=10**6).to_pixel(20, 50)
    np.testing.assert_allclose(found, expected, atol=5e-3)
    assert found[20, 50] == pytest.approx(1, abs=1e-4)


def test_attention_is_a_field_with_a_channel_per_head(image, field, vit):
    attention = attention_field(image, field, vit)
    assert attention.shape == field.shape
    assert attention.channels == 3
    assert 0.2 < attention.dense().mean() < 2


def test_what_cannot_be_explored_is_refused(image, field, vit):
    with pytest.raises(BackboneError, match="vision transformers"):
        attention_field(image, field, AttentionMaps(vit))
    with pytest.raises(FieldError, match="same backbone"):
        PrincipalComponents.fit([field, field | field])
    with pytest.raises(FieldError, match="1 clusters"):
        Clusters.fit(field, 1)
