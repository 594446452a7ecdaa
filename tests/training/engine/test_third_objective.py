"""A third objective is one small room: it runs, stops, resumes and exports through the engine alone."""

import inspect
import json
import signal

import pytest
import torch
from safetensors.torch import load_file

from patchfield.backbones import load_backbone, models
from patchfield.runs.folder import ExitCode, RunStatus, read_progress, read_status
from tests.training.engine import colour_means
from training.engine.cli import build_parser, main
from training.engine.step import Stepper


def test_it_is_small_and_has_neither_loop_nor_parser_nor_checkpoint():
    source = inspect.getsource(colour_means)
    assert len(source.splitlines()) < 300
    assert not any(word in source for word in ("argparse", "torch.save", "backward(", "optimiser.step"))


def test_it_runs_from_the_command_line(command, tiny_vit, tmp_path):
    assert main(colour_means.ColourMeans, command("--name", "colours")) == ExitCode.FINISHED
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert {"loss", "error", "norm", "learning_rate/network", "gradient_norm", "images_per_second"} <= lines[-1].keys()
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert lines[0]["learning_rate/network"] == pytest.approx(1e-3 / 3)
    assert read_status(tmp_path / "run") == RunStatus("finished")
    (listed,) = (weight for weight in models() if weight.name == "colours")
    assert "Taught mean colours from" in listed.summary
    image = torch.rand(1, 3, 64, 64)
    trained, initial = (load_backbone(name, device="cpu").encode(image)[0] for name in ("colours", str(tiny_vit)))
    assert trained.shape == initial.shape
    assert not torch.equal(trained, initial)


def test_a_stopped_run_resumes_bit_for_bit(command, tmp_path, monkeypatch):
    whole = tmp_path / "whole"
    assert main(colour_means.ColourMeans, command(output=whole)) == ExitCode.FINISHED

    def step_and_stop(stepper, batch, step, _step=Stepper.step):
        if step == 2:
            signal.raise_signal(signal.SIGTERM)
        return _step(stepper, batch, step)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "step", step_and_stop)
        assert main(colour_means.ColourMeans, command()) == ExitCode.STOPPED
    assert read_status(tmp_path / "run").state == "stopped"
    assert read_progress(tmp_path / "run", 6).step == 3
    assert main(colour_means.ColourMeans, command("--resume", "true")) == ExitCode.FINISHED
    expected, found = (load_file(folder / "teacher.safetensors") for folder in (whole, tmp_path / "run"))
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_its_options_are_explained_with_those_of_every_run():
    text = " ".join(build_parser(colour_means.ColourMeans).format_help().split())
    assert "Teach a backbone the mean colours of patches." in text
    assert "Of everything. (type: float, default: 0.001)" in text
    assert "Optimiser steps. (type: int, default: 1000)" in text
    assert "--preset" not in text
