"""Episodes: what is painted, asked and held out; that a network learns from them, and runs resume."""

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from rich.console import Console
from torch.nn import functional

import patchfield as pf
from patchfield.backbones.micro import MicroSpec
from patchfield.errors import PatchfieldError
from training.engine.checkpoint import read_checkpoint
from training.engine.cli import main as run_command
from training.engine.launch import RunContext, launch
from training.engine.run import train as run_training
from training.engine.step import Stepper
from training.episodes.dataset import EpisodeDataset
from training.episodes.finding import find_sources
from training.episodes.light import LightSettings, relight
from training.episodes.loss import UNLABELLED, EpisodeLoss, EpisodeLossSettings
from training.episodes.objective import StrokeEpisodes
from training.episodes.scene import Episodes, Pair
from training.episodes.settings import EpisodeSettings, Shares
from training.episodes.sources import (
    CollageSource,
    LabelledSource,
    Magnification,
    Source,
    SyntheticSource,
)
from training.errors import TrainingError

QUIET = Console(quiet=True)


def train(settings):
    return run_training(StrokeEpisodes, settings, QUIET)


def main(arguments):
    return run_command(StrokeEpisodes, arguments)


@pytest.fixture
def settings(micrographs, tmp_path) -> EpisodeSettings:
    """Six steps of a tiny network that checkpoint every second one."""
    return EpisodeSettings(
        output=tmp_path / "run",
        labels=[micrographs],
        textures=[micrographs],
        steps=6,
        batch=2,
        side=64,
        workers=0,
        device="cpu",
        precision="fp32",
        log_every=1,
        checkpoint_every=2,
        network=MicroSpec(widths=(8, 12, 16), blocks=(1, 1, 1), channels=8),
    )


@pytest.mark.parametrize("kind", [LabelledSource, SyntheticSource, CollageSource])
def test_episodes_paint_every_class_and_ask_for_no_other(settings, kind):
    sources = [(source, 1.0) for source, _ in find_sources(settings, QUIET).weighted if isinstance(source, kind)]
    dataset = EpisodeDataset(sources, settings.side, settings.strokes, settings.light, seed=1)
    for index in range(12):
        episode = dataset[index]
        painted = episode.strokes != UNLABELLED
        classes = set(episode.strokes[painted].tolist())
        assert len(classes) > 1
        assert classes == set(range(len(classes))) == set(episode.masks[0].unique().tolist()) - {UNLABELLED}
        assert set(episode.masks[1].unique().tolist()) <= classes | {UNLABELLED}
        assert (episode.strokes[painted] == episode.masks[0][painted]).all()
        assert painted.float().mean() < 0.25
        assert episode.images.isfinite().all()


def test_episode_number_i_is_always_the_same(settings):
    first, second = (
        EpisodeDataset(find_sources(settings, QUIET).weighted, settings.side, settings.strokes, settings.light, seed=1)
        for _ in range(2)
    )
    first[0]
    for drawn, again in zip(first[5], second[5], strict=True):
        torch.testing.assert_close(drawn, again, rtol=0, atol=0)


def test_second_images_may_differ_by_more_and_first_ones_are_the_same(settings):
    """Another composition, magnification and camera, as the next image of a series may have."""
    (source, _), *_ = find_sources(settings, QUIET).weighted
    magnification = Magnification(low=1.0, high=1.0, deviation=0.0)
    further = replace(magnification, far=1.0)
    composed = LabelledSource(source.sets, magnification, composition=1.0)
    plain = LabelledSource(source.sets, magnification)
    ranges, classes = [], []
    for seed in range(12):
        assert magnification.draw(np.random.default_rng(seed)) == (1.0, 1.0)
        assert further.draw(np.random.default_rng(seed))[1] != 1.0
        kept, changed = (kind.pair(32, np.random.default_rng(seed)) for kind in (plain, composed))
        np.testing.assert_array_equal(kept.images[0], changed.images[0])
        low, high = np.percentile(changed.images[1].mean(-1), (1, 99))
        ranges.append(high - low)
        classes.append(len(np.unique(changed.masks[1])))
        lights = [relight(kept.images, LightSettings(apart=share), np.random.default_rng(seed)) for share in (0.0, 1.0)]
        np.testing.assert_array_equal(lights[0][0], lights[1][0])
        assert np.abs(lights[0][1] - lights[1][1]).max() > 0.01
    np.testing.assert_allclose(ranges, 1.0, atol=1e-3)  # in units of its own contrast
    assert min(classes) == 1


@pytest.mark.parametrize("reference", ["middle", "median"])
def test_a_network_is_used_with_the_reference_it_was_trained_with(settings, reference):
    run = replace(settings, steps=1, shares=Shares(labelled=0, collages=0), reference=reference)
    train(run)
    assert pf.load_backbone(run.output / "micro.safetensors").reference == reference


