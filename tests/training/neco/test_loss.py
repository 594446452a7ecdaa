"""The ranking loss against the reference vectors, the published sorter and closed forms."""

import math

import numpy as np
import pytest
import torch
from diffsort import DiffSortNet

from training.neco import loss as loss_module
from training.neco.loss import pair_weights, rank_cross_entropy, rank_entropy, similarity
from training.neco.settings import LossSettings
from training.neco.sorting.networks import sorting_network
from training.neco.steepness import SteepnessSchedule, spreads

CASES = ["bitonic_cosine_100", "odd_even_cosine_10_100", "bitonic_euclidean_5"]


def random_rows(rows, size, spread=0.15, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return spread * torch.randn(rows, size, generator=generator, dtype=dtype)


def published_loss(student, teacher, topology, student_steepness, teacher_steepness):
    size = student.shape[1]
    _, predicted = DiffSortNet(topology, size, steepness=student_steepness)(student)
    with torch.no_grad():
        _, target = DiffSortNet(topology, size, steepness=teacher_steepness)(teacher)
    return -(target * predicted.log()).sum(2).mean()


@pytest.mark.parametrize("name", CASES)
def test_reference_vectors(name, oracles, recipe):
    cases, expected = oracles("neco")
    case = cases[name]
    shape = (case["batch"], case["grid"] ** 2, case["dim"])
    student, teacher, references = (
        torch.from_numpy(recipe.embedding([case["seed"], part], shape)) for part in range(3)
    )
    student.requires_grad_()
    rows = similarity(student, references, case["similarity"]).flatten(0, 1)
    targets = similarity(teacher, references, case["similarity"]).flatten(0, 1)
    network = sorting_network(case["network"], case["grid"] ** 2)
    loss = rank_cross_entropy(rows, targets, network, case["student_steepness"], case["teacher_steepness"])
    loss.backward()
    assert loss.item() == pytest.approx(expected[f"{name}_loss"].item(), abs=1e-4)
    np.testing.assert_allclose(student.grad, expected[f"{name}_student_grad"], atol=1e-5)


@pytest.mark.parametrize("topology", ["bitonic", "odd_even"])
def test_equals_the_published_sorter_across_chunks(topology, monkeypatch):
    monkeypatch.setitem(loss_module._ROWS_OF_GATES, "cpu", 8)
    monkeypatch.setitem(loss_module._ROWS_OF_MATRICES, "cpu", 3)
    student, teacher = random_rows(21, 49, seed=1).requires_grad_(), random_rows(21, 49, seed=2)
    expected = published_loss(student, teacher, topology, 40, 100)
    (expected_gradient,) = torch.autograd.grad(expected, student)
    loss = rank_cross_entropy(student, teacher, sorting_network(topology, 49), 40, 100)
    (gradient,) = torch.autograd.grad(loss, student)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradient, expected_gradient)


def test_gradcheck_with_weights():
    student, teacher = random_rows(4, 5, 1.0, seed=1).requires_grad_(), random_rows(4, 5, 1.0, seed=2)
    weights = torch.tensor([0.5, 0.0, 0.2, 0.3], dtype=torch.float64)
    network = sorting_network("bitonic", 5)
    assert torch.autograd.gradcheck(
        lambda rows: rank_cross_entropy(rows, teacher, network, 3.0, 5.0, weights), (student,)
    )


def test_minimum_is_the_teachers_entropy_and_has_no_gradient():
    network = sorting_network("bitonic", 49)
    teacher, other = random_rows(12, 49, seed=1), random_rows(12, 49, seed=2)
    same = teacher.clone().requires_grad_()
    loss = rank_cross_entropy(same, teacher, network)
    loss.backward()
    entropy = rank_entropy(teacher, network, 100.0)
    torch.testing.assert_close(loss.detach(), entropy)
    assert same.grad.abs().max() < 1e-12
    assert rank_cross_entropy(other, teacher, network) > entropy


def test_a_uniform_prediction_scores_ln_n():
    teacher = random_rows(3, 16)
    loss = rank_cross_entropy(torch.zeros(3, 16), teacher, sorting_network("bitonic", 16))
    assert loss.item() == pytest.approx(math.log(16), abs=1e-6)


def test_does_not_depend_on_the_order_of_the_rows():
    network = sorting_network("bitonic", 9)
    student, teacher = random_rows(10, 9, seed=1), random_rows(10, 9, seed=2)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        rank_cross_entropy(student[order], teacher[order], network), rank_cross_entropy(student, teacher, network)
    )


