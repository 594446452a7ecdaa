"""Names: what exists, what is meant by a misspelt one, what the table of weights says."""

from pathlib import Path

import pytest
import timm
import torch

from patchfield import PatchfieldError, load_backbone, models
from patchfield.backbones import (
    RECOMMENDED,
    Embedded,
    ViTSpec,
    availability,
    default_backbone,
    download_size,
    export_checkpoint,
    find_weight,
    is_here,
    random_vit,
)
from patchfield.backbones.conversion import convert
from patchfield.backbones.published import EMBEDDED, PUBLISHED
from patchfield.errors import BackboneError

IN_TIMM = [weight for weight in PUBLISHED if weight.family == "vit" and weight.origin.repo.startswith("timm/")]


@pytest.mark.parametrize("weight", IN_TIMM, ids=lambda weight: weight.name)
def test_published_weights_are_what_timm_says(weight):
    tag = weight.origin.repo.rpartition(".")[2]
    configuration = timm.get_pretrained_cfg(f"{weight.architecture}.{tag}")
    assert configuration.hf_hub_id == weight.origin.repo
    assert configuration.license.lower() == weight.licence.lower()
    with torch.device("meta"):
        model = timm.create_model(weight.architecture, num_classes=0)
    state = model.state_dict()
    assert sum(parameter.numel() for parameter in model.parameters()) == weight.parameters
    assert weight.channels == weight.spec.channels
    # The hub's files: float32 parameters and a header of some hundred bytes per tensor.
    assert 0 < weight.origin.size - 4 * weight.parameters < 150 * len(state)
    if weight.parameters < 5e7:  # larger ones are of the same making, and take seconds
        converted, positions, _ = convert({key: torch.zeros(value.shape) for key, value in state.items()})
        assert ViTSpec.from_state(converted, positions) == weight.spec
    assert (configuration.mean, configuration.std) == (weight.spec.mean, weight.spec.std)
    assert (len(model.blocks), model.blocks[0].attn.num_heads) == (weight.spec.depth, weight.spec.heads)
    assert model.blocks[0].mlp.fc1.out_features == weight.spec.mlp_width


def test_neco_names_every_released_file():
    released = {
        f"vit-{size}/dinov2-architectures/neco_on_{start}_vit14"
        for size in ("small", "base")
        for start in ("dinov2", "dinov2r_xr", "dinov2r")
    } | {f"vit-small/dino-architectures/neco_on_{start}_vit16" for start in ("dino", "timetuning", "leopart")}
    sources = [weight.origin for weight in PUBLISHED if weight.origin.repo == "FunAILab/NeCo"]
    assert {source.file for source in sources} == {f"{run}_teacher.ckpt" for run in released}
    assert {source.student_file for source in sources} == {f"{run}_model.ckpt" for run in released}


def test_the_recommended_one_is_trained_with_registers_and_runs_without():
    weight = find_weight(RECOMMENDED)
    assert "dinov2r_xr" in weight.origin.file
    assert weight.spec.registers == 0


def test_the_readme_lists_every_backbone_as_the_catalogue_does():
    rows = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").splitlines()
    for weight in PUBLISHED:
        (row,) = [row for row in rows if row.startswith(f"| `{weight.name}` |")]
        size = f"{weight.origin.size / 1e6:,.0f} MB"
        assert row == f"| `{weight.name}` | {weight.summary} | {size} | {weight.licence_text} |"


def test_models_begin_with_the_embedded_ones_and_have_unique_names():
    names = [weight.name for weight in models()]
    assert names[:2] == ["micro", "filters"]
    assert len(names) == len(set(names)) == len(PUBLISHED) + 2


@pytest.mark.parametrize("weight", EMBEDDED, ids=lambda weight: weight.name)
def test_the_catalogue_says_what_the_embedded_backbones_are(weight):
    backbone = load_backbone(weight.name)
    assert (weight.origin, weight.channels) == (Embedded(), backbone.channels)
    assert type(backbone).__module__.split(".")[2] == weight.family


