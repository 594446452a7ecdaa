"""Student and teacher: where they start, what is trained, how the teacher follows."""

import math
from dataclasses import replace

import pytest
import torch

from patchfield.backbones import load_backbone
from patchfield.errors import PatchfieldError
from training.engine.schedules import cosine
from training.errors import TrainingError
from training.networks.heads import HeadSettings
from training.networks.start import load_start
from training.networks.student_teacher import (
    Network,
    OptimiserSettings,
    TeacherSettings,
    follow,
    student_and_teacher,
)


@pytest.fixture
def start(settings):
    return load_start(settings.init)


def made(start, settings):
    """Student and teacher."""
    return student_and_teacher(
        start, settings.head, settings.teacher, settings.optimiser, settings.seed, settings.recompute
    )


@pytest.fixture
def crops():
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_backbones_start_as_the_loaded_one_and_teacher_equals_student(settings, start, crops):
    student, teacher = made(start, settings)
    expected = load_backbone(settings.init, device="cpu").encode(crops)[0]
    with torch.no_grad():
        torch.testing.assert_close(student.eval().backbone(crops).grid, expected, atol=1e-5, rtol=0)
        (ours,), (theirs,) = student([crops]), teacher([crops])
    assert torch.equal(ours, theirs)
    torch.testing.assert_close(ours.norm(dim=1), torch.ones(2, 8, 8))
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert all(parameter.requires_grad for parameter in student.parameters())


def test_heads_start_apart_as_published(settings, start):
    apart = replace(settings, teacher=TeacherSettings(same_head=False))
    student, teacher = made(start, apart)
    assert not torch.equal(student.head[0].weight, teacher.head[0].weight)
    again, _ = made(start, apart)
    assert torch.equal(student.head[0].weight, again.head[0].weight)
    assert student.head[0].weight.std().item() == pytest.approx(0.02, rel=0.05)
    one = Network(start, HeadSettings(layers=1, channels=5))
    assert len(one.head) == 1


def test_registers_are_kept_or_dropped(settings, tiny_vit_with_registers, crops):
    kept = load_start(str(tiny_vit_with_registers))
    dropped = load_start(str(tiny_vit_with_registers), drop_registers=True)
    assert (kept.spec.registers, dropped.spec.registers) == (4, 0)
    assert (kept.spec.positions, dropped.spec.positions) == ("exact", "scaled")
    head = HeadSettings(hidden=8, channels=4)
    shapes = [Network(start, head)([crops])[0].shape for start in (kept, dropped)]
    assert shapes[0] == shapes[1] == (2, 4, 8, 8)
    with pytest.raises(TrainingError, match="no registers to drop"):
        load_start(settings.init, drop_registers=True)


def test_filters_cannot_be_trained():
    with pytest.raises(TrainingError, match="no vision transformer"):
        load_start("filters")


@pytest.mark.parametrize(("blocks", "trained"), [(None, {0, 1}), (-1, {1}), (1, {1}), ([0], {0}), (-6, {0, 1})])
def test_trainable_blocks(settings, start, blocks, trained):
    student, _ = made(start, replace(settings, optimiser=OptimiserSettings(trainable_blocks=blocks)))
    vit = student.backbone.vit
    learning = {number for number, block in enumerate(vit.blocks) if block.norm1.weight.requires_grad}
    assert learning == trained
    outside = [vit.pos_embed, vit.cls_token, vit.patch_embed.proj.weight, vit.norm.weight]
    assert [parameter.requires_grad for parameter in outside] == [blocks is None] * 4
    assert all(parameter.requires_grad for parameter in student.head.parameters())


@pytest.mark.parametrize("blocks", [[7], [], 2, 99])
def test_unknown_blocks_are_refused(settings, start, blocks):
    with pytest.raises(TrainingError, match=r"are not among the 2 blocks"):
        made(start, replace(settings, optimiser=OptimiserSettings(trainable_blocks=blocks)))


def test_weights_that_are_no_numbers_are_refused(tmp_path, start):
    path = tmp_path / "spoilt.pth"
    torch.save({**start.state, "cls_token": start.state["cls_token"] * torch.nan}, path)
    with pytest.raises(PatchfieldError, match=r"spoilt\.pth"):
        load_start(str(path))


def test_drop_path_rises_linearly_in_the_student_alone(settings, start):
    student, teacher = made(start, replace(settings, optimiser=OptimiserSettings(drop_path=0.2)))
    rates = [getattr(block.drop_path1, "drop_prob", 0.0) for block in student.backbone.vit.blocks]
    assert rates == pytest.approx([0.0, 0.2])
    assert all(isinstance(block.drop_path1, torch.nn.Identity) for block in teacher.backbone.vit.blocks)


def test_parameter_groups_decay_matrices_and_tokens_but_no_vectors(settings, start):
    student, _ = made(start, settings)
    groups = settings.optimiser.optimisation_of(student).groups
    names = {id(parameter): name for name, parameter in student.named_parameters()}
    members = {(group.name, group.weight_decay[0] > 0): {names[id(p)] for p in group.parameters} for group in groups}
    assert set(members) == {(part, decayed) for part in ("backbone", "head") for decayed in (True, False)}
    assert sum(len(group) for group in members.values()) == len(names)
    assert {"backbone.vit.pos_embed", "backbone.vit.cls_token"} <= members["backbone", True]
    assert all("bias" in name or "norm" in name for name in members["backbone", False])
    assert members["head", False] == {f"head.{layer}.bias" for layer in (0, 2, 4)}


def test_recomputation_changes_nothing_but_memory(settings, start, crops):
    gradients = []
    for recompute in (False, True):
        still = replace(
            settings, recompute=recompute, optimiser=OptimiserSettings(drop_path=0.0, trainable_blocks=None)
        )
        student, _ = made(start, still)
        student([crops])[0].square().mul(torch.arange(8.0)).sum().backward()
        gradients.append(student.backbone.vit.blocks[0].attn.qkv.weight.grad)
    torch.testing.assert_close(gradients[0], gradients[1])


def test_teacher_follows_by_the_product_of_the_momenta(settings, start):
    student, teacher = made(start, settings)
    with torch.no_grad():
        student.head[0].weight.add_(1.0)
    first = {name: weight.clone() for name, weight in teacher.named_parameters()}
    momenta = [cosine(0.9, 1.0, step, 10) for step in range(10)]
    for momentum in momenta:
        follow(teacher, student, momentum)
    for name, weight in teacher.named_parameters():
        target = student.get_parameter(name).detach()
        expected = target + (first[name] - target) * math.prod(momenta)
        torch.testing.assert_close(weight, expected, atol=1e-6, rtol=1e-5)
    assert not torch.equal(teacher.head[0].weight, first["head.0.weight"])
