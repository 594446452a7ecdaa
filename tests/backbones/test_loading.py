"""Names: what exists, what is meant by a misspelt one, what the table of weights says."""

import pytest
import timm
import torch

from patchfield import PatchfieldError, load_backbone, models
from patchfield.backbones import RECOMMENDED, default_backbone, random_vit
from patchfield.backbones.registry import WEIGHTS, find_weight
from patchfield.errors import BackboneError

PUBLISHED = [weight for weight in WEIGHTS if weight.source.repo.startswith("timm/")]


@pytest.mark.parametrize("weight", PUBLISHED, ids=lambda weight: weight.name)
def test_published_weights_are_what_timm_says(weight):
    tag = weight.source.repo.rpartition(".")[2]
    configuration = timm.get_pretrained_cfg(f"{weight.architecture}.{tag}")
    assert configuration.hf_hub_id == weight.source.repo
    assert configuration.license.lower() == weight.licence.lower()
    assert (configuration.mean, configuration.std) == (weight.mean, weight.std)
    with torch.device("meta"):
        model = timm.create_model(weight.architecture, num_classes=0)
    assert sum(parameter.numel() for parameter in model.parameters()) == weight.parameters
    assert model.patch_embed.patch_size == (weight.patch, weight.patch)
    assert model.patch_embed.grid_size == (weight.grid, weight.grid)
    assert (model.num_reg_tokens, model.embed_dim) == (weight.registers, weight.channels)
    # The hub's files: float32 parameters and a header of some hundred bytes per tensor.
    assert 0 < weight.size - 4 * weight.parameters < 150 * len(model.state_dict())


def test_neco_names_every_released_file():
    released = {
        f"vit-{size}/dinov2-architectures/neco_on_{start}_vit14"
        for size in ("small", "base")
        for start in ("dinov2", "dinov2r_xr", "dinov2r")
    } | {f"vit-small/dino-architectures/neco_on_{start}_vit16" for start in ("dino", "timetuning", "leopart")}
    sources = [weight.source for weight in WEIGHTS if weight.source.repo == "FunAILab/NeCo"]
    assert {source.file for source in sources} == {f"{run}_teacher.ckpt" for run in released}
    assert {source.student_file for source in sources} == {f"{run}_model.ckpt" for run in released}


def test_the_recommended_one_is_trained_with_registers_and_runs_without():
    weight = find_weight(RECOMMENDED)
    assert "dinov2r_xr" in weight.source.file
    assert weight.registers == 0


def test_models_begin_with_the_embedded_ones_and_have_unique_names():
    names = [weight.name for weight in models()]
    assert names[:2] == ["micro", "filters"]
    assert len(names) == len(set(names)) == len(WEIGHTS) + 2


def test_one_begins_with_the_recommended_transformer_only_where_it_is(monkeypatch, tmp_path):
    monkeypatch.setenv("PATCHFIELD_WEIGHTS", str(tmp_path))
    monkeypatch.setattr("patchfield.backbones.loading.find_local", lambda weight: None)
    assert default_backbone() == "micro"
    monkeypatch.setattr("patchfield.backbones.loading.find_local", lambda weight: tmp_path)
    assert default_backbone() == RECOMMENDED


def test_a_backbone_is_returned_as_it_is():
    vit = random_vit("vit_tiny_patch16_224", depth=1, device="cpu")
    assert load_backbone(vit) is vit


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("dinov2-smal", "did you mean dinov2-small"),
        ("DINOv2-Base-Reg", "did you mean dinov2-base-reg"),
        ("resnet50", "known names are micro, filters, neco-small"),
        ("missing.pth", "There is no checkpoint file 'missing.pth'"),
    ],
)
def test_unknown_names_get_advice(name, sentence):
    with pytest.raises(PatchfieldError, match=sentence):
        load_backbone(name)


def test_options_that_do_not_apply_are_refused():
    with pytest.raises(BackboneError, match="'filters' takes no stride"):
        load_backbone("filters", stride=7)
    with pytest.raises(BackboneError, match="released as one network"):
        load_backbone("dinov2-small", weights="student")
    with pytest.raises(BackboneError, match="give 'teacher' or 'student'"):
        load_backbone("neco-small", weights="ema")
    with pytest.raises(BackboneError, match="leave out blocks"):
        load_backbone("neco-small", attention=True, blocks=-2)
