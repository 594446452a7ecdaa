"""Models of timm: the same features as timm's own, on grids that are where they say, from files that fit."""

from functools import cache
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from patchfield import load_backbone
from patchfield.backbones import availability, find_weight, loading, models, random_timm, shortlist
from patchfield.backbones.published import PUBLISHED, SHORTLIST
from patchfield.backbones.timm_backbone import TimmBackbone
from patchfield.backbones.timm_names import TimmName
from patchfield.backbones.timm_networks import build_network
from patchfield.errors import BackboneError
from patchfield.testing import BackboneTests

SHALLOW = {"depth": 2, "img_size": 64}
TRANSFORMERS: dict[str, dict[str, Any]] = {
    "vit_tiny_patch16_224": SHALLOW,
    "deit_tiny_patch16_224": SHALLOW,
    "vit_base_patch16_224.mae": SHALLOW,
    "vit_base_patch16_clip_224.openai": SHALLOW,
    "vit_small_patch14_reg4_dinov2": {"depth": 2, "img_size": 56},
    "eva02_tiny_patch14_224": {"depth": 2, "img_size": 56},
    "vit_pe_spatial_tiny_patch16_512": SHALLOW,
    "vit_small_patch16_dinov3": SHALLOW,
    "vit_base_patch14_reg1_tipsv2": {"depth": 2, "img_size": 56},
    "samvit_base_patch16": SHALLOW | {"embed_dim": 96, "num_heads": 3, "window_size": 2, "global_attn_indexes": (1,)},
}
"""One of each family, with fewer blocks."""

PLACED = (
    "vit_tiny_patch16_224",
    "vit_pe_spatial_tiny_patch16_512",
    "vit_small_patch16_dinov3",
    "samvit_base_patch16",
)
"""Those that differ in how positions are told."""

FIXED = {"beit_base_patch16_224": SHALLOW}
"""Takes one size of images only."""

PYRAMIDS = ("resnet10t", "convnext_atto", "mobilenetv3_small_050", "efficientnet_b0", "densenet121")


def of_installed(*names: str) -> list[Any]:
    """Older versions of timm lack the newest families."""
    missing = [not timm.is_model(name.partition(".")[0]) for name in names]
    return [
        pytest.param(name, marks=pytest.mark.skipif(absent, reason="this timm does not have it"))
        for name, absent in zip(names, missing, strict=True)
    ]


@cache
def made(name: str) -> TimmBackbone:
    """A backbone that many tests look at."""
    return random_timm(name, device="cpu", **(TRANSFORMERS | FIXED).get(name, {}))


def reference(name: str, **settings: Any) -> nn.Module:
    """timm's own model with random weights in which every block counts."""
    torch.manual_seed(0)
    model: nn.Module = timm.create_model(name, **settings).eval().requires_grad_(False)
    for key, value in model.state_dict().items():
        if key.endswith(("gamma", "gamma_1", "gamma_2", "pos_embed")) or "rel_pos" in key:
            value.normal_(0.5, 0.2)
    return model


def crop(height: int, width: int) -> torch.Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def standardised(model: Any, images: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(model.pretrained_cfg[key])[:, None, None] for key in ("mean", "std"))
    return (images - mean) / std


def encoded(name: str, content: dict[str, torch.Tensor], images: torch.Tensor, **changes: Any) -> list[torch.Tensor]:
    network = build_network(name.partition(".")[0], content, changes=changes, tagged=name)
    return TimmBackbone(network, name, name, device="cpu").encode(images)


@pytest.mark.parametrize("name", of_installed(*TRANSFORMERS, *FIXED))
def test_a_transformer_s_tokens_are_timm_s_without_its_prefix(name):
    changes = (TRANSFORMERS | FIXED)[name]
    model: Any = reference(name, num_classes=0, **changes)
    images = crop(changes["img_size"], changes["img_size"])
    expected = model.forward_features(standardised(model, images))
    (found,) = encoded(name, model.state_dict(), images, **changes)
    if expected.ndim == 3:
        expected = expected[:, model.num_prefix_tokens :].transpose(1, 2).unflatten(2, found.shape[2:])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", of_installed(*TRANSFORMERS))
