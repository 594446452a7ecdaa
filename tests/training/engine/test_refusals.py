"""What a user can do wrong, and what can go wrong under a run: one sentence, exit code 1, nothing lost."""

import errno
import json
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image

from patchfield.backbones import load_backbone
from patchfield.runs.folder import CHECKPOINT, IMAGES, LOCK, METRICS, STATUS, ExitCode, read_status
from tests.training.engine.colour_means import ColourMeans
from training.engine.cli import main
from training.engine.step import Stepper
from training.episodes.objective import StrokeEpisodes
from training.neco.objective import NeCo


@pytest.fixture
def refused(capsys):
    """Runs a command line that must fail; gives its sentence."""

    def run(arguments, kind=ColourMeans) -> str:
        assert main(kind, arguments) == ExitCode.FAILED
        said = " ".join(capsys.readouterr().err.split())
        assert "Traceback" not in said
        return said.partition("Error: ")[2]

    return run


@pytest.fixture
def finished(command, tmp_path):
    """The folder of a run that is done."""
    assert main(ColourMeans, command()) == ExitCode.FINISHED
    return tmp_path / "run"


def halfway(command, monkeypatch):
    """A run that a signal has stopped after step 3 of 6."""

    def step_and_stop(stepper, batch, step, _step=Stepper.step):
        if step == 2:
            signal.raise_signal(signal.SIGTERM)
        return _step(stepper, batch, step)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "step", step_and_stop)
        assert main(ColourMeans, command()) == ExitCode.STOPPED


NECO = ["--images", "pictures", "--init", "dinov2-small"]


@pytest.mark.parametrize(
    ("kind", "flags", "sentence"),
    [
        (NeCo, [*NECO, "--seed=-1"], "seed must lie between 0"),
        (NeCo, [*NECO, "--workers=-1"], "workers must be at least 0"),
        (NeCo, [*NECO, "--loss.queue=0"], "loss.queue must be at least 1"),
        (NeCo, [*NECO, "--head.channels=0"], "head.channels must be at least 1"),
        (NeCo, [*NECO, "--optimiser.learning_rate=-1"], "optimiser.learning_rate must be at least 0"),
        (NeCo, [*NECO, "--optimiser.learning_rate=.nan"], "optimiser.learning_rate must be at least 0"),
        (NeCo, [*NECO, "--augmentation.noise_probability=2"], "augmentation.noise_probability"),
        (NeCo, [*NECO, "--monitor_every=0"], "monitor_every"),
        (NeCo, [*NECO, "--tiles.channels=[0, 1]"], "Channels (0, 1) cannot be used"),
        (NeCo, [*NECO, "--tiles.axes=ZZ"], "Axes 'ZZ' cannot be used"),
        (StrokeEpisodes, ["--threads=0"], "threads must be at least 1"),
        (StrokeEpisodes, ["--network.widths=[]", "--network.blocks=[]"], "no network of widths"),
        (StrokeEpisodes, ["--network.widths=[8]", "--network.blocks=[1]"], "network.widths must be at least two"),
        (StrokeEpisodes, ["--network.widths=[8,0]", "--network.blocks=[1,1]"], "no network of widths"),
        (StrokeEpisodes, ["--shares.synthetic=-1"], "shares.synthetic must be at least 0"),
        (StrokeEpisodes, ["--learning_rate=-1"], "learning_rate must be at least 0"),
        (StrokeEpisodes, ["--magnification.low=0"], "magnification"),
    ],
)
def test_settings_that_cannot_be_run(kind, flags, sentence, refused, tmp_path):
    assert sentence in refused([*flags, "--output", str(tmp_path / "run")], kind)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"- steps\n- 3\n", "holds no settings"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "is no text"),
        (b"steps: !!python/object/apply:os.system ['true']\n", "uses tags"),
        (b"a: &a [1, 1]\nb: &b [*a, *a]\nc: [*b, *b]\n", "uses aliases"),
        (b"steps: [3\n", "is no YAML file"),
        (b"x" * 2**20 + b"x", "too many"),
        (None, "cannot be read (No such file"),
    ],
)
def test_configuration_files_that_are_none(text, sentence, refused, command, tmp_path):
    file = tmp_path / "run.yaml"
    if text is not None:
        file.write_bytes(text)
    assert sentence in refused(command("--config", str(file)))
    assert not (tmp_path / "run").exists()


