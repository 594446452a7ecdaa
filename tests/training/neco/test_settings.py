"""Settings: presets, YAML file and flags, and refusals in one sentence."""

from dataclasses import fields, is_dataclass

import pytest
import yaml

from training.engine import cli
from training.errors import TrainingError
from training.neco.objective import NeCo
from training.neco.settings import PRESETS, NeCoSettings, settings_for

REQUIRED = ["--images", "pictures", "--init", "dinov2-small", "--output", "out"]


def read_settings(arguments):
    return cli.read_settings(NeCo, arguments)


def test_presets_reach_the_settings_through_the_command_line():
    default = read_settings(REQUIRED)
    assert default == settings_for(images=default.images, init="dinov2-small", output=default.output)
    paper = read_settings([*REQUIRED, "--preset", "paper", "--crops.local_crops", "2"])
    assert (paper.crops.global_size, paper.crops.local_crops, paper.steps) == (518, 2, 46200)
    assert paper.loss.student_steepness == paper.loss.teacher_steepness == 100.0
    assert (paper.teacher.momentum, paper.teacher.same_head, paper.teacher.clean) == (0.9995, False, False)
    assert paper.optimiser.weight_decay == (0.04, 0.5)
    assert paper.optimiser.trainable_blocks is None
    assert (paper.crops.flips, paper.crops.quarter_turns) == (False, False)


def test_flags_win_over_the_file_and_the_file_over_the_preset(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump({"preset": "paper", "steps": 12, "batch": 8, "loss": {"mask": "fg"}}))
    settings = read_settings([*REQUIRED, "--config", str(file), "--batch", "2"])
    assert (settings.steps, settings.batch, settings.loss.mask) == (12, 2, "fg")
    assert settings.crops.global_size == 518


def test_every_option_is_explained_with_its_default():
    parser = cli.build_parser(NeCo)
    explained = {action.dest: action.help for action in parser._actions if action.help}
    settings = settings_for(images="a", init="b", output="c")
    for field in fields(settings):
        value = getattr(settings, field.name)
        options = [f"{field.name}.{option.name}" for option in fields(value)] if is_dataclass(value) else [field.name]
        assert set(options) <= explained.keys()
    assert "Optimiser steps. (type: int, default: 1000)" in " ".join(parser.format_help().split())


def test_folders_and_files_may_be_several(tmp_path):
    settings = read_settings(["--images", "[a, b]", *REQUIRED[2:]])
    assert [str(source) for source in settings.sources] == ["a", "b"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"steps": 0}, "steps must lie between 1 and"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"crops.local_crops": 0, "crops.global_crops": 1}, "two crops"),
        ({"crops.global_scale": (0.9, 0.3)}, "the smaller first"),
        ({"tiles.window": 0.5}, "tiles.window"),
        ({"loss.references": 1}, "loss.references"),
        ({"optimiser.warmup": 2.0}, "optimiser.warmup"),
        ({"teacher.momentum": 1.5}, "teacher.momentum"),
    ],
)
def test_settings_that_cannot_run_are_one_sentence(values, sentence):
    with pytest.raises(TrainingError, match=sentence):
        settings_for(images="a", init="b", output="c", **values)


def test_crops_are_cut_down_to_whole_patches():
    settings = settings_for(images="a", init="b", output="c")
    assert settings.for_patch(14).crops == settings.crops
    assert settings.for_patch(16).crops.local_size == 96
    with pytest.raises(TrainingError, match="too small for patches of 64"):
        settings.for_patch(64)


def test_fingerprint_tells_runs_with_other_results_apart():
    def fingerprint(**values):
        return settings_for(images="a", init="b", **values).fingerprint()

    assert fingerprint(output="x", workers=3, log_every=7) == fingerprint(output="y")
    assert fingerprint(output="x", seed=1) != fingerprint(output="x")
    assert fingerprint(output="x", **{"loss.mask": "bg"}) != fingerprint(output="x")


def test_presets_name_real_settings():
    for preset in PRESETS:
        assert isinstance(settings_for(preset, images="a", init="b", output="c"), NeCoSettings)
