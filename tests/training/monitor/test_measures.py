"""Monitors against closed forms."""

from math import log

import numpy as np
import pytest
import scipy.stats
import torch

from training.monitor.measures import (
    divergence,
    drift,
    effective_rank,
    has_collapsed,
    neighbour_consistency,
    relative_entropy_of_rows,
)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_effective_rank_counts_equal_directions(rank, generator):
    basis = torch.linalg.qr(torch.randn(16, rank, generator=generator))[0]
    centred = torch.randn(200, rank, generator=generator)
    orthogonal = torch.linalg.qr(centred - centred.mean(0))[0]
    features = orthogonal @ basis.T + 5.0
    assert effective_rank(features) == pytest.approx(rank, abs=1e-3)


def test_effective_rank_sees_collapse(generator):
    healthy = torch.randn(300, 24, generator=generator)
    collapsed = healthy * torch.logspace(0, -3, 24)
    assert has_collapsed(effective_rank(collapsed), effective_rank(healthy))
    assert not has_collapsed(effective_rank(healthy * 7), effective_rank(healthy))
    assert effective_rank(torch.ones(10, 4)) == 0.0


def test_drift_ignores_length_and_sees_direction(generator):
    features = torch.randn(50, 8, generator=generator)
    assert drift(3 * features, features) == pytest.approx(1.0)
    assert drift(-features, features) == pytest.approx(-1.0)


def test_neighbour_consistency_between_chance_and_one(generator):
    first, references = torch.randn(4000, 16, generator=generator), torch.randn(49, 16, generator=generator)
    assert neighbour_consistency(first, 2 * first, references) == 1.0
    unrelated = torch.randn(4000, 16, generator=generator)
    assert neighbour_consistency(first, unrelated, references) == pytest.approx(1 / 49, abs=0.02)


def test_entropy_and_divergence_match_scipy(generator):
    teacher = torch.rand(6, 7, 7, generator=generator, dtype=torch.float64).softmax(-1)
    student = torch.rand(6, 7, 7, generator=generator, dtype=torch.float64).softmax(-1)
    expected = scipy.stats.entropy(teacher.numpy(), axis=-1).mean() / np.log(7)
    assert relative_entropy_of_rows(teacher) == pytest.approx(expected)
    cross_entropy = float(-(teacher * student.log()).sum(-1).mean())
    expected = scipy.stats.entropy(teacher.numpy(), student.numpy(), axis=-1).mean()
    assert divergence(cross_entropy, teacher) == pytest.approx(expected)


def test_entropy_at_its_ends():
    assert relative_entropy_of_rows(torch.eye(9)) == 0.0
    assert relative_entropy_of_rows(torch.full((9, 9), 1 / 9)) == pytest.approx(1.0)
    assert divergence(log(9), torch.full((9, 9), 1 / 9)) == pytest.approx(0.0, abs=1e-7)