def test_names_of_earlier_versions_are_understood(tmp_path):
    from training.engine.cli import read_settings

    file = tmp_path / "run.yaml"
    file.write_text("crops: {globals: 3, local_size: 56}\nsteps: 7\n")
    settings = read_settings(NeCo, [*NECO, "--output", "o", "--config", str(file), "--crops.locals", "1"])
    assert (settings.crops.global_crops, settings.crops.local_crops, settings.crops.local_size) == (3, 1, 56)
    assert settings.steps == 7


@pytest.mark.parametrize("name", ["a\nb", "m" * 300, "filters", "a/b"])
def test_names_are_refused_before_anything_is_loaded(name, refused, command, monkeypatch):
    monkeypatch.setattr("training.networks.start.load_backbone", None)
    assert "name" in refused(command(f"--name={name}"))


def test_an_output_that_is_a_file(refused, command, tmp_path):
    (tmp_path / "run").write_text("mine")
    assert "run is a file" in refused(command())
    assert (tmp_path / "run").read_text() == "mine"


def test_weights_of_another_run_are_not_replaced(refused, command, finished, tmp_path, weights):
    before = (weights / "run.safetensors").read_bytes()
    sentence = refused(command(output=tmp_path / "other" / "run"))
    assert "there is a backbone 'run' of another run already" in sentence
    assert "--name" in sentence
    assert (weights / "run.safetensors").read_bytes() == before
    assert main(ColourMeans, command("--name", "mine", output=tmp_path / "other" / "run")) == ExitCode.FINISHED
    # The run itself may export again.
    assert main(ColourMeans, command("--resume", "true")) == ExitCode.FINISHED


def test_a_mistaken_start_leaves_a_finished_run_as_it_was(refused, command, finished):
    status, metrics = (finished / STATUS).read_bytes(), (finished / METRICS).read_bytes()
    assert "already holds a run" in refused(command())
    assert "other settings (seed)" in refused(command("--resume", "true", "--seed", "9"))
    assert (finished / STATUS).read_bytes() == status
    assert (finished / METRICS).read_bytes() == metrics


def test_the_latest_of_several_refusals_is_told_where_no_run_was_begun(refused, command, tmp_path):
    refused(command("--init", "filters"))
    sentence = refused(command("--name", "micro"))
    assert read_status(tmp_path / "run").message in sentence


def test_two_runs_do_not_share_a_folder(refused, command, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with FileLock(folder / LOCK):
        assert "another process is still at work in" in refused(command())
        assert not (folder / STATUS).exists()
    assert main(ColourMeans, command()) == ExitCode.FINISHED


def test_other_images_are_not_resumed_with(refused, command, tmp_path, monkeypatch):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (80, 80), np.uint8)
        Image.fromarray(pixels).save(images / f"{number}.png")
    flags = [f"--images={images}"]
    halfway(lambda: command(*flags), monkeypatch)
    saved = (images / "0.png").read_bytes()
    (images / "0.png").unlink()
    assert "began with other images: put back" in refused(command(*flags, "--resume", "true"))
    (images / "0.png").write_bytes(saved)
    assert main(ColourMeans, command(*flags, "--resume", "true")) == ExitCode.FINISHED


def test_another_initial_network_is_not_resumed_with(
    refused, command, tmp_path, tiny_vit, tiny_vit_with_registers, monkeypatch
):
    init = tmp_path / "init.safetensors"
    init.write_bytes(tiny_vit.read_bytes())
    flags = [f"--init={init}"]
    halfway(lambda: command(*flags), monkeypatch)
    init.write_bytes(tiny_vit_with_registers.read_bytes())
    assert "began with another initial network: put back" in refused(command(*flags, "--resume", "true"))


@pytest.mark.parametrize(
    "damage",
    [
        b"no checkpoint",
        [1, 2],
        {"step": -5},
        {"step": 999},
        {"state": {}},
        {"state": {"network": {}, "optimiser": {}}},
    ],
)
def test_a_damaged_checkpoint(damage, refused, command, tmp_path, monkeypatch):
    halfway(command, monkeypatch)
    path = tmp_path / "run" / CHECKPOINT
    if isinstance(damage, bytes):
        path.write_bytes(damage)
    else:
        read = torch.load(path, weights_only=True)
        torch.save({**read, **damage} if isinstance(damage, dict) else damage, path)
    assert "remove it and start the run again" in refused(command("--resume", "true"))


