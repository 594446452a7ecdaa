"""SelfPatch: its parts against closed forms, and whole runs."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from torch.nn.functional import normalize

from patchfield.backbones import load_backbone
from training.engine.checkpoint import read_checkpoint
from training.engine.cli import main
from training.engine.run import train
from training.errors import TrainingError
from training.networks.start import random_start
from training.selfpatch.loss import Centre, across_crops, cross_entropy, entropy
from training.selfpatch.neighbours import most_similar, neighbours
from training.selfpatch.network import student_and_teacher
from training.selfpatch.objective import SelfPatch
from training.selfpatch.pooling import ClassAttention
from training.selfpatch.settings import settings_for

PROJECT = Path(__file__).resolve().parents[3]
QUIET = Console(quiet=True)


@pytest.fixture
def settings(micrographs, tiny_vit, tmp_path):
    """A run of four steps that checkpoints every second one."""
    return settings_for(
        images=micrographs,
        init=str(tiny_vit),
        output=tmp_path / "run",
        steps=4,
        batch=4,
        workers=0,
        device="cpu",
        log_every=1,
        monitor_every=4,
        checkpoint_every=2,
        **{
            "crops.global_size": 64,
            "crops.local_size": 32,
            "head.hidden": 32,
            "head.channels": 16,
            "prototypes.image": 32,
            "prototypes.patches": 24,
            "optimiser.learning_rate": 1e-3,
            "optimiser.trainable_blocks": None,
            "optimiser.drop_path": 0.0,
        },
    )


class TestNeighbours:
    def test_the_most_similar_by_cosine_are_kept_whatever_their_length(self):
        tokens = torch.randn(2, 30, 8, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 31)[:, None]
        chosen, present = most_similar(tokens, (5, 6), 4, "clip")
        assert present[:, 7].all()  # not at a border
        around = tokens[0, neighbours(5, 6)[0][7]]
        cosines = normalize(around, dim=-1) @ normalize(tokens[0, 7], dim=0)
        torch.testing.assert_close(chosen[0, 7], around[cosines.argsort(descending=True)[:4]])

    def test_corners_have_three_unless_the_image_is_wrapped(self):
        tokens = torch.randn(1, 30, 8)
        assert most_similar(tokens, (5, 6), 4, "clip")[1][0, 0].tolist() == [True, True, True, False]
        assert most_similar(tokens, (5, 6), 4, "wrap")[1].all()

    def test_absent_patches_are_not_pooled(self):
        pool = ClassAttention(16, 2)
        patches = torch.randn(3, 5, 16)
        present = torch.tensor([True, False, True, True, False]).expand(3, 5)
        torch.testing.assert_close(pool(patches, present), pool(patches[:, [0, 2, 3]]))
        assert pool(patches, torch.zeros(3, 5, dtype=torch.bool)).isfinite().all()


class TestLoss:
    def test_its_minimum_is_the_entropy_of_the_targets(self):
        scores = torch.randn(6, 10)
        targets = Centre(10, 0.9).targets(scores, 0.1)
        least = cross_entropy(scores, targets, 0.1)
        torch.testing.assert_close(least, entropy(targets))
        assert cross_entropy(scores.roll(1, 0), targets, 0.1) > least

    def test_a_crop_is_not_compared_with_itself(self):
        student, targets = torch.randn(3, 4, 10), torch.rand(2, 4, 10).softmax(-1)
        pairs = [(0, 1), (0, 2), (1, 0), (1, 2)]
        expected = torch.stack([cross_entropy(student[s], targets[t], 1.0) for t, s in pairs]).mean()
        torch.testing.assert_close(across_crops(list(student), list(targets), 1.0), expected)

    def test_the_centre_follows_the_mean_of_the_scores(self):
        centre = Centre(3, momentum=0.9)
        for _ in range(200):
            centre.update(torch.tensor([1.0, -2.0, 0.5]))
        torch.testing.assert_close(centre.value, torch.tensor([1.0, -2.0, 0.5]))


def test_only_the_teacher_sums_up_neighbours(settings):
    student, teacher = student_and_teacher(random_start("random:tiny-16", seed=0), settings)
    images = torch.rand(2, 3, 80, 96)
    (said,), (taught,) = student.eval()([images]), teacher([images])
    torch.testing.assert_close(said.image, taught.image)
    patches = teacher.backbone.unnormalised(images).grid.flatten(2).transpose(1, 2)
    chosen, _ = most_similar(patches, (5, 6), 4, "clip")
    norm = teacher.backbone.vit.norm
    expected = teacher.head.patches(norm(teacher.head.pool(chosen[:, 8])))  # not at a border
    torch.testing.assert_close(taught.patches[:, 8], expected)
    torch.testing.assert_close(said.patches, student.head.patches(norm(patches)))


def test_frozen_prototypes_stay_and_keep_a_gradient_of_zero(settings):
    student, _ = student_and_teacher(random_start("random:tiny-16", seed=0), settings)
    student.head.freeze(frozen=True)
    (scores,) = student([torch.rand(1, 3, 32, 32)])
    (scores.image.sum() + scores.patches.square().sum()).backward()
    assert not student.head.patches.directions.grad.any()
    assert student.head.patches.project[0].weight.grad.any()


def test_a_run_learns_exports_and_resumes_to_the_same_end(settings, monkeypatch):
    whole = replace(settings, output=settings.output / "whole")
    outcome = train(SelfPatch, whole, QUIET)
    image = torch.rand(1, 3, 64, 64)
    teacher, student = (load_backbone(path, device="cpu").encode(image)[0] for path in outcome.exported)
    assert teacher.shape == student.shape == (1, 64, 8, 8)
    assert not torch.equal(teacher, student)
    lines = [json.loads(line) for line in (whole.output / "metrics.jsonl").read_text().splitlines()]
    assert {"loss", "loss/image", "loss/patch", "target_entropy/patch", "features/effective_rank"} <= lines[-1].keys()
    parts = replace(settings, output=settings.output / "parts")
    monkeypatch.setattr("training.engine.step.Stepper.step", _stops_after(2))
    train(SelfPatch, parts, QUIET)
    monkeypatch.undo()
    train(SelfPatch, replace(parts, resume=True), QUIET)
    expected, found = (read_checkpoint(run.output, run)[1] for run in (whole, parts))
    for part, state in expected.items():
        if part != "optimiser":
            for name, weight in state.items():
                assert torch.equal(weight, found[part][name]), (part, name)


def _stops_after(count):
    import signal

    from training.engine.step import Stepper

    original = Stepper.step

    def step(self, batch, number):
        if number == count - 1:
            signal.raise_signal(signal.SIGTERM)
        return original(self, batch, number)

    return step


def test_two_processes_are_one_with_the_whole_batch(settings, tmp_path):
    settings = replace(settings, steps=3)
    alone = replace(settings, output=tmp_path / "alone")
    train(SelfPatch, alone, QUIET)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*launcher, "-m", "training.selfpatch", *_arguments(settings)]
    subprocess.run(command, cwd=PROJECT, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True)
    expected, found = (load_file(run.output / "student.safetensors") for run in (alone, settings))
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, atol=1e-4, rtol=1e-3)


def test_training_from_nothing_leaves_a_backbone_without_a_class_token(settings):
    settings = replace(settings, init="random:tiny-16", steps=1)
    outcome = train(SelfPatch, settings, QUIET)
    backbone = load_backbone(outcome.exported[0], device="cpu")
    assert not backbone.spec.class_token
    assert backbone.encode(torch.rand(1, 3, 64, 64))[0].shape == (1, 192, 4, 4)


def test_sizes_that_do_not_exist_are_refused_in_a_sentence(settings, capsys):
    with pytest.raises(TrainingError, match="random:tiny-16"):
        random_start("random:huge-16", seed=0)
    assert main(SelfPatch, _arguments(replace(settings, init="random:huge-16"))) == 1
    assert "random:small-16" in " ".join(capsys.readouterr().err.split())


def _arguments(settings):
    flat = {}
    for key, value in settings.to_json().items():
        inner = {f"{key}.{name}": part for name, part in value.items()} if isinstance(value, dict) else {key: value}
        flat.update(inner)
    return [f"--{key}={json.dumps(value) if not isinstance(value, str) else value}" for key, value in flat.items()]
