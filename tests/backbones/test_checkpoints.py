"""Checkpoint files of every kind: read strictly, reported, refused in one sentence."""

import argparse
import json
import math
import shutil

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from patchfield.backbones import export_checkpoint, load_backbone, models, random_vit, read_checkpoint
from patchfield.backbones.micro import SHIPPED
from patchfield.errors import BackboneError

CROP = torch.rand(1, 3, 16, 20, generator=torch.Generator().manual_seed(1))


def tokens(file, **options) -> torch.Tensor:
    return load_backbone(file, device="cpu", precision="fp32", **options).encode(CROP)[0]


def test_plain_file_is_inferred_and_reported(dinov2_state, save):
    checkpoint = read_checkpoint(save(dinov2_state(depth=3)))
    spec = checkpoint.spec
    assert (spec.channels, spec.depth, spec.heads, spec.patch, spec.grid) == (64, 3, 1, 4, 3)
    assert (spec.registers, spec.class_token, spec.layer_scale, spec.swiglu, spec.positions) == (
        0, True, True, False, "scaled",
    )  # fmt: skip
    assert str(checkpoint.report) == (
        "Took the only network in the file; dropped: mask_token; renamed: pos_embed[0] -> cls_token."
    )


def test_registers_are_renamed_and_keep_their_positional_rule(dinov2_state, save):
    checkpoint = read_checkpoint(save(dinov2_state(registers=4)))
    assert (checkpoint.spec.registers, checkpoint.spec.positions) == (4, "exact")
    assert "register_tokens -> reg_token" in checkpoint.report.renamed


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_lightning_checkpoint_of_neco(role, dinov2_state, save):
    networks = {"model": dinov2_state(seed=1), "teacher": dinov2_state(seed=2)}
    state = {f"{name}.{key}": value for name, network in networks.items() for key, value in network.items()}
    state |= {f"{name}.projection_head.{i}.weight": torch.ones(2, 2) for name in networks for i in (0, 2, 4)}
    file = save({"state_dict": state, "epoch": 3, "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(2)}}}]})

    alone = save(networks["teacher" if role == "teacher" else "model"], "alone.ckpt")
    assert torch.equal(tokens(file, weights=role), tokens(alone))
    report = read_checkpoint(file, role).report
    assert report.role == role
    assert report.dropped["projection_head"] == 3
    assert report.dropped["model" if role == "teacher" else "teacher"] > 20


def test_flat_neco_with_registers_uses_the_rule_it_was_trained_with(dinov2_state, save):
    state = dinov2_state(registers=4) | {"projection_head.0.weight": torch.ones(2, 2)}
    assert read_checkpoint(save(state)).spec.positions == "scaled"


def test_dino_training_checkpoint(dinov2_state, save):
    state = {key: value for key, value in dinov2_state().items() if ".ls" not in key and key != "mask_token"}
    full = {
        "teacher": {f"backbone.{key}": value for key, value in state.items()} | {"head.mlp.0.weight": torch.ones(2, 2)},
        "student": {f"module.backbone.{key}": value + 1 for key, value in state.items()},
        "args": argparse.Namespace(arch="vit_small"),
        "epoch": 100,
    }
    assert torch.equal(tokens(save(full)), tokens(save(state, "flat.pth")))


def test_selfpatch_has_no_class_token_and_its_norm_in_the_head(dinov2_state, save):
    state = dinov2_state()
    backbone = {key: value for key, value in state.items() if not key.startswith(("norm", "cls", "mask"))}
    backbone["pos_embed"] = state["pos_embed"][:, 1:]
    full = {f"backbone.{key}": value for key, value in backbone.items()}
    full |= {f"ca_head.norm.{part}": state[f"norm.{part}"] for part in ("weight", "bias")}
    full["ca_head.cls_token"] = torch.zeros(1, 1, 64)
    file = save({"teacher": full})
    checkpoint = read_checkpoint(file)
    assert not checkpoint.spec.class_token
    assert torch.equal(checkpoint.state["norm.weight"], state["norm.weight"])
    assert checkpoint.report.dropped == {"ca_head": 1}
    with pytest.raises(BackboneError, match="no class token"):
        load_backbone(file, attention=True)


def test_chunked_blocks_and_gated_mlp(dinov2_state, save):
    state = dinov2_state(depth=4, gated=True)
    chunked = {
        key.replace(f"blocks.{number}.", f"blocks.{number // 2}.{number}.") if key.startswith("blocks") else key: value
        for key, value in state.items()
        for number in [int(key.split(".")[1]) if key.startswith("blocks") else 0]
    }
    assert chunked.keys() != state.keys()
    assert torch.equal(tokens(save(chunked)), tokens(save(state, "plain.pth")))
    assert read_checkpoint(save(state)).spec.swiglu


@pytest.mark.parametrize("architecture", ["vit_small_patch14_dinov2", "vit_small_patch14_reg4_dinov2"])
def test_timm_files_give_timm_tokens(architecture, save):
    import timm

    torch.manual_seed(0)
    model = timm.create_model(architecture, num_classes=0, depth=2, img_size=56).eval()
    crop = torch.rand(1, 3, 56, 56)
    backbone = load_backbone(save(model.state_dict()), device="cpu", precision="fp32")
    standardised = (crop - backbone.transformer.mean) / backbone.transformer.std
    expected = model.forward_features(standardised)[:, model.num_prefix_tokens :]
    torch.testing.assert_close(backbone.encode(crop)[0].flatten(2).transpose(1, 2), expected, atol=1e-5, rtol=0)


def test_half_precision_files_become_float32(dinov2_state, save):
    half = {key: value.half() for key, value in dinov2_state().items()}
    assert {value.dtype for value in read_checkpoint(save(half)).state.values()} == {torch.float32}


def test_export_comes_back_whole_and_is_listed_by_name(weights_folder):
    vit = random_vit("vit_tiny_patch16_224", depth=2, img_size=64, device="cpu")
    file = weights_folder / "alloy-small.safetensors"
    export_checkpoint(file, vit.transformer.vit.state_dict(), vit.spec, {"summary": "Our alloys", "licence": "CC0"})
    for name in (file, "alloy-small"):
        again = load_backbone(name, device="cpu")
        assert again.fingerprint == vit.fingerprint
        assert torch.equal(again.encode(CROP)[0], vit.encode(CROP)[0])
    (listed,) = [weight for weight in models() if weight.name == "alloy-small"]
    assert (listed.summary, listed.licence, listed.channels) == ("Our alloys", "CC0", 192)
    assert listed.parameters == sum(parameter.numel() for parameter in vit.transformer.parameters())


def test_export_of_a_newer_version_is_refused_and_not_listed(weights_folder):
    file = weights_folder / "newer.safetensors"
    save_file({"x": torch.ones(1)}, file, metadata={"patchfield": '{"spec": {"rope": true}, "details": {}}'})
    assert "newer" not in {weight.name for weight in models()}
    with pytest.raises(BackboneError, match="another version of Patchfield"):
        load_backbone("newer")


@pytest.mark.parametrize(
    ("name", "registers", "sentence"),
    [("dinov2-small", 4, "4 register tokens, but"), ("dinov2-small-reg", 0, "no register tokens, but")],
)
def test_registers_where_none_belong_and_the_reverse(name, registers, sentence, dinov2_state, save, weights_folder):
    save(dinov2_state(registers=registers)).rename(weights_folder / f"{name}.pth")
    with pytest.raises(BackboneError, match=sentence):
        load_backbone(name)


def test_another_size_under_a_published_name(dinov2_state, save, weights_folder):
    save(dinov2_state()).rename(weights_folder / "dinov2-small.pth")
    with pytest.raises(BackboneError, match="is not 'dinov2-small'"):
        load_backbone("dinov2-small")


def test_missing_and_surplus_weights_are_named(dinov2_state, save):
    without = {key: value for key, value in dinov2_state().items() if key != "blocks.1.attn.proj.bias"}
    with pytest.raises(BackboneError, match=r"'blocks\.1\.attn\.proj\.bias' is missing"):
        load_backbone(save(without))
    with pytest.raises(BackboneError, match=r"'blocks\.0\.adapter\.weight' has no place"):
        load_backbone(save(dinov2_state() | {"blocks.0.adapter.weight": torch.ones(2)}))


def test_files_that_are_no_transformer(save):
    with pytest.raises(BackboneError, match=r"no vision transformer in it .*'conv1.weight'"):
        load_backbone(save({"conv1.weight": torch.ones(3)}))
    with pytest.raises(BackboneError, match="holds a Tensor instead of named weights"):
        load_backbone(save(torch.ones(3)))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_truncated_and_foreign_files(suffix, dinov2_state, tmp_path):
    whole = tmp_path / f"whole{suffix}"
    if suffix == ".pth":
        torch.save(dinov2_state(), whole)
    else:
        save_file(dinov2_state(), whole)
    content = whole.read_bytes()
    for damage in (content[: len(content) // 2], b"<html>404: not found</html>", b""):
        whole.write_bytes(damage)
        with pytest.raises(BackboneError, match="damaged or incomplete"):
            load_backbone(whole)


class _RunsCode:
    def __reduce__(self):
        return math.sqrt, (4.0,)


def test_pickles_that_could_run_code_are_refused(dinov2_state, save):
    with pytest.raises(BackboneError, match=r"more than tensors \(math\.sqrt\)"):
        load_backbone(save({"state_dict": dinov2_state(), "callback": _RunsCode()}))


@pytest.fixture
def exported(weights_folder):
    """A file of ours, and what changes the header's spec."""
    vit = random_vit("vit_tiny_patch16_224", depth=2, img_size=64, embed_dim=64, num_heads=2, device="cpu")
    file = weights_folder / "ours.safetensors"
    export_checkpoint(file, vit.transformer.vit.state_dict(), vit.spec, {"summary": "ours"})
    return file


def rewrite(file, change=lambda spec: None, write=lambda header: {"patchfield": json.dumps(header)}):
    with safe_open(file, framework="pt") as opened:
        header = json.loads(opened.metadata()["patchfield"])
    change(header["spec"])
    save_file(load_file(file), file, metadata=write(header))


def test_files_written_before_there_were_kinds_load(exported):
    before = load_backbone(exported, device="cpu")
    rewrite(
        exported, write=lambda header: {"patchfield": json.dumps({key: header[key] for key in ("spec", "details")})}
    )
    after = load_backbone(exported, device="cpu")
    assert (after.fingerprint, after.spec) == (before.fingerprint, before.spec)
    assert "ours" in {weight.summary for weight in models()}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("depth", 10_000_000),
        ("depth", -3),
        ("depth", "x"),
        ("depth", 2.5),
        ("depth", True),
        ("heads", 0),
        ("heads", 7),
        ("heads", -2),
        ("patch", 0),
        ("patch", "x"),
        ("channels", 10**12),
        ("grid", 10**6),
        ("mlp_width", 10**12),
        ("registers", -1),
        ("registers", 10**9),
        ("positions", "rope"),
        ("positions", None),
        ("mean", [0.5]),
        ("std", [0, 0, 0]),
        ("std", [float("nan")] * 3),
        ("swiglu", "yes"),
        ("class_token", 1),
    ],
)
def test_hostile_headers_are_refused_before_anything_is_built(exported, key, value):
    rewrite(exported, lambda spec: spec.update({key: value}))
    with pytest.raises(BackboneError, match=r"ours\.safetensors' cannot be loaded: "):
        load_backbone(exported)


@pytest.mark.parametrize(
    "text", ["", "[" * 100_000, "[]", "null", '{"kind": "gan", "spec": {}, "details": {}}', '{"spec": 1, "details": 2}']
)
def test_headers_that_are_not_understood_are_refused(exported, text):
    rewrite(exported, write=lambda header: {"patchfield": text})
    if text:
        with pytest.raises(BackboneError, match="another version of Patchfield"):
            load_backbone(exported)
        assert "ours" not in {weight.name for weight in models()}
    else:
        assert load_backbone(exported).spec.heads == 1  # a file without header is read by its shapes


def test_blocks_that_are_numbered_with_gaps_are_refused(dinov2_state, save):
    state = dinov2_state()
    moved = {key.replace("blocks.1.", "blocks.10000000."): value for key, value in state.items()}
    with pytest.raises(BackboneError, match="block 1 of them is missing"):
        load_backbone(save(moved))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_that_are_no_numbers_are_refused(value, suffix, dinov2_state, tmp_path):
    state = dinov2_state()
    state["blocks.1.mlp.fc1.weight"][3, 5] = value
    file = tmp_path / f"broken{suffix}"
    torch.save(state, file) if suffix == ".pth" else save_file(state, file)
    with pytest.raises(BackboneError, match=r"broken\..*'blocks\.1\.mlp\.fc1\.weight' holds (NaN|values that)"):
        load_backbone(file)


def test_weights_with_nan_are_not_exported(tmp_path):
    vit = random_vit("vit_tiny_patch16_224", depth=1, img_size=64, device="cpu")
    state = vit.transformer.vit.state_dict() | {"norm.bias": torch.full((192,), math.nan)}
    with pytest.raises(BackboneError, match=r"'norm\.bias' holds NaN"):
        export_checkpoint(tmp_path / "nan.safetensors", state, vit.spec)
    assert list(tmp_path.iterdir()) == [tmp_path / "weights"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda tensor: tensor.to(torch.complex64), "complex64 numbers"),
        (lambda tensor: tensor.to_sparse(), "sparse"),
        (lambda tensor: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8), "quantised"),
        (lambda tensor: tensor.to(torch.int8), "int8 numbers"),
        (lambda tensor: tensor.to("meta"), "without its values"),
        (lambda tensor: torch.ones(1).expand(192, 10**9), "larger than what the file holds"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_weights_of_other_makings_are_named(make, words, dinov2_state, save):
    state = dinov2_state()
    state["blocks.0.attn.qkv.weight"] = make(state["blocks.0.attn.qkv.weight"])
    with pytest.raises(BackboneError, match=rf"'blocks\.0\.attn\.qkv\.weight' .*{words}.*plain float32"):
        load_backbone(save(state))


def test_numpy_s_scalars_may_lie_beside_the_weights(dinov2_state, save):
    scalars = {code: np.dtype(code).type(1) for code in "?bhilqBHILQefdFD"}
    file = save({"state_dict": dinov2_state(), "losses": scalars, "epoch": np.int64(3), "dtype": np.dtype("f4")})
    assert torch.equal(tokens(file), tokens(save(dinov2_state(), "alone.pth")))


@pytest.mark.parametrize(
    "content", [b"root:x:0:0:root:/root:/bin/bash\n", b"(lp0\n.", b"\x80\x02.", b"PK\x03\x04", b"\x80"]
)
def test_other_files_are_no_checkpoints(content, tmp_path):
    file = tmp_path / "passwd"
    file.write_bytes(content)
    with pytest.raises(BackboneError, match=r"passwd' (is damaged or incomplete|holds)"):
        load_backbone(file)


def test_the_format_is_told_by_the_content(dinov2_state, tmp_path):
    save_file(dinov2_state(), tmp_path / "model.bin")
    torch.save(dinov2_state(), tmp_path / "model.safetensors")
    assert torch.equal(tokens(tmp_path / "model.bin"), tokens(tmp_path / "model.safetensors"))


def test_a_small_network_is_no_checkpoint_of_a_transformer(weights_folder):
    shutil.copy(SHIPPED, weights_folder / "dinov2-small.safetensors")
    with pytest.raises(BackboneError, match="no vision transformer"):
        read_checkpoint(SHIPPED)
    with pytest.raises(BackboneError, match="which 'dinov2-small' is not"):
        load_backbone("dinov2-small")


@pytest.mark.parametrize("key", ["pos_embed", "cls_token", "reg_token", "blocks.0.mlp.fc1.weight", "norm.bias"])
@pytest.mark.parametrize("change", [lambda value: value.flatten()[:3], lambda value: torch.cat([value, value])])
def test_weights_of_other_shapes_are_refused(key, change, save):
    vit = random_vit("vit_small_patch14_reg4_dinov2", depth=1, img_size=28, embed_dim=64, num_heads=1, device="cpu")
    state = dict(vit.transformer.vit.state_dict())
    state[key] = change(state[key])
    with pytest.raises(BackboneError, match=r"checkpoint\.pth' cannot be loaded"):
        load_backbone(save(state))


def test_nestings_without_end_are_left_alone(dinov2_state, save):
    endless = {}
    endless["again"] = endless
    assert read_checkpoint(save({"state_dict": dinov2_state(), "log": endless})).spec.depth == 2