def test_one_begins_with_the_recommended_transformer_only_where_it_is(weights_folder):
    assert default_backbone() == "micro"
    (weights_folder / f"{RECOMMENDED}.ckpt").write_bytes(b"weights")
    assert default_backbone() == RECOMMENDED


def test_listings_say_where_each_backbone_is(weights_folder):
    vit = random_vit("vit_tiny_patch16_224", depth=1, device="cpu")
    export_checkpoint(weights_folder / "ours.safetensors", vit.transformer.vit.state_dict(), vit.spec)
    (weights_folder / "dinov2-small.pth").write_bytes(b"weights")
    listed = {weight.name: weight for weight in models()}
    names = ("filters", "ours", "dinov2-small", "dinov2-base", "dinov2-giant")
    assert [availability(listed[name]) for name in names] == [
        "embedded", "trained here", "downloaded", "346 MB download", "4.5 GB download",
    ]  # fmt: skip
    assert [is_here(listed[name]) for name in names] == [True, True, True, False, False]
    assert [download_size(listed[name]) for name in names] == ["", "", "88 MB", "346 MB", "4.5 GB"]
    assert (listed["ours"].family, listed["ours"].spec) == ("vit", vit.spec)


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


def test_a_file_in_the_folder_of_weights_goes_by_its_name(weights_folder, tmp_path):
    vit = random_vit("vit_tiny_patch16_224", depth=1, device="cpu")
    for path in (weights_folder / "ours.safetensors", tmp_path / "theirs.safetensors"):
        export_checkpoint(path, vit.transformer.vit.state_dict(), vit.spec)
    assert load_backbone(weights_folder / "ours.safetensors").name == "ours"
    assert load_backbone(tmp_path / "theirs.safetensors").name == str(tmp_path / "theirs.safetensors")


def test_a_file_that_has_moved_is_found_by_name_and_by_fingerprint(weights_folder):
    """Recipes keep a name or path and a fingerprint; the file may have come here from any system."""
    vits = [random_vit("vit_tiny_patch16_224", depth=1, seed=seed, device="cpu") for seed in range(2)]
    for name, vit in zip(("steel", "renamed"), vits, strict=True):
        export_checkpoint(weights_folder / f"{name}.safetensors", vit.transformer.vit.state_dict(), vit.spec)
    for gone in ("/home/ann/steel.safetensors", r"C:\\nets\\steel.safetensors"):
        found = load_backbone(gone)
        assert (found.name, found.fingerprint) == ("steel", vits[0].fingerprint)
    assert load_backbone("/a/other.safetensors", fingerprint=vits[1].fingerprint).fingerprint == vits[1].fingerprint
    assert load_backbone("/a/steel.safetensors", fingerprint=vits[1].fingerprint).fingerprint == vits[1].fingerprint
    assert load_backbone("/a/steel.safetensors", fingerprint="unknown").fingerprint == vits[0].fingerprint
    with pytest.raises(BackboneError, match=r"no checkpoint file '/a/other\.safetensors', and none of its name in"):
        load_backbone("/a/other.safetensors", fingerprint="unknown")


def test_options_that_do_not_apply_are_refused():
    with pytest.raises(BackboneError, match="'filters' takes no stride"):
        load_backbone("filters", stride=7)
    with pytest.raises(BackboneError, match="released as one network"):
        load_backbone("dinov2-small", weights="student")
    with pytest.raises(BackboneError, match="give 'teacher' or 'student'"):
        load_backbone("neco-small", weights="ema")
    with pytest.raises(BackboneError, match="leave out blocks"):
        load_backbone("neco-small", attention=True, blocks=-2)
    for stride in ("7", 7.5, True, [7]):
        with pytest.raises(BackboneError, match="give a whole number of pixels"):
            load_backbone("neco-small", stride=stride)
    for blocks in ("x", [None], [1.5], {"last": 1}):
        with pytest.raises(BackboneError, match="give whole numbers"):
            load_backbone("neco-small", blocks=blocks)
