import numpy as np
import pytest
from scipy.special import softmax
from sklearn.neighbors import NearestNeighbors

from patchfield.errors import LabelError
from patchfield.evaluate.metrics import mean_iou
from patchfield.evaluate.metrics.patches import PatchGrid
from patchfield.evaluate.micrographs.patch_memory import PatchMemory


def test_a_memory_finds_itself(field_of, features_of, phases):
    field = field_of(features_of(phases, noise=3.0))
    retrieval = PatchMemory(neighbours=1, patch=8).fit([(field, phases)])
    grid = PatchGrid(phases.shape, 8)
    np.testing.assert_array_equal(retrieval.vote(field.sample(*grid.centres())), grid.soft_labels(phases, [3, 5, 9]))
    assert mean_iou(retrieval.segment(field)[4::8, 4::8], phases[4::8, 4::8]) == 1.0


def test_votes_are_those_of_an_exact_search(field_of, features_of, phases):
    train = field_of(features_of(phases, noise=2.0, seed=1))
    partly = phases.copy()
    partly[:20] = 0
    grid = PatchGrid(phases.shape, 4)
    queries = field_of(features_of(phases, noise=2.0, seed=2)).sample(*grid.centres())
    retrieval = PatchMemory(neighbours=9, temperature=0.05, patch=4).fit([(train, partly)])
    memory, soft = train.sample(*grid.centres()), grid.soft_labels(partly, [3, 5, 9])
    memory, soft = memory[soft.any(1)], soft[soft.any(1)]
    distance, nearest = NearestNeighbors(n_neighbors=9, metric="cosine").fit(memory).kneighbors(queries)
    expected = (softmax((1 - distance) / 0.05, axis=1)[..., None] * soft[nearest]).sum(1)
    np.testing.assert_allclose(retrieval.vote(queries), expected, atol=1e-4)
    np.testing.assert_allclose(retrieval.vote(queries).sum(1), 1, atol=1e-5)


def test_a_cold_vote_is_that_of_the_nearest(field_of, features_of, phases):
    train, query = (field_of(features_of(phases, noise=3.0, seed=seed)) for seed in (1, 2))
    cold = PatchMemory(neighbours=30, temperature=1e-6, patch=8).fit([(train, phases)])
    nearest = PatchMemory(neighbours=1, patch=8).fit([(train, phases)])
    np.testing.assert_array_equal(cold.segment(query), nearest.segment(query))


def test_a_small_memory_votes_as_a_whole(field_of, features_of, phases):
    labels = np.where(np.indices(phases.shape)[0] < 8, phases, 0)
    field = field_of(features_of(phases, noise=0.1))
    segmentation = PatchMemory(neighbours=30, patch=8).fit([(field, labels)]).segment(field)
    assert set(np.unique(segmentation)) <= set(np.unique(labels)) - {0}


def test_refuses_a_memory_without_labels(field_of, features_of, phases):
    with pytest.raises(LabelError, match="labelled"):
        PatchMemory().fit([(field_of(features_of(phases, noise=0.1)), np.zeros_like(phases))])
