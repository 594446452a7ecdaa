"""Adapting a backbone: real processes on small images, stopped, resumed, refused, left alone."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers._source import layer_source

from patchfield.backbones import export_checkpoint, load_backbone, models, random_vit
from patchfield.errors import BackboneError
from patchfield.images import ImageSettings, model_image, read_image, write_image
from patchfield.napari.adapt.adapting import Adapting, Phase
from patchfield.napari.adapt.order import Order, first_start, free_name
from patchfield.napari.adapt.run import TrainingRun, runs_folder
from patchfield.napari.controller import Controller
from patchfield.napari.jobs import InlineRunner
from patchfield.napari.layers.export import file_of, write_layer
from patchfield.napari.layers.stack import LayerStack
from patchfield.runs.extra import NEEDED

STEPS = 12
SMALL = {
    "crops.global_size": 64,
    "crops.local_size": 32,
    "head.hidden": 32,
    "head.channels": 16,
    "loss.queue": 256,
    "loss.references": 16,
    "optimiser.learning_rate": 1e-3,
    "workers": 0,
    "device": "cpu",
}


@pytest.fixture(autouse=True)
def weights(tmp_path, monkeypatch) -> Path:
    """A folder of weights that holds one small transformer, "tiny"."""
    folder = tmp_path / "weights"
    monkeypatch.setenv("PATCHFIELD_WEIGHTS", str(folder))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    vit = random_vit(
        "vit_tiny_patch16_224", depth=1, embed_dim=64, num_heads=2, patch_size=8, img_size=64, device="cpu"
    )
    export_checkpoint(folder / "tiny.safetensors", vit.transformer.vit.state_dict(), vit.spec)
    return folder


@pytest.fixture
def order(two_phases, controller, tmp_path):
    """Makes an order for an image file and a 16-bit stack that is in memory only."""
    write_image(tmp_path / "steel.png", two_phases())
    with layer_source(path=str(tmp_path / "steel.png")):
        controller.viewer.add_image(two_phases(), name="steel")
    controller.viewer.add_image(np.stack([two_phases(seed=seed).astype(np.uint16) * 99 for seed in (1, 2)]), name="new")
    layers = reversed(controller.annotations.choices)
    sources = [controller.annotations.source_of(layer) for layer in layers]

    def make(**changes) -> Order:
        return Order(
            **{
                "images": sources,
                "init": "tiny",
                "name": "mine",
                "steps": STEPS,
                "batch": 2,
                "root": runs_folder(),
                "options": SMALL,
                **changes,
            }
        )

    return make


def another_session() -> Adapting:
    return Controller(ViewerModel(), InlineRunner()).adapting


def logged_steps(run: TrainingRun) -> list[int]:
    return [json.loads(line)["step"] for line in (run.folder / "metrics.jsonl").read_text().splitlines()]


def test_a_run_is_stopped_resumed_in_a_later_session_and_used(controller, order, tmp_path, monkeypatch):
    monkeypatch.setattr("patchfield.napari.adapt.adapting.POLL", 0.05)
    adapting = controller.adapting
    seen = []

    def watch():
        seen.append(adapting.status)
        if adapting.status.phase is Phase.TRAINING:
            adapting.stop()

    adapting.changed.connect(watch)
    adapting.start(order())
    phases = list(dict.fromkeys(status.phase for status in seen))
    assert phases == [Phase.STARTING, Phase.TRAINING, Phase.STOPPING, Phase.STOPPED], seen[-1].sentence
    shown = next(status for status in seen if status.phase is Phase.TRAINING)
    assert f"of\N{NO-BREAK SPACE}{STEPS} · loss" in shown.sentence
    assert shown.sentence.endswith("left")
    done = logged_steps(adapting.run)[-1]
    assert shown.progress.done <= done < STEPS
    assert adapting.status.sentence == f"Stopped after step {done} of {STEPS}."
    file, written = TrainingRun.read(adapting.run.folder).images
    assert file == (tmp_path / "steel.png").resolve()
    assert read_image(written).planes == 2

    later = another_session()
    later.start(order())
    assert "resume it, or choose another name" in later.status.sentence
    later = another_session()
    later.find_unfinished(runs_folder())
    assert later.status.sentence == f"'mine' was interrupted at step {done} of {STEPS}."
    names = []
    later.finished.connect(names.append)
    later.resume()
    assert later.status.phase is Phase.FINISHED, later.status.sentence
    assert names == ["mine"]
    assert logged_steps(later.run) == list(range(STEPS + 1))
    assert {"mine", "mine-student"} <= {weight.name for weight in models()}
    assert load_backbone("mine", device="cpu").fingerprint != load_backbone("tiny", device="cpu").fingerprint

    adapting.run, adapting.status = later.run, later.status
    adapting.use()
    assert adapting.in_use
    (part,) = controller.target().field.recipes
    assert part.backbone == "mine"
    adapting.start(order())
    assert adapting.status.sentence == "There is a backbone 'mine' already: choose another name."


def test_why_a_process_failed_is_one_sentence(controller, order):
    adapting = controller.adapting
    adapting.start(order(options={**SMALL, "crops.global_size": 224}))
    assert adapting.status.phase is Phase.FAILED
    assert adapting.status.sentence.startswith("None of 2 image(s) can be used; the first: ")
    assert "smaller than a crop of 224" in adapting.status.sentence
    assert not adapting.can_resume
    run = adapting.run
    (run.folder / "status.json").unlink()
    (run.folder / "process.log").write_text("Traceback (most recent call last):\nImportError: training needs yaml.\n")
    assert run.why_it_failed(1) == "Training needs yaml."
    assert "killed (signal 9)" in run.why_it_failed(-9)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"init": "filters"}, "'filters' cannot be adapted: a vision transformer is needed, such as tiny."),
        ({"name": "../mine"}, "'../mine' cannot be the name of a backbone"),
        ({"name": "neco-small"}, "There is a backbone 'neco-small' already"),
        ({"images": []}, "There is nothing to adapt to"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(controller, order, changes, sentence, weights):
    adapting = controller.adapting
    adapting.start(order(**changes))
    assert adapting.status.phase is Phase.FAILED
    assert adapting.status.sentence.startswith(sentence)
    assert not (weights / "runs").exists()


def test_what_is_not_installed_is_named_with_the_command_that_installs_it(controller, order, monkeypatch):
    monkeypatch.setitem(NEEDED, "tensorboard", "no_such_module")
    adapting = controller.adapting
    adapting.start(order())
    assert "needs tensorboard: install with pip install 'napari-patchfield[training]'" in adapting.status.sentence


def test_a_backbone_that_is_not_here_is_downloaded_first(controller, order, monkeypatch):
    def fetch(weight, progress):
        progress(30_000_000, weight.origin.size)
        raise BackboneError("The network is gone.")

    monkeypatch.setattr("patchfield.napari.adapt.adapting.fetch", fetch)
    adapting = controller.adapting
    sentences = []
    adapting.changed.connect(lambda: sentences.append(adapting.status.sentence))
    adapting.start(order(init="neco-small"))
    assert sentences[1:] == ["Downloading the backbone: 30 of 88 MB", "The network is gone."]
    assert adapting.status.phase is Phase.FAILED


def test_a_folder_that_cannot_be_written_is_one_sentence(controller, order, tmp_path):
    (tmp_path / "file").touch()
    adapting = controller.adapting
    adapting.start(order(root=tmp_path / "file"))
    assert adapting.status.phase is Phase.FAILED
    assert "folder cannot be used" in adapting.status.sentence


def test_other_peoples_folders_are_left_alone(controller, order, weights):
    theirs = weights / "runs" / "mine" / "notes.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("ours")
    adapting = controller.adapting
    adapting.start(order())
    assert "holds other files" in adapting.status.sentence
    assert [path.name for path in theirs.parent.iterdir()] == ["notes.txt"]


def test_names_and_starts_that_are_offered(weights):
    (weights / "tiny-adapted.safetensors").write_bytes((weights / "tiny.safetensors").read_bytes())
    assert free_name("tiny", runs_folder()) == "tiny-adapted-2"
    assert free_name("steel 3 (x).tif", runs_folder()) == "steel-3-x-.tif-adapted"
    assert first_start("dinov2-small") == ("dinov2-small", "")
    assert first_start("filters", "neco-base")[0] == "neco-base"
    assert first_start("timm:resnet10t", "neco-base")[0] == "neco-base"


@pytest.mark.parametrize(
    "pixels",
    [
        np.random.default_rng(0).random((40, 50)) > 0.5,
        np.random.default_rng(1).integers(0, 9000, (3, 40, 50), np.uint16),
        np.random.default_rng(2).integers(0, 255, (40, 50, 4), np.uint8),
        np.random.default_rng(3).random((40, 50)),
    ],
    ids=["bits", "16-bit stack", "RGBA", "float64"],
)
def test_a_layer_is_written_as_the_model_sees_it(pixels, tmp_path):
    layer = ViewerModel().add_image(pixels, rgb=pixels.shape[-1] == 4)
    source = LayerStack.from_layer(layer)
    assert file_of(source) is None
    planes = list(write_layer(source, tmp_path / "layer.tif"))
    read = read_image(tmp_path / "layer.tif")
    assert planes == list(range(1, read.planes + 1))
    for number, index in enumerate(source.indices()):
        shown = model_image(source, source.settings, index)
        written = model_image(read, plane=read.at(number).index)
        np.testing.assert_allclose(written.whole(), shown.whole(), atol=0.01)


def test_a_file_whose_axes_somebody_had_to_say_is_written_as_it_was_meant(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (2, 40, 50), np.uint8)
    tifffile.imwrite(tmp_path / "two.tif", pixels, photometric="minisblack", metadata=None)
    with layer_source(path=str(tmp_path / "two.tif")):
        layer = ViewerModel().add_image(pixels)
    assert file_of(LayerStack.from_layer(layer, ImageSettings(axes="TYX"))) is None
    source = LayerStack.from_layer(layer, ImageSettings(channels=(1,), axes="CYX"))
    assert file_of(source) is None
    assert list(write_layer(source, tmp_path / "layer.tif")) == [1]
    np.testing.assert_array_equal(read_image(tmp_path / "layer.tif").pixels, pixels[1])


def test_nothing_is_left_of_a_layer_that_was_given_up(tmp_path):
    writing = write_layer(LayerStack.from_layer(ViewerModel().add_image(np.ones((3, 40, 50)))), tmp_path / "layer.tif")
    next(writing)
    writing.close()
    assert list(tmp_path.glob("*.tif")) == []