def test_features_that_hold_the_answer_have_no_loss_and_others_do():
    masks = torch.randint(0, 3, (2, 2, 16, 16)).repeat_interleave(4, 2).repeat_interleave(4, 3)
    strokes = masks[:, 0].where(torch.rand(2, 64, 64) < 0.1, UNLABELLED)
    episodes = Episodes(torch.zeros(2, 2, 3, 64, 64), masks, strokes)
    loss = EpisodeLoss(EpisodeLossSettings(sharpness=30.0, penalty=1e-3))
    telling = functional.one_hot(masks[:, :, ::2, ::2], 3).permute(0, 1, 4, 2, 3).float()
    know, accuracy = loss(telling + 0.01 * torch.randn_like(telling), episodes, phase=0)
    guess, by_chance = loss(torch.randn_like(telling), episodes, phase=0)
    assert accuracy.min() > 0.9
    assert know < 0.5 * guess
    assert by_chance.max() < 0.5


def test_channels_may_have_any_unit():
    masks = torch.randint(0, 3, (2, 2, 32, 32))
    strokes = masks[:, 0].where(torch.rand(2, 32, 32) < 0.1, UNLABELLED)
    episodes = Episodes(torch.zeros(2, 2, 3, 32, 32), masks, strokes)
    features = torch.randn(2, 2, 5, 16, 16)
    units, zeros = torch.tensor([0.5, 2, 30, 1, 8])[:, None, None], torch.tensor([3.0, -1, 40, 0, -9])[:, None, None]
    loss = EpisodeLoss(EpisodeLossSettings())
    plain, changed = loss(features, episodes, phase=1)[0], loss(features * units + zeros, episodes, phase=1)[0]
    torch.testing.assert_close(changed, plain, rtol=0.02, atol=0)


def test_it_learns_phases_that_differ_by_texture_and_not_from_shuffled_masks(settings):
    def last_accuracy(shuffled: bool) -> float:
        run = replace(settings, steps=20, batch=4, shares=Shares(labelled=1, synthetic=0, collages=0))
        dataset = EpisodeDataset(find_sources(run, QUIET).weighted, run.side, run.strokes, run.light, seed=3)
        run.output.mkdir(exist_ok=True)
        context = RunContext(launch(run), run.output, QUIET)
        stepper, accuracies = Stepper(StrokeEpisodes(run, context), context), []
        for step in range(run.steps):
            drawn = [dataset[step * run.batch + number] for number in range(run.batch)]
            batch = Episodes(*(torch.stack(parts) for parts in zip(*drawn, strict=True)))
            if shuffled:
                batch = batch._replace(masks=batch.masks.flip(-1))
            accuracies.append(stepper.step(batch, step).result.averaged["accuracy"].item())
        return float(np.mean(accuracies[-8:]))

    assert last_accuracy(shuffled=False) > last_accuracy(shuffled=True) + 0.1


def test_a_resumed_run_is_the_uninterrupted_one(settings, monkeypatch):
    train(settings)
    whole = read_checkpoint(settings.output, settings)
    halves = replace(settings, output=settings.output.with_name("halves"))

    def power_cut(stepper, episodes, step, _step=Stepper.step):
        if step == 5:
            raise KeyboardInterrupt
        return _step(stepper, episodes, step)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "step", power_cut)
        with pytest.raises(KeyboardInterrupt):
            train(halves)
    train(replace(halves, resume=True))
    resumed = read_checkpoint(halves.output, halves)
    for key, value in whole[1]["net"].items():
        torch.testing.assert_close(resumed[1]["net"][key], value, rtol=0, atol=0)


def test_the_result_is_a_backbone_with_a_name(settings, micrographs):
    outcome = train(replace(settings, name="ours"))
    image = np.asarray(Image.open(micrographs / "image_0.png"))
    by_name, by_path = (pf.extract(image, pf.load_backbone(backbone)) for backbone in ("ours", *outcome.exported))
    assert by_name.channels == 8
    np.testing.assert_array_equal(by_name.dense(), by_path.dense())


def test_held_out_images_are_not_trained_on(settings, micrographs):
    held_out = [f"{micrographs.name}/image_{number}.png" for number in range(1, 8)]
    run = replace(settings, held_out=held_out)
    labelled, _, collages = (source for source, _ in find_sources(run, QUIET).weighted)
    assert [image.image.name for images in labelled.sets for image in images] == ["image_0.png"]
    assert [Path(plane.path).name for kind in collages.textures.kinds for plane in kind] == ["image_0.png"]
    with pytest.raises(PatchfieldError, match="held"):
        find_sources(replace(settings, held_out=[f"{micrographs.name}/*"]), QUIET)