def test_reference_order_matters_little_on_average():
    network = sorting_network("bitonic", 49)
    student, teacher = random_rows(400, 49, seed=1), random_rows(400, 49, seed=1) + random_rows(400, 49, 0.05, 5)
    order = torch.randperm(49, generator=torch.Generator().manual_seed(0))

    def divergence(student, teacher):
        return (rank_cross_entropy(student, teacher, network) - rank_entropy(teacher, network, 100.0)).item()

    shuffled = divergence(student[:, order], teacher[:, order])
    assert shuffled == pytest.approx(divergence(student, teacher), rel=0.03)


@pytest.mark.parametrize(("softness", "entropy"), [(5, 3.59), (10, 3.19), (15, 2.89), (20, 2.65), (30, 2.30)])
@pytest.mark.parametrize("spread", [0.15, 0.007])
def test_adaptive_steepness_keeps_the_targets_equally_soft(softness, entropy, spread):
    rows = random_rows(400, 49, spread)
    schedule = SteepnessSchedule(LossSettings(softness=softness, settle=1))
    schedule.observe(spreads(rows))
    assert schedule.settled
    assert schedule.student == schedule.teacher == pytest.approx(softness / spread, rel=0.05)
    found = rank_entropy(rows, sorting_network("bitonic", 49), schedule.teacher).item()
    assert found == pytest.approx(entropy, abs=0.03)


def test_steepness_follows_until_it_settles_and_is_remembered():
    schedule = SteepnessSchedule(LossSettings(settle=2, student_steepness=10.0))
    for spread in (0.1, 0.2, 5.0):
        schedule.observe(torch.full((9,), spread))
    assert schedule.spread == pytest.approx(0.15)
    assert (schedule.student, schedule.teacher) == (10.0, pytest.approx(100.0))
    other = SteepnessSchedule(LossSettings(settle=2))
    other.load_state_dict(schedule.state_dict())
    assert other.teacher == schedule.teacher
    assert other.settled


def test_underflowing_ranks_leave_loss_and_gradient_finite():
    student = torch.linspace(0, 1e7, 49)[None].repeat(2, 1).requires_grad_()
    loss = rank_cross_entropy(student, -student.detach(), sorting_network("odd_even", 49), 1e8, 1e2)
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()


def test_weights_of_masks():
    everything = pair_weights(torch.ones(10, 2, 49, dtype=torch.bool))
    torch.testing.assert_close(everything, torch.full((10, 2, 49), 1 / 980))
    mask = torch.tensor([[True, False, True, False], [False, False, False, False]])
    torch.testing.assert_close(pair_weights(mask)[0], torch.tensor([0.25, 0.0, 0.25, 0.0]))
    assert pair_weights(mask)[1].sum() == 0


def test_weighting_is_the_mean_of_the_pairs_means():
    network = sorting_network("bitonic", 9)
    student, teacher = random_rows(30, 9, seed=1), random_rows(30, 9, seed=2)
    mask = torch.rand(10, 3, generator=torch.Generator().manual_seed(1)) < 0.7
    mask[:, 0] = True
    pairs = [
        rank_cross_entropy(student[3 * pair : 3 * pair + 3][kept], teacher[3 * pair : 3 * pair + 3][kept], network)
        for pair, kept in enumerate(mask)
    ]
    loss = rank_cross_entropy(student, teacher, network, weights=pair_weights(mask).flatten())
    assert loss.item() == pytest.approx(torch.stack(pairs).mean().item(), rel=1e-6)


def test_an_empty_mask_is_zero_with_a_gradient():
    student = random_rows(4, 9).requires_grad_()
    loss = rank_cross_entropy(student, random_rows(4, 9), sorting_network("bitonic", 9), weights=torch.zeros(4))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(student.grad, torch.zeros_like(student))


def test_similarities():
    generator = torch.Generator().manual_seed(0)
    queries, references = torch.randn(6, 4, generator=generator), torch.randn(3, 4, generator=generator)
    cosine = torch.nn.functional.cosine_similarity(queries[:, None], references[None], dim=-1)
    torch.testing.assert_close(similarity(queries, references), cosine)
    torch.testing.assert_close(similarity(queries, references, "euclidean"), torch.cdist(queries, references))
    assert similarity(queries.bfloat16(), references.bfloat16()).dtype == torch.float32
