"""Queue and in-batch references, and the schedules."""

import math

import pytest
import torch
from lightning_fabric import Fabric

from training.data.crops import CropSettings
from training.engine.schedules import cosine, momentum_for
from training.engine.sharing import Sharing
from training.neco.references import PUSHED_PER_IMAGE, ReferenceQueue, References, draw_from_batch
from training.neco.settings import LossSettings


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def numbered(*numbers):
    return torch.tensor(numbers, dtype=torch.float32)[:, None]


def drawn(queue, index, count):
    return queue.take(index, queue.draw(index, count, generator())).flatten()


def test_queue_is_first_in_first_out_and_wraps():
    queue = ReferenceQueue(queues=2, capacity=4, channels=1)
    queue.push(0, numbered(1, 2, 3))
    assert set(drawn(queue, 0, 30).tolist()) == {1, 2, 3}
    queue.push(0, numbered(4, 5, 6))
    assert set(drawn(queue, 0, 4).tolist()) == {3, 4, 5, 6}
    assert queue.patches[0].flatten().tolist() == [5, 6, 3, 4]
    queue.push(0, numbered(*range(10, 20)))
    assert sorted(drawn(queue, 0, 4).tolist()) == [16, 17, 18, 19]


def test_queues_fill_each_on_their_own():
    queue = ReferenceQueue(queues=2, capacity=8, channels=1)
    queue.push(0, numbered(1, 2))
    queue.push(1, numbered(7))
    assert queue.filled.tolist() == [2, 1]
    assert set(drawn(queue, 1, 5).tolist()) == {7}
    assert 0 not in drawn(queue, 0, 64)


def test_draws_are_distinct_while_there_are_enough():
    queue = ReferenceQueue(queues=1, capacity=100, channels=1)
    queue.push(0, torch.arange(100.0)[:, None])
    assert len(drawn(queue, 0, 100).unique()) == 100
    counts = drawn(queue, 0, 250).long().bincount()
    assert set(counts.tolist()) == {2, 3}


def test_every_image_gives_the_queue_as_many_patches():
    crops, one_process = CropSettings(global_crops=2, local_crops=1), Sharing(Fabric(accelerator="cpu", devices=1))
    references = References(LossSettings(references=9, queue=100), crops, channels=1, sharing=one_process)
    images = torch.arange(3.0).repeat(2) * 100 + torch.tensor([1000.0] * 3 + [2000.0] * 3)
    features = images[:, None, None, None] + torch.arange(49.0).view(1, 1, 7, 7)
    of_pairs = references.for_pairs(features, torch.zeros(4, 3, 9, 1), generator())
    assert of_pairs.shape == (4, 3, 9, 1)
    assert [(pair >= 2000).float().mean().item() for pair in of_pairs] == [g for g, _ in crops.pairs]
    for place in range(2):
        queued = references.queue.patches[place, :30].flatten() - 1000 * (place + 1)
        assert len(queued.unique()) == 30
        assert torch.equal((queued // 100).long().bincount(), torch.full((3,), PUSHED_PER_IMAGE))


def test_in_batch_references_use_every_cell_once():
    cells = torch.arange(2 * 3 * 4.0).view(2, 3, 4, 1)
    drawn = draw_from_batch(cells, 4, generator())
    assert drawn.shape == cells.shape
    for pair in range(2):
        assert torch.equal(drawn[pair].flatten().sort().values, cells[pair].flatten())
    assert not torch.equal(drawn, cells)


def test_masked_references_are_tiled_up():
    cells = torch.arange(2 * 3 * 4.0).view(2, 3, 4, 1)
    mask = torch.zeros(2, 3, 4, dtype=torch.bool)
    mask[0, 1, :3] = True
    drawn = draw_from_batch(cells, 5, generator(), mask)
    assert drawn.shape == (2, 3, 5, 1)
    assert torch.equal(drawn[0].flatten().long().bincount(minlength=8)[4:7], torch.full((3,), 5))
    assert set(drawn[1].flatten().tolist()) <= set(range(12, 24))


def test_cosine_endpoints_midpoint_and_warmup():
    assert [cosine(0.04, 0.5, step, 100) for step in (0, 50, 100)] == pytest.approx([0.04, 0.27, 0.5])
    assert cosine(0.9995, 1, 500, 1000) == pytest.approx(0.99975)
    warm = [cosine(1.0, 0, step, 100, warmup=10) for step in range(101)]
    assert warm[:11] == pytest.approx([*(0.1 * (step + 1) for step in range(10)), 1.0])
    assert warm[10:] == sorted(warm[10:], reverse=True)
    assert warm[100] == pytest.approx(0)


@pytest.mark.parametrize(("steps", "residual"), [(500, 0.88), (1000, 0.78), (2000, 0.61), (5000, 0.29)])
def test_published_momentum_keeps_most_of_the_first_teacher_in_short_runs(steps, residual):
    kept = math.prod(cosine(0.9995, 1, step, steps) for step in range(steps))
    assert kept == pytest.approx(residual, abs=0.01)


@pytest.mark.parametrize("steps", [500, 1000, 5000])
def test_momentum_rule_leaves_the_wanted_residual(steps):
    start = momentum_for(steps, residual=0.1)
    kept = math.prod(cosine(start, 1, step, steps) for step in range(steps))
    assert kept == pytest.approx(0.1, rel=0.1)
    assert momentum_for(1) == 0.99
