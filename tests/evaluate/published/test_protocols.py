"""The published protocols on nine coloured images: the right answer is known, and so is what chance would score."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from patchfield.backbones.base import Level
from patchfield.errors import BackboneError
from patchfield.evaluate.published import DenseRetrieval, LinearSegmentation, Overclustering, read_benchmark
from patchfield.evaluate.published.dense_retrieval import rarest_first
from patchfield.evaluate.published.overclustering import standardised_components

PRESENT = 3 / 21
"""Mean IoU over the 21 classes of VOC when the three that occur are perfect."""


@pytest.fixture
def voc(voc_root):
    return read_benchmark("voc", voc_root)


def test_linear_segmentation_learns_the_colours(backbone, voc):
    recipe = LinearSegmentation(size=64, mask=32, epochs=12, drop_at=10, batch=3, learning_rate=1.0)
    result = recipe(backbone, voc)
    assert len(result.miou_of_epochs) == 12
    assert 0.85 * PRESENT < result.last <= result.best <= PRESENT
    assert recipe(backbone, voc) == result


def test_overclustering_maps_colours_to_classes(backbone, voc):
    result = Overclustering(clusters=9, size=64, mask=32, components=3, seeds=2, batch=2)(backbone, voc)
    assert len(result.oracle_miou_of_seeds) == 2
    assert 0.75 * PRESENT < result.oracle_miou <= PRESENT


def test_as_many_clusters_as_classes_are_matched_one_to_one(backbone, voc):
    """Over-split bands then lose all but one of their clusters, which many-to-one matching would forgive."""
    one_to_one = Overclustering(clusters=21, size=64, mask=32, seeds=1)(backbone, voc).oracle_miou
    many_to_one = Overclustering(clusters=22, size=64, mask=32, seeds=1)(backbone, voc).oracle_miou
    assert one_to_one < 0.8 * many_to_one


def test_dense_retrieval_finds_the_colours(backbone, voc):
    result = DenseRetrieval(size=67, neighbours=5, batch=2)(backbone, voc)
    assert result.memory == 6 * 8 * 8
    assert 0.8 * PRESENT < result.miou <= PRESENT


def test_dense_retrieval_with_a_bounded_memory(backbone, voc):
    result = DenseRetrieval(size=64, neighbours=5, memory=130, passes=2)(backbone, voc)
    assert result.memory == 2 * 6 * (130 // 12)
    assert result.miou > 0.5 * PRESENT


def test_a_bounded_memory_takes_rare_classes_first():
    soft = np.zeros((100, 3), np.float32)
    soft[:, 0], soft[7, 1], soft[42, :] = 1, 1, 0
    soft[7, 0], soft[42, 2] = 0, 1
    first = [rarest_first(soft, np.random.default_rng(seed))[:2].tolist() for seed in range(200)]
    hits = np.bincount(np.ravel(first), minlength=100)
    assert hits[[7, 42]].min() > 5 * np.delete(hits, [7, 42]).max()


def test_components_match_scikit_learn():
    features = (np.random.default_rng(0).normal(size=(500, 12)) @ np.random.default_rng(1).normal(size=(12, 12))) * 3
    features = (features + 1).astype(np.float16)
    features[:, 4] = 2  # constant
    ours = standardised_components(features, 5)
    expected = PCA(5).fit_transform(StandardScaler().fit_transform(features.astype(np.float64)))
    np.testing.assert_allclose(np.abs(ours), np.abs(expected), atol=1e-3)


def test_refuses_backbones_without_one_grid_of_patches(backbone, voc):
    backbone.levels = (Level(4, 8, 5),)
    with pytest.raises(BackboneError, match="plain ViT"):
        LinearSegmentation()(backbone, voc)


def test_nothing_reaches_the_backbone_with_gradients(backbone, voc, monkeypatch):
    weight = torch.nn.Parameter(torch.ones(()))
    encode = backbone.encode
    monkeypatch.setattr(backbone, "encode", lambda batch: [level * weight for level in encode(batch)])
    LinearSegmentation(size=64, mask=16, epochs=1, batch=3)(backbone, voc)
    assert weight.grad is None