def test_positions_follow_other_sizes_as_in_timm(name):
    changes = TRANSFORMERS[name]
    dynamic = {} if name.startswith("samvit") else {"dynamic_img_size": True}
    model: Any = reference(name, num_classes=0, **changes, **dynamic)
    patch = model.patch_embed.patch_size[0]
    images = crop(3 * patch, 5 * patch)
    (expected,) = model.forward_intermediates(
        standardised(model, images), indices=[1], norm=True, intermediates_only=True
    )
    torch.testing.assert_close(encoded(name, model.state_dict(), images, **changes)[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", PYRAMIDS)
def test_a_pyramid_s_tokens_are_those_of_features_only(name):
    whole = reference(name)
    model: Any = timm.create_model(
        name, features_only=True, pretrained=True, pretrained_cfg_overlay={"state_dict": whole.state_dict()}
    ).eval()
    images = crop(93, 61)
    with torch.no_grad():
        expected = model(standardised(model, images))
    found = encoded(name, whole.state_dict(), images)  # with its classifier, as released files have it
    levels = [index for index, pitch in enumerate(model.feature_info.reduction()) if pitch >= 4]
    assert len(found) == len(levels) == 4
    for tokens, index in zip(found, levels, strict=True):
        torch.testing.assert_close(tokens, expected[index], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["resnet18", "convnext_atto", "mobilenetv3_small_050", "tf_efficientnet_b0"])
def test_tokens_of_a_pyramid_are_centred_where_their_level_says(name):
    """With symmetric kernels a mirrored crop of whole tokens has mirrored tokens, only if all lie symmetrically."""
    backbone = random_timm(name, device="cpu")
    for parameter in backbone.network.parameters():
        if parameter.ndim == 4:
            parameter.add_(parameter.flip(3).clone())
    coarsest = backbone.levels[-1]
    images = crop(coarsest.pixels(2), coarsest.pixels(3))
    for tokens, mirrored in zip(backbone.encode(images), backbone.encode(images.flip(3)), strict=True):
        torch.testing.assert_close(mirrored.flip(3), tokens, rtol=1e-3, atol=1e-3 * float(tokens.abs().max()))


def test_patches_of_pyramids_are_measured():
    patches = {
        "resnet10t": [1, 1, 1, 1],  # padded convolutions
        "convnext_atto": [4, 8, 16, 32],  # patches cut out
        "densenet121": [1, 5, 13, 29],  # both
    }
    for name, expected in patches.items():
        backbone = random_timm(name, device="cpu")
        assert [level.patch for level in backbone.levels] == expected
        assert [level.pitch for level in backbone.levels] == [4, 8, 16, 32]
    assert random_timm("resnet10t", device="cpu", blocks=0).levels[0].pitch == 2


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "mixer_s32_224", "vit_base_r50_s16_224"])
def test_what_makes_no_grids_for_images_of_any_size_is_refused(name):
    with pytest.raises(BackboneError, match="makes no grids of tokens for images of any size"):
        random_timm(name, device="cpu")


@pytest.mark.parametrize(
    ("name", "what"), [("resnet10t", "levels are numbered 0 to 4"), ("vit_tiny_patch16_224", "blocks")]
)
def test_blocks_that_do_not_exist_are_refused(name, what):
    with pytest.raises(BackboneError, match=rf"blocks=99 is not possible: its {what}"):
        random_timm(name, blocks=99, device="cpu")


def test_crops_larger_than_the_only_size_of_a_network_are_cut_into_windows():
    backbone = made("beit_base_patch16_224")
    images = crop(64, 96)
    (tokens,) = backbone.encode(images)
    assert tokens.shape[2:] == (4, 6)
    torch.testing.assert_close(tokens[..., :4], backbone.encode(images[..., :64])[0])


class TestFiles:
    @pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "resnet10t"])
    def test_a_file_is_loaded_by_the_name_of_its_architecture(self, name, tmp_path, weights_folder):
        model = reference(name)
        torch.save(
            {"state_dict": {f"module.{key}": value for key, value in model.state_dict().items()}}, tmp_path / "a.tar"
        )
        first = load_backbone(f"timm:{name}={tmp_path / 'a.tar'}", device="cpu")
        assert first.name == f"timm:{name}={tmp_path / 'a.tar'}"
        assert load_backbone(first.name, device="cpu", **first.options).fingerprint == first.fingerprint
        tagged = TimmName(name).weight()
        save_file(model.state_dict(), weights_folder / f"{tagged.architecture}.safetensors")
        assert availability(tagged) == "downloaded"
        second = load_backbone(f"timm:{name}", device="cpu", blocks=(0, 1))
        assert (second.name, second.options) == (f"timm:{tagged.architecture}", {"blocks": [0, 1]})
        assert load_backbone(second.name, device="cpu").fingerprint != second.fingerprint

    def test_a_file_that_has_moved_is_found_in_the_folder_of_weights(self, weights_folder):
        save_file(reference("resnet10t").state_dict(), weights_folder / "ours.safetensors")
        found = load_backbone("timm:resnet10t=/gone/ours.safetensors", device="cpu")
        assert found.name == f"timm:resnet10t={weights_folder / 'ours.safetensors'}"
        with pytest.raises(BackboneError, match=r"There is no checkpoint file '/gone/other\.pth'"):
            load_backbone("timm:resnet10t=/gone/other.pth")

    def test_files_that_do_not_fit_are_refused_in_one_sentence(self, tmp_path):
        state = reference("resnet10t").state_dict()
        broken = {
            "is missing": {key: value for key, value in state.items() if key != "layer1.0.conv1.weight"},
            "has no place": state | {"layer9.0.conv1.weight": torch.ones(1)},
            "has shape": state | {"layer1.0.conv1.weight": torch.ones(2, 2, 3, 3)},
            "holds NaN": state | {"layer1.0.conv1.weight": torch.full_like(state["layer1.0.conv1.weight"], torch.nan)},
        }
        for number, (words, content) in enumerate(broken.items()):
            save_file(content, tmp_path / f"{number}.safetensors")
            with pytest.raises(BackboneError, match=rf"{number}\.safetensors' cannot be loaded: .*{words}"):
                load_backbone(f"timm:resnet10t={tmp_path / f'{number}.safetensors'}")

    @pytest.mark.parametrize("option", [{"stride": 8}, {"attention": True}, {"weights": "student"}])
    def test_options_that_do_not_apply_are_refused(self, option, tmp_path):
        save_file(reference("resnet10t").state_dict(), tmp_path / "a.safetensors")
        with pytest.raises(BackboneError, match="takes no stride, weights or attention"):
            load_backbone(f"timm:resnet10t={tmp_path / 'a.safetensors'}", **option)


