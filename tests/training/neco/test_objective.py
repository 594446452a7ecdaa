"""Steps: what moves and what must not, and that something is learned."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from rich.console import Console
from sklearn.metrics import jaccard_score
from torch.nn.functional import normalize

from patchfield.backbones import export_checkpoint, read_checkpoint
from training.data.collection import open_collection
from training.data.crops import CropSettings
from training.data.sampler import StepSampler, load_batches
from training.data.windows import Batch, CropDataset, SampleSettings
from training.engine.launch import RunContext, launch
from training.engine.step import Stepper, explained_memory_errors, step_seed
from training.errors import TrainingError
from training.neco.loss import rank_cross_entropy, rank_entropy
from training.neco.objective import NeCo
from training.neco.settings import LossSettings
from training.networks.heads import HeadSettings
from training.networks.student_teacher import OptimiserSettings, TeacherSettings


class Made(NamedTuple):
    """An objective, what moves it, and its batches."""

    objective: NeCo
    stepper: Stepper
    batches: Iterable[Batch]

    def rows(self, batch):
        """What is ranked in the first step."""
        seed = self.objective.settings.seed
        torch.manual_seed(step_seed(seed, 0, 1))
        return self.objective.rank(batch, torch.Generator().manual_seed(step_seed(seed, 0)))


def made(settings):
    """A training and its batches."""
    Path(settings.output).mkdir(exist_ok=True)
    context = RunContext(launch(settings), Path(settings.output), Console(quiet=True))
    objective = NeCo(settings, context)
    sampler = StepSampler(settings.batch, 0, settings.steps)
    return Made(objective, Stepper(objective, context), load_batches(objective.dataset(0), sampler, 0, pinned=False))


def weights_of(network):
    return {name: weight.clone() for name, weight in network.state_dict().items()}


def changed(before, network):
    return {name for name, weight in network.state_dict().items() if not torch.equal(before[name], weight)}


def test_no_learning_rate_leaves_every_weight_as_it_was(settings):
    still = OptimiserSettings(learning_rate=0.0, head_learning_rate=0.0, trainable_blocks=None)
    training, stepper, batches = made(replace(settings, optimiser=still))
    student, teacher = weights_of(training.student), weights_of(training.teacher)
    for step, batch in enumerate(batches):
        stepper.step(batch, step)
    assert not changed(student, training.student)
    assert not changed(teacher, training.teacher)


def test_only_trainable_parts_move_and_the_teacher_gets_no_gradient(settings):
    some = replace(settings.optimiser, trainable_blocks=-1)
    training, stepper, batches = made(replace(settings, optimiser=some))
    student, teacher = weights_of(training.student), weights_of(training.teacher)
    for step, batch in enumerate(islice(batches, 3)):
        stepper.step(batch, step)
    moved = {name.rpartition(".")[0].removeprefix("backbone.vit.") for name in changed(student, training.student)}
    assert moved
    assert all(name.startswith(("blocks.1", "head")) for name in moved)
    assert changed(teacher, training.teacher)
    assert all(parameter.grad is None for parameter in training.teacher.parameters())


def test_the_teacher_follows_the_student_of_the_step_before(settings):
    settings = replace(settings, teacher=TeacherSettings(momentum=0.5))
    training, stepper, batches = made(settings)
    student, teacher = weights_of(training.student), weights_of(training.teacher)
    batch = next(iter(batches))
    stepper.step(batch, 0)
    assert not changed(teacher, training.teacher)
    student = weights_of(training.student)
    stepper.step(batch, 1)
    momentum = settings.teacher.momentum_at(1, settings.steps)
    for name, weight in training.teacher.state_dict().items():
        torch.testing.assert_close(weight, momentum * teacher[name] + (1 - momentum) * student[name])


def test_schedules_of_the_optimiser(settings):
    scheduled = replace(
        settings.optimiser, learning_rate=1.0, head_learning_rate=2.0, warmup=0.0, weight_decay=(0.04, 0.5)
    )
    training, stepper, batches = made(replace(settings, optimiser=scheduled))
    stepper.step(next(iter(batches)), 3)
    for group, state in zip(training.optimisation().groups, stepper.optimiser.param_groups, strict=True):
        assert state["lr"] == pytest.approx({"backbone": 0.5, "head": 1.0}[group.name])
        assert state["weight_decay"] == pytest.approx(0.27 if group.weight_decay[1] else 0.0)


@pytest.mark.parametrize("mask", ["fg", "bg"])
@pytest.mark.parametrize("source", ["queue", "batch"])
def test_masks_and_references_of_both_kinds(settings, mask, source):
    _, stepper, batches = made(replace(settings, loss=replace(settings.loss, mask=mask, source=source)))
    results = [stepper.step(batch, step) for step, batch in enumerate(islice(batches, 2))]
    assert all(result.loss.isfinite() and result.loss >= 0 for result in results)


@pytest.mark.parametrize(
    "crops",
    [
        CropSettings(local_crops=0, global_size=64),
        CropSettings(3, 64, local_crops=1, local_size=40),
        CropSettings(1, 80),
    ],
)
def test_any_number_of_crops(settings, crops):
    training = made(replace(settings, crops=crops))
    batch = next(iter(training.batches))
    result = training.stepper.step(batch, 0)
    assert len(training.rows(batch).student) == len(crops.pairs) * settings.batch * settings.loss.cells**2
    assert result.loss.isfinite()


def test_bfloat16_is_for_the_backbone_and_the_loss_stays_close(settings):
    losses = {}
    for precision in ("fp32", "bf16"):
        training = made(replace(settings, precision=precision))
        batch = next(iter(training.batches))
        losses[precision] = training.stepper.step(batch, 0).loss.item()
        rows = training.rows(batch)
        assert rows.student.dtype == rows.teacher.dtype == torch.float32
        assert training.objective.student.head[0].weight.dtype == torch.float32
    assert losses["bf16"] != losses["fp32"]
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.02)


def test_shuffled_targets_teach_the_rankings_of_other_patches(settings):
    batch = next(iter(made(settings).batches))
    rows = {}
    for shuffled in (False, True):
        rows[shuffled] = made(replace(settings, loss=replace(settings.loss, shuffled_targets=shuffled))).rows(batch)
    assert torch.equal(rows[True].student, rows[False].student)
    assert not torch.equal(rows[True].teacher, rows[False].teacher)
    ordered = [rows[shuffled].teacher.sort(0).values for shuffled in (True, False)]
    assert torch.equal(*ordered)


def test_drop_path_does_not_make_steps_random(settings):
    losses = []
    for _ in range(2):
        _, stepper, batches = made(replace(settings, optimiser=replace(settings.optimiser, drop_path=0.5)))
        losses.append([stepper.step(batch, step).loss.item() for step, batch in enumerate(batches)])
    assert losses[0] == losses[1]


def test_a_network_that_cannot_sort_is_refused_before_anything_runs(settings):
    with pytest.raises(ValueError, match="does not sort 22"):
        made(replace(settings, loss=LossSettings(references=22)))


def test_full_memory_says_which_options_to_turn_down(settings):
    advice = made(settings).objective.memory_advice
    expected = pytest.raises(TrainingError, match=r"out of memory at 4 images per step.*--batch.*--recompute")
    with expected, explained_memory_errors(advice):
        torch.empty(2**60)
    with pytest.raises(RuntimeError, match="something else"), explained_memory_errors(advice):
        raise RuntimeError("something else")


def positional(init, folder):
    """The same transformer with encodings so strong that its features say where a patch is rather than what."""
    read = read_checkpoint(init)
    path = folder / "positional.safetensors"
    export_checkpoint(path, {**read.state, "pos_embed": 30 * read.state["pos_embed"]}, read.spec)
    return str(path)


def held_out_divergence(training, batch):
    """Of the student from the teacher on images that are not trained on, in nats."""
    training.student.eval()
    rows = training.rank(batch, torch.Generator().manual_seed(0))
    training.student.train()
    crossed = rank_cross_entropy(rows.student.detach(), rows.teacher, training.network, 40, 40)
    return (crossed - rank_entropy(rows.teacher, training.network, 40)).item()


def retrieval(training, phases):
    """Mean IoU of two phases in held-out images: every patch is labelled by its ten neighbours in two others."""
    features, labels = [], []
    training.student.eval()
    for seed in (0, 1, 100, 101, 102, 103):
        image, mask = phases(seed)
        pixels = torch.from_numpy(image).div(255).expand(1, 3, -1, -1)
        with torch.no_grad():
            features.append(normalize(training.student.backbone(pixels).grid[0].flatten(1).T, dim=1))
        labels.append(torch.from_numpy(mask).float().view(16, 8, 16, 8).mean((1, 3)).round().flatten())
    training.student.train()
    similarity, nearest = (torch.cat(features[2:]) @ torch.cat(features[:2]).T).topk(10)
    votes = ((similarity / 0.02).softmax(1) * torch.cat(labels[:2])[nearest]).sum(1)
    return jaccard_score(torch.cat(labels[2:]), votes.round(), average="macro")


@pytest.mark.parametrize("control", [None, "no learning rate"])
def test_learning_lowers_the_divergence_and_finds_like_patches(settings, micrographs, phases, tmp_path, control):
    rate = 0.0 if control else 1e-3
    settings = replace(
        settings,
        images=[micrographs / f"image_{number}.png" for number in range(6)],
        init=positional(settings.init, tmp_path),
        loss=LossSettings(references=16, source="batch"),
        steps=10 if control else 30,
        batch=8,
        teacher=TeacherSettings(momentum=0.995),
        optimiser=OptimiserSettings(rate, rate, trainable_blocks=None),
        head=HeadSettings(hidden=64, channels=32),
    )
    training, stepper, batches = made(settings)
    files = [micrographs / "image_6.png", micrographs / "image_7.png"]
    held_out = CropDataset(
        open_collection(files, settings.tiles.image_settings, 64),
        SampleSettings(1, settings.crops, settings.augmentation, settings.tiles),
    )
    (batch,) = load_batches(held_out, StepSampler(8, 0, 1), 0, pinned=False)
    before = held_out_divergence(training, batch), retrieval(training, phases)
    for step, images in enumerate(batches):
        stepper.step(images, step)
    after = held_out_divergence(training, batch), retrieval(training, phases)
    if control:
        assert after == before
    else:
        assert after[0] < 0.75 * before[0]
        assert after[1] > before[1] + 0.05
