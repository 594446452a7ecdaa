"""The relaxed sorting networks against the published implementation, closed forms and torch.sort."""

import itertools
import math

import pytest
import torch
from diffsort import DiffSortNet

from patchfield.errors import PatchfieldError
from training.neco.sorting.networks import sorting_network
from training.neco.sorting.soft import soft_sort

TOPOLOGIES = ["bitonic", "odd_even"]
VALUES = torch.tensor([[0.3, 0.1, 0.4, 0.2]])
WORKED = {
    "bitonic": [
        [0.181855, 0.267960, 0.390410, 0.159774],
        [0.555678, 0.245532, 0.096098, 0.102693],
        [0.102693, 0.096098, 0.245532, 0.555678],
        [0.159774, 0.390410, 0.267960, 0.181855],
    ],
    "odd_even": [
        [0.186929, 0.323061, 0.369173, 0.120837],
        [0.671313, 0.183347, 0.124420, 0.020921],
        [0.020921, 0.124420, 0.183347, 0.671313],
        [0.120837, 0.369173, 0.323061, 0.186929],
    ],
}


@pytest.fixture
def rows():
    return 0.15 * torch.randn(6, 49, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_worked_example(topology):
    ranked, permutation = soft_sort(VALUES, sorting_network(topology, 4), steepness=10)
    torch.testing.assert_close(permutation[0], torch.tensor(WORKED[topology]), atol=1e-6, rtol=0)
    if topology == "bitonic":
        expected = torch.tensor([[0.183156, 0.221462, 0.278538, 0.316844]])
        torch.testing.assert_close(ranked, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("product", "stays"), [(1, 0.75), (10, 0.968274483)])
def test_two_items_follow_the_cauchy_distribution(product, stays):
    values = torch.tensor([[0.2, 0.2 + product / 50]], dtype=torch.float64)
    _, permutation = soft_sort(values, sorting_network("bitonic", 2), steepness=50)
    assert permutation[0, 0, 0].item() == pytest.approx(stays, abs=1e-9)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("size", [2, 3, 9, 16, 49, 64])
def test_values_and_gradients_equal_the_published_implementation(topology, size):
    generator = torch.Generator().manual_seed(size)
    values = torch.randn(5, size, generator=generator, dtype=torch.float64).mul(0.2).requires_grad_()
    upstream = torch.randn(5, size, size, generator=generator, dtype=torch.float64)
    published = values.detach().clone().requires_grad_()
    expected_ranked, expected = DiffSortNet(topology, size, steepness=30)(published)
    (expected * upstream).sum().add(expected_ranked.square().sum()).backward()
    ranked, permutation = soft_sort(values, sorting_network(topology, size), steepness=30)
    (permutation * upstream).sum().add(ranked.square().sum()).backward()
    torch.testing.assert_close(ranked, expected_ranked)
    torch.testing.assert_close(permutation, expected)
    torch.testing.assert_close(values.grad, published.grad)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_permutations_are_doubly_stochastic_and_sort(topology, rows):
    network = sorting_network(topology, 49)
    ranked, permutation = soft_sort(rows, network, steepness=100)
    ones = torch.ones(6, 49, dtype=torch.float64)
    torch.testing.assert_close(permutation.sum(1), ones, atol=1e-12, rtol=0)
    torch.testing.assert_close(permutation.sum(2), ones, atol=1e-12, rtol=0)
    torch.testing.assert_close(torch.einsum("ri,rij->rj", rows, permutation), ranked, atol=1e-13, rtol=0)
    torch.testing.assert_close(ranked.sum(1), rows.sum(1))
    assert (ranked.amin(1) >= rows.amin(1)).all()
    assert (ranked.amax(1) <= rows.amax(1)).all()


def test_half_precision_is_raised(rows):
    _, permutation = soft_sort(rows.bfloat16(), sorting_network("bitonic", 49), steepness=100)
    assert permutation.dtype == torch.float32
    assert (permutation.sum(1) - 1).abs().max() < 1e-5


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("size", [2, 3, 7, 21, 36, 37, 49, 60, 64])
def test_hard_limit_is_sorting(topology, size):
    values = torch.rand(4, size, generator=torch.Generator().manual_seed(size), dtype=torch.float64)
    ranked, permutation = soft_sort(values, sorting_network(topology, size), steepness=1e12)
    torch.testing.assert_close(ranked, values.sort(1).values, atol=1e-4, rtol=0)
    assert torch.equal(permutation.argmax(2), values.argsort(1).argsort(1))


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("size", [2, 3, 5, 8, 11, 13])
def test_networks_sort_every_zero_one_input(topology, size):
    inputs = torch.tensor(list(itertools.product([0.0, 1.0], repeat=size)), dtype=torch.float64)
    ranked, _ = soft_sort(inputs, sorting_network(topology, size), steepness=1e12)
    torch.testing.assert_close(ranked, inputs.sort(1).values, atol=1e-6, rtol=0)


def test_sizes_of_the_networks():
    sizes = [9, 16, 25, 36, 49, 64, 81, 100]
    bitonic = [sorting_network("bitonic", size) for size in sizes]
    assert [network.comparators for network in bitonic] == [37, 80, 171, 346, 483, 672, 1060, 1334]
    for size, network in zip(sizes, bitonic, strict=True):
        phases = math.ceil(math.log2(size))
        assert len(network.layers) == phases * (phases + 1) // 2
        odd_even = sorting_network("odd_even", size)
        assert (len(odd_even.layers), odd_even.comparators) == (size, size * (size - 1) // 2)


def test_ties_are_uniform_only_for_powers_of_two():
    _, uniform = soft_sort(torch.zeros(1, 16, dtype=torch.float64), sorting_network("bitonic", 16), 100)
    torch.testing.assert_close(uniform, torch.full_like(uniform, 1 / 16))
    _, tied = soft_sort(torch.zeros(1, 49, dtype=torch.float64), sorting_network("bitonic", 49), 100)
    assert tied.min().item() == pytest.approx(1 / 64)
    assert torch.special.entr(tied).sum(2).mean().item() == pytest.approx(3.8623, abs=1e-4)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_invariances(topology, rows):
    network = sorting_network(topology, 49)
    permutation = soft_sort(rows, network, 100)[1]
    torch.testing.assert_close(soft_sort(rows + 3, network, 100)[1], permutation, atol=1e-11, rtol=0)
    torch.testing.assert_close(soft_sort(rows * 7, network, 100 / 7)[1], permutation, atol=1e-12, rtol=0)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_gradcheck(topology):
    values = torch.rand(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    network = sorting_network(topology, 5)
    assert torch.autograd.gradcheck(lambda rows: soft_sort(rows, network, 10.0), (values,))


def test_what_cannot_sort_is_refused():
    with pytest.raises(PatchfieldError, match="at least 2"):
        sorting_network("bitonic", 1)
    with pytest.raises(PatchfieldError, match="does not sort 38 references"):
        sorting_network("bitonic", 38)
    sorting_network("odd_even", 38)
