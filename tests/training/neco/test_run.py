"""Whole runs: exported, resumed, killed, shared, refused."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from patchfield.backbones import load_backbone, models
from training.engine.checkpoint import read_checkpoint
from training.engine.cli import main as run_command
from training.engine.run import train as run_training
from training.engine.step import Stepper
from training.errors import TrainingError
from training.monitor.features import position_read_out
from training.neco.objective import NeCo

HANGS = 600
"""Seconds after which something hangs: a slow machine never takes so long."""

PROJECT = Path(__file__).resolve().parents[3]


def train(settings, console):
    return run_training(NeCo, settings, console)


def main(arguments):
    return run_command(NeCo, arguments)


def environment():
    """Of a process of its own: the test's weights folder, one thread."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def quiet():
    return Console(quiet=True)


def arguments_for(settings, **changes):
    """The command line of these settings."""
    flat = {}
    for key, value in replace(settings, **changes).to_json().items():
        inner = {f"{key}.{name}": part for name, part in value.items()} if isinstance(value, dict) else {key: value}
        flat.update(inner)
    return [f"--{key}={json.dumps(value) if not isinstance(value, str) else value}" for key, value in flat.items()]


def lines_of(folder):
    return [json.loads(line) for line in (Path(folder) / "metrics.jsonl").read_text().splitlines()]


def losses_of(folder):
    return {line["step"]: line["loss"] for line in lines_of(folder) if "loss" in line}


@pytest.fixture
def reference(settings, tmp_path):
    """An uninterrupted run."""
    whole = replace(settings, output=tmp_path / "whole")
    train(whole, quiet())
    return whole