class TestNames:
    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            ("timm:resnet10", "has no model 'resnet10': did you mean resnet10t"),
            ("timm:", "has no model ''"),
            ("timm:resnet10t.mine", "has no weights 'resnet10t.mine': there are resnet10t.c3_in1k"),
            (
                "timm:resnet10t=",
                "is not on this machine and HF_HUB_OFFLINE is set: download https://huggingface.co/timm/",
            ),
        ],
    )
    def test_what_cannot_be_had_is_said(self, name, sentence, monkeypatch):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(BackboneError, match=sentence):
            load_backbone(name)

    def test_a_model_of_the_catalogue_goes_by_its_name_there(self):
        assert TimmName("vit_pe_spatial_tiny_patch16_512").weight() is find_weight("pe-spatial-tiny")
        assert TimmName("vit_small_patch14_dinov2").weight().name == "timm:vit_small_patch14_dinov2.lvd142m"

    @pytest.mark.parametrize("name", ["dinov3-small", "timm:vit_base_patch16_224.mae"])
    def test_what_a_licence_forbids_is_said_before_the_first_download(self, name, monkeypatch, weights_folder):
        order = []
        monkeypatch.setattr(loading, "fetch", lambda *arguments: order.append("fetched") or 1 / 0)
        with pytest.warns(UserWarning, match="have the licence .* use") as caught, pytest.raises(ZeroDivisionError):
            load_backbone(name)
        assert len(caught) == len(order) == 1

    @pytest.mark.parametrize("name", of_installed(*[w.architecture for w in PUBLISHED if w.family == "timm"]))
    def test_the_catalogue_says_what_timm_says(self, name):
        (weight,) = [weight for weight in PUBLISHED if weight.architecture == name and weight.family == "timm"]
        configuration = timm.get_pretrained_cfg(name)
        assert configuration.hf_hub_id == weight.origin.repo
        assert configuration.license.lower() == weight.licence.lower()
        with torch.device("meta"):
            model = timm.create_model(name, num_classes=0)
        assert sum(parameter.numel() for parameter in model.parameters()) == weight.parameters
        assert 0 < weight.origin.size - 4 * weight.parameters < 150 * len(model.state_dict())
        stages = [stage["num_chs"] for stage in model.feature_info] if "convnext" in name else [model.num_features]
        assert weight.channels == sum(stages)

    def test_the_short_list_is_short_and_first(self):
        names = [weight.name for weight in shortlist()]
        assert names == ["micro", "filters", *[weight.name for weight in models() if weight.name in SHORTLIST]]
        assert len(names) == len(SHORTLIST) + 2


class TestTransformerOfTimm(BackboneTests):
    @pytest.fixture(params=of_installed(*PLACED, *FIXED))
    def name(self, request):
        return request.param

    @pytest.fixture
    def backbone(self, name):
        return made(name)

    @pytest.fixture
    def again(self, name):
        return random_timm(name, device="cpu", **(TRANSFORMERS | FIXED)[name])

    @pytest.fixture
    def others(self, name):
        changes = (TRANSFORMERS | FIXED)[name]
        return [random_timm(name, 1, device="cpu", **changes), random_timm(name, blocks=0, device="cpu", **changes)]


class TestPyramidOfTimm(BackboneTests):
    @pytest.fixture(params=PYRAMIDS[:-1])
    def name(self, request):
        return request.param

    @pytest.fixture
    def backbone(self, name):
        return made(name)

    @pytest.fixture
    def again(self, name):
        return random_timm(name, device="cpu")

    @pytest.fixture
    def others(self, name):
        return [random_timm(name, 1, device="cpu"), random_timm(name, blocks=(0, 1), device="cpu")]
