"""Monitors against closed forms."""

import pytest
import torch

from training.monitor.measures import (
    drift,
    effective_rank,
    has_collapsed,
    neighbour_consistency,
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