def test_a_run_leaves_backbones_logs_and_a_description(settings, capsys):
    outcome = train(settings, quiet())
    teacher, student = outcome.exported
    names = [weight.name for weight in models()]
    assert {"run", "run-student"} <= set(names)
    image = torch.rand(1, 3, 64, 64)
    listed = load_backbone("run", device="cpu")
    assert torch.equal(load_backbone(teacher, device="cpu").encode(image)[0], listed.encode(image)[0])
    assert not torch.equal(load_backbone(student, device="cpu").encode(image)[0], listed.encode(image)[0])
    assert not any("head" in key for key in load_file(teacher))
    lines = lines_of(settings.output)
    assert [line["step"] for line in lines] == list(range(7))
    assert {"loss", "divergence", "target_entropy", "seconds_left", "features/effective_rank"} <= lines[-1].keys()
    assert lines[0]["features/drift"] == pytest.approx(1.0)
    events = EventAccumulator(str(settings.output / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss")] == list(range(1, 7))
    description = json.loads((settings.output / "run.json").read_text())
    assert description["images"] == 8
    assert description["settings"]["steps"] == 6


def assert_same_end(first, second):
    """Weights and losses of two finished runs are identical."""
    expected, found = (read_checkpoint(run.output, run)[1] for run in (first, second))
    for network in ("student", "teacher"):
        for name, weight in expected[network].items():
            assert torch.equal(weight, found[network][name]), name
    assert losses_of(first.output) == losses_of(second.output)


def test_a_stopped_run_resumes_to_the_identical_trajectory(settings, reference, monkeypatch):
    def step_and_stop(training, batch, step):
        if step == 2:
            signal.raise_signal(signal.SIGTERM)
        return original(training, batch, step)

    original = Stepper.step
    monkeypatch.setattr(Stepper, "step", step_and_stop)
    stopped = train(settings, quiet())
    monkeypatch.undo()
    assert stopped.exported == ()
    assert "stopped after step 3 of 6" in stopped.message
    with pytest.raises(TrainingError, match="already holds a run"):
        train(settings, quiet())
    train(replace(settings, resume=True), quiet())
    assert_same_end(reference, settings)


def test_a_killed_run_loses_at_most_one_interval(settings, reference):
    process = subprocess.Popen(
        [sys.executable, "-m", "training.neco", *arguments_for(settings)], cwd=PROJECT, env=environment()
    )
    metrics = settings.output / "metrics.jsonl"
    deadline = time.monotonic() + HANGS
    while not (metrics.exists() and any(line["step"] >= 3 for line in whole_lines(metrics))):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()
    done, _ = read_checkpoint(settings.output, settings)
    assert done >= max(line["step"] for line in whole_lines(metrics)) - settings.checkpoint_every
    train(replace(settings, resume=True), quiet())
    assert_same_end(reference, settings)


RUNS_IN_TURN = """
import json, sys
from training.engine.cli import main
from training.neco.objective import NeCo

sys.exit(any(main(NeCo, arguments) for arguments in json.loads(sys.argv[1])))
"""


def test_two_processes_are_one_with_the_whole_batch(settings, tmp_path):
    cases, pairs = [("queue", "all", None), ("batch", "fg", -1)], []
    for source, mask, blocks in cases:
        changed = replace(
            settings,
            steps=3,
            loss=replace(settings.loss, source=source, mask=mask),
            optimiser=replace(settings.optimiser, drop_path=0.0, trainable_blocks=blocks),
        )
        alone, shared = (replace(changed, output=tmp_path / f"{source}-{how}") for how in ("alone", "shared"))
        train(alone, quiet())
        pairs.append((alone, shared))
    # One launch for both: what takes time is that every process imports PyTorch.
    program = tmp_path / "runs_in_turn.py"
    program.write_text(RUNS_IN_TURN)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(program)]
    every = json.dumps([arguments_for(shared) for _, shared in pairs])
    python_path = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
    subprocess.run([*launcher, every], cwd=PROJECT, env={**environment(), "PYTHONPATH": python_path}, check=True)
    for alone, shared in pairs:
        assert losses_of(shared.output) == pytest.approx(losses_of(alone.output), abs=1e-5)
        expected, found = (load_file(run.output / "student.safetensors") for run in (alone, shared))
        for name, weight in expected.items():
            torch.testing.assert_close(found[name], weight, atol=1e-4, rtol=1e-3)


def test_a_batch_that_processes_cannot_share_is_refused(settings, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(TrainingError, match="a batch of 4 cannot be shared by 3 processes"):
        train(settings, quiet())


def test_other_settings_cannot_be_resumed(settings):
    train(settings, quiet())
    other = replace(settings, resume=True, seed=3, loss=replace(settings.loss, softness=20.0))
    with pytest.raises(TrainingError, match=r"other settings \(loss.softness, seed\)"):
        train(other, quiet())
    (settings.output / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match=r"checkpoint.pt cannot be read"):
        train(replace(settings, resume=True), quiet())


def test_collapsed_features_go_back_to_the_last_checkpoint(settings, monkeypatch):
    settings = replace(settings, monitor_every=1)
    asked = iter([False, False, False, False, True])
    monkeypatch.setattr("training.monitor.features.has_collapsed", lambda rank, initial: next(asked))
    outcome = train(settings, quiet())
    assert "collapsed by step 4: what is exported is the state after step 2" in outcome.message
    assert read_checkpoint(settings.output, settings)[0] == 2
    expected = read_checkpoint(settings.output, settings)[1]["teacher"]
    assert torch.equal(load_file(outcome.exported[0])["pos_embed"], expected["backbone.vit.pos_embed"])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"images": Path("nowhere")}, "nowhere does not exist"),
        ({"init": "no-such-backbone"}, "no-such-backbone"),
        ({"init": "filters"}, "no vision transformer"),
        ({"name": "dinov2-small"}, "name of a published backbone"),
        ({"name": "a/b"}, "cannot be the name of a backbone"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_1(settings, capsys, changes, sentence):
    assert main(arguments_for(settings, **changes)) == 1
    message = " ".join(capsys.readouterr().err.split())
    assert sentence in message
    assert message.startswith("Error: ")
    assert "Traceback" not in message
    status = json.loads((settings.output / "status.json").read_text())
    assert status["state"] == "failed"
    assert sentence in status["message"]


def test_labels_are_held_out_and_compared_before_and_after(settings, micrographs):
    settings = replace(settings, labels=micrographs, name="adapted")
    assert main(arguments_for(settings)) == 0
    description = json.loads((settings.output / "run.json").read_text())
    report = json.loads((settings.output / "evaluation" / "report.json").read_text())
    (split,) = report["data"].values()
    assert description["images"] == len(split["train"])
    assert [backbone["name"] for backbone in report["backbones"]] == ["before", "after"]
    assert json.loads((settings.output / "status.json").read_text())["state"] == "finished"


def whole_lines(path):
    """The lines of a file that another process is writing."""
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def test_position_is_read_where_features_hold_it_and_not_elsewhere():
    ramp = torch.linspace(-1, 1, 8)
    noise = torch.randn(6, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    positions = torch.stack([ramp[:, None].expand(8, 8), ramp.expand(8, 8)]).expand(6, 2, 8, 8)
    assert position_read_out(torch.cat([noise, 5 * positions], dim=1)) > 0.99
    assert abs(position_read_out(noise)) < 0.1