def test_the_command_line_trains_from_a_file_of_settings(micrographs, tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text(
        f"labels: [{micrographs}]\nsteps: 2\nbatch: 1\nside: 64\nworkers: 0\n"
        "network: {widths: [8, 8], blocks: [1, 1], channels: 4}\nshares: {synthetic: 0}\n"
    )
    assert main(["--config", str(config), "--output", str(tmp_path / "run")]) == 0
    assert pf.load_backbone(tmp_path / "run" / "micro.safetensors").channels == 4


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--labels", "nowhere"], "nowhere is not a folder"),
        (["--side", "100"], "side must be a multiple of 16"),
        (["--shares.synthetic", "0"], "nothing to train on"),
        (["--name", "filters"], "is the name of a published backbone"),
        (["--init", "nothing.safetensors"], "nothing.safetensors"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_sentence(flags, sentence, tmp_path, capsys):
    assert main([*flags, "--output", str(Path(tmp_path) / "run"), "--steps", "1", "--workers", "0"]) == 1
    assert sentence in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [(np.full((80, 80), 1), "holds two classes"), (np.arange(6400).reshape(80, 80) // 8, "holds the label 799")],
)
def test_masks_that_say_nothing_about_classes_are_refused_before_training(mask, sentence, settings, tmp_path):
    Image.fromarray(np.zeros((80, 80), np.uint8)).save(tmp_path / "image_a.png")
    Image.fromarray(mask.astype(np.uint16)).save(tmp_path / "mask_a.png")
    with pytest.raises(PatchfieldError, match=sentence):
        find_sources(replace(settings, labels=tmp_path), QUIET)


def test_textures_that_cannot_be_read_are_left_out(settings, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    run = replace(settings, textures=[*settings.texture_folders, tmp_path])
    collages = find_sources(run, QUIET).weighted[-1][0]
    assert "broken.png" not in [Path(plane.path).name for kind in collages.textures.kinds for plane in kind]


def test_an_image_without_a_judged_pixel_does_not_count():
    masks = torch.randint(0, 3, (3, 2, 32, 32))
    strokes = masks[:, 0].where(torch.rand(3, 32, 32) < 0.1, UNLABELLED)
    features = torch.randn(3, 2, 5, 16, 16, requires_grad=True)
    loss = EpisodeLoss(EpisodeLossSettings())

    def judged(chosen, masks):
        return loss(features[chosen], Episodes(torch.zeros(3, 2, 3, 32, 32)[chosen], masks, strokes[chosen]), phase=1)

    partly = masks.clone()
    partly[2, 1] = UNLABELLED
    value, accuracy = judged(slice(None), partly)
    value.backward()
    assert value.isfinite()
    assert features.grad.isfinite().all()
    others, of_others = judged(slice(2), masks[:2])
    torch.testing.assert_close(accuracy[1], of_others[1])
    nowhere = masks.clone()
    nowhere[:, 1] = UNLABELLED
    first_alone, by_classes = judged(slice(None), nowhere)
    assert first_alone.isfinite()
    assert by_classes[1] == 0
    assert others.isfinite()


class OneClass(Source):
    """Images of which nothing can be learned."""

    title = "the blank ones"

    def pair(self, side, rng):
        mask = np.ones((side, side), np.uint8)
        return Pair((np.zeros((side, side, 3), np.float32),) * 2, (mask, mask))


def test_a_source_that_never_shows_two_classes_ends_in_a_sentence(settings):
    dataset = EpisodeDataset([(OneClass(), 1.0)], settings.side, settings.strokes, settings.light, seed=1)
    with pytest.raises(TrainingError, match="no crop of 64 pixels of the blank ones shows two classes"):
        dataset[0]


def test_labelled_images_are_kept_up_to_a_number_of_bytes(settings):
    (source, _), *_ = find_sources(settings, QUIET).weighted
    small, ample = (LabelledSource(source.sets, source.magnification, capacity) for capacity in (1, 2**30))
    for seed in range(4):
        drawn = [kept.pair(64, np.random.default_rng(seed)) for kept in (small, ample)]
        np.testing.assert_array_equal(drawn[0].images, drawn[1].images)
    assert len(small._read) == 1
    assert len(ample._read) > 2


def test_episodes_can_be_made_in_processes_that_share_no_memory(settings):
    dataset = EpisodeDataset(
        find_sources(settings, QUIET).weighted, settings.side, settings.strokes, settings.light, seed=1
    )
    _ = dataset[0]
    copy = pickle.loads(pickle.dumps(dataset))
    for drawn, again in zip(dataset[3], copy[3], strict=True):
        torch.testing.assert_close(drawn, again, rtol=0, atol=0)


def test_other_labels_are_not_resumed_with(settings, micrographs, capsys, tmp_path):
    labels = tmp_path / "labels"
    shutil.copytree(micrographs, labels)
    run = replace(settings, labels=[labels], textures=[], shares=Shares(collages=0))
    train(run)
    assert json.loads((run.output / "run.json").read_text())["labelled"] == 8
    Image.fromarray(np.full((128, 128), 1, np.uint8)).save(labels / "mask_0.png")
    with pytest.raises(TrainingError, match="began with other labels"):
        train(replace(run, resume=True))


def test_a_stack_cannot_be_a_labelled_image(settings, tmp_path):
    tifffile.imwrite(tmp_path / "image_a.tif", np.zeros((3, 80, 80), np.uint8), imagej=True, metadata={"axes": "ZYX"})
    Image.fromarray(np.ones((80, 80), np.uint8)).save(tmp_path / "mask_a.png")
    with pytest.raises(TrainingError, match=r"image_a.tif has 3 planes"):
        find_sources(replace(settings, labels=tmp_path), QUIET)