def test_damaged_logs_and_indices_cost_nothing(command, tmp_path, monkeypatch):
    halfway(command, monkeypatch)
    folder = tmp_path / "run"
    (folder / IMAGES).write_text('{"settings": [], "files"')
    with (folder / METRICS).open("ab") as log:
        log.write(b'\xff\n[3]\n{"loss": 3}\n{"step": 4, "lo')
    assert main(ColourMeans, command("--resume", "true")) == ExitCode.FINISHED
    steps = [json.loads(line)["step"] for line in (folder / METRICS).read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("[enforce fail]")])
def test_a_full_disk_keeps_the_last_checkpoint(error, refused, command, tmp_path, monkeypatch):
    saved = []

    def save(values, path, _save=torch.save):
        saved.append(values["step"])
        if len(saved) == 2:
            Path(path).write_bytes(b"half")
            raise error
        _save(values, path)

    with monkeypatch.context() as patch:
        patch.setattr("torch.save", save)
        sentence = refused(command())
    assert "checkpoint.pt cannot be written" in sentence
    status = read_status(tmp_path / "run")
    assert status.state == "failed"
    assert status.message in sentence
    assert torch.load(tmp_path / "run" / CHECKPOINT, weights_only=True)["step"] == 2
    assert main(ColourMeans, command("--resume", "true")) == ExitCode.FINISHED


def test_a_disk_that_is_too_small_is_found_out_before_the_first_step(refused, command, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    assert "GB left, and this run needs" in refused(command())
    assert not (tmp_path / "run" / METRICS).exists()


def test_weights_that_cannot_be_listed_are_found_out_before_the_first_step(refused, command, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PATCHFIELD_WEIGHTS", str(tmp_path / "file" / "weights"))
    assert "set PATCHFIELD_WEIGHTS to another folder" in refused(command())
    assert not (tmp_path / "run" / METRICS).exists()


def test_weights_that_are_no_longer_numbers_are_never_kept(refused, command, tmp_path, weights, monkeypatch):
    def step_and_spoil(stepper, batch, step, _step=Stepper.step):
        outcome = _step(stepper, batch, step)
        if step == 3:
            stepper.optimiser.param_groups[0]["params"][0].data.fill_(torch.nan)
        return outcome

    monkeypatch.setattr(Stepper, "step", step_and_spoil)
    assert "no longer numbers: start again with a lower learning_rate" in refused(command())
    assert torch.load(tmp_path / "run" / CHECKPOINT, weights_only=True)["step"] == 2
    assert not list(weights.glob("*"))
    assert not list((tmp_path / "run").glob("*.safetensors"))


def test_a_loss_that_is_no_number_ends_the_run(refused, micrographs, tmp_path, weights):
    flags = ["--steps=6", "--batch=2", "--side=64", "--workers=0", "--device=cpu", "--precision=fp32"]
    small = ["--network.widths=[8,12]", "--network.blocks=[1,1]", "--network.channels=4", "--shares.synthetic=0"]
    output = ["--labels", str(micrographs), "--output", str(tmp_path / "run"), "--learning_rate=1e12"]
    sentence = refused([*flags, *small, *output], StrokeEpisodes)
    assert "no longer" in sentence
    assert "learning_rate" in sentence
    assert read_status(tmp_path / "run").state == "failed"
    assert not list(weights.glob("*"))


def test_what_happens_in_a_loading_process_is_one_sentence(refused, command, tmp_path, monkeypatch):
    images = tmp_path / "images"
    images.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80), np.uint8)).save(images / "a.png")
    monkeypatch.setattr(
        "training.engine.run.check_room", lambda *_, **__: (images / "a.png").write_bytes(b"no image any more")
    )
    sentence = refused(command(f"--images={images}", "--workers=1"))
    assert "a.png" in sentence
    assert "worker" not in sentence


def test_the_exported_file_is_loaded_again_by_name(finished):
    assert load_backbone("run", device="cpu").name
