"""Vision transformers as backbones: grids, blocks, attention, precision, identity."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from patchfield.backbones import AttentionMaps, export_checkpoint, load_backbone, random_vit
from patchfield.backbones.attention import replace_attention
from patchfield.backbones.positions import resample_positions
from patchfield.errors import BackboneError
from patchfield.testing import BackboneTests

CROP = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def tiny(architecture: str = "vit_tiny_patch16_224", **settings):
    return random_vit(architecture, **{"depth": 3, "img_size": 64, "device": "cpu"} | settings)


@pytest.fixture(scope="module")
def vit():
    return tiny()


@given(st.integers(16, 80), st.integers(16, 80), st.integers(1, 16))
@settings(max_examples=20, deadline=None)
def test_grid_is_what_its_level_promises(height, width, stride):
    vit = tiny(depth=1, stride=stride)
    (level,) = vit.levels
    assert (level.pitch, level.patch) == (stride, 16)
    (tokens,) = vit.encode(torch.zeros(1, 3, height, width))
    assert tokens.shape == (1, level.channels, level.tokens(height), level.tokens(width))
    assert vit.tile == level.pixels(level.tokens(vit.tile))


def test_a_finer_stride_sees_the_same_patches():
    """Without encodings and neighbours, every second token of stride 8 is a token of stride 16."""
    coarse, fine = tiny(depth=1), tiny(depth=1, stride=8)
    for vit in (coarse, fine):
        vit.transformer.vit.pos_embed.zero_()
        vit.transformer.vit.blocks[0].attn.proj.weight.zero_()
    torch.testing.assert_close(fine.encode(CROP)[0][:, :, ::2, ::2], coarse.encode(CROP)[0])


@pytest.mark.parametrize("stride", [0, 17])
def test_strides_beyond_the_patch_are_refused(stride):
    with pytest.raises(BackboneError, match="give 1 to 16"):
        tiny(stride=stride)


@pytest.mark.parametrize("pixels", [98, 546, 602, 1092, 1204, 1610, 1722])
def test_scaled_encodings_never_miss_a_token(pixels):
    """Sizes whose scale factor rounds down to a grid one token short."""
    grid = (pixels // 14, 37)
    assert resample_positions(torch.rand(1, 37 * 37, 2), grid, "scaled").shape[1] == grid[0] * grid[1]


def test_encodings_rules_differ_and_leave_the_trained_grid_alone():
    encodings = torch.rand(1, 37 * 37, 8)
    assert resample_positions(encodings, (37, 37), "scaled") is encodings
    scaled, exact = (resample_positions(encodings, (16, 16), rule) for rule in ("scaled", "exact"))
    assert (scaled - exact).abs().mean() > 0.05


def test_blocks_are_concatenated_in_increasing_order(vit):
    both = tiny(blocks=(-1, 0))
    assert both.blocks == (0, 2)
    assert both.options == {"blocks": [0, 2]}
    first, last = tiny(blocks=0).encode(CROP)[0], vit.encode(CROP)[0]
    assert torch.equal(both.encode(CROP)[0], torch.cat([first, last], dim=1))


@pytest.mark.parametrize("blocks", [3, -4, ()])
def test_blocks_that_do_not_exist_are_refused(blocks):
    with pytest.raises(BackboneError, match="from 0 to 2, or from -3 to -1"):
        tiny(blocks=blocks)


def test_attention_is_the_softmax_row_of_the_class_token():
    vit = tiny("vit_small_patch14_reg4_dinov2", img_size=70)
    crop = CROP[..., :70]
    maps = vit.attention(crop)
    seen = []
    last = vit.transformer.vit.blocks[-1].attn
    last.fused_attn = False
    last.attn_drop.register_forward_hook(lambda module, inputs, output: seen.append(output))
    vit.encode(crop)
    row = seen[0][:, :, 0]
    torch.testing.assert_close(maps.flatten(2), row[..., 5:])
    assert maps.shape == (2, 6, 4, 5)
    assert (maps.sum((2, 3)) < 1).all()


def test_attention_maps_are_a_backbone(vit):
    maps = AttentionMaps(vit)
    (encoded,) = maps.encode(CROP)
    (level,) = maps.levels
    assert encoded.shape == (2, level.channels, level.tokens(64), level.tokens(96)) == (2, 3, 4, 6)
    torch.testing.assert_close(encoded, vit.attention(CROP) * 25)
    assert maps.fingerprint != vit.fingerprint


def test_bfloat16_stays_close_to_float32(vit):
    exact, rounded = vit.encode(CROP)[0], tiny(precision="bf16").encode(CROP)[0]
    assert rounded.dtype == torch.float32
    error = ((rounded - exact).norm() / exact.norm()).item()
    assert 1e-5 < error < 0.02


def test_another_attention_kernel_changes_nothing(vit):
    def kernel(queries, keys, values, scale):
        heads_first = (part.transpose(1, 2) for part in (queries, keys, values))
        return scaled_dot_product_attention(*heads_first, scale=scale).transpose(1, 2)

    other = tiny()
    replace_attention(other.transformer.vit, kernel)
    torch.testing.assert_close(other.encode(CROP)[0], vit.encode(CROP)[0])
    torch.testing.assert_close(other.attention(CROP), vit.attention(CROP))
    assert other.transformer.vit.state_dict().keys() == vit.transformer.vit.state_dict().keys()


def test_fingerprint_tells_features_apart_not_machines(vit):
    same = [tiny(), tiny(precision="bf16"), tiny(blocks=2), tiny(stride=16)]
    other = [tiny(seed=1), tiny(stride=8), tiny(blocks=1), tiny(img_size=80)]
    assert {backbone.fingerprint for backbone in same} == {vit.fingerprint}
    assert len({backbone.fingerprint for backbone in [vit, *other]}) == 5


@pytest.mark.parametrize("options", [{}, {"stride": 8, "blocks": (0, 1)}, {"attention": True, "stride": 4}])
def test_name_and_options_make_it_again(options, vit, tmp_path):
    export_checkpoint(tmp_path / "a.safetensors", vit.transformer.vit.state_dict(), vit.spec)
    first = load_backbone(tmp_path / "a.safetensors", **options)
    again = load_backbone(first.name, **first.options)
    assert (again.fingerprint, again.levels, again.options) == (first.fingerprint, first.levels, first.options)


def test_small_models_get_crops_of_twice_their_side():
    assert tiny().tile == 128
    assert tiny("vit_small_patch14_dinov2", img_size=518, depth=1).tile == 518
    assert tiny("vit_small_patch14_dinov2", img_size=518, depth=1, stride=5).tile == 514


class TestViT(BackboneTests):
    @pytest.fixture
    def backbone(self):
        return tiny()

    @pytest.fixture
    def again(self):
        return tiny()

    @pytest.fixture
    def others(self):
        return [tiny(seed=1), tiny(stride=8), tiny(blocks=(0, 1))]


class TestViTWithFinerStride(TestViT):
    @pytest.fixture
    def backbone(self):
        return tiny("vit_small_patch14_reg4_dinov2", img_size=70, depth=2, stride=7, blocks=(0, 1))

    @pytest.fixture
    def again(self):
        return tiny("vit_small_patch14_reg4_dinov2", img_size=70, depth=2, stride=7, blocks=(0, 1))


class TestAttentionMaps(TestViT):
    @pytest.fixture
    def backbone(self):
        return AttentionMaps(tiny())

    @pytest.fixture
    def again(self):
        return AttentionMaps(tiny())

    @pytest.fixture
    def others(self):
        return [AttentionMaps(tiny(seed=1)), tiny()]
