"""Tokens equal the published implementations', through a real checkpoint file and the public loader."""

import numpy as np
import pytest

from patchfield import load_backbone

EQUAL = {"rtol": 0, "atol": 1e-3}


@pytest.mark.parametrize("case", ["vits14_224x308", "vits14_reg_224x308", "vitb14_reg_140x182"])
def test_dinov2(case, oracles, reference_file, crop):
    cases, expected = oracles("dinov2")
    settings = cases[case]
    file = reference_file(settings["model"], settings["weight_seed"])
    vit = load_backbone(file, blocks=(-3, -1), device="cpu", precision="fp32")
    image = crop(settings["image"], settings["h"], settings["w"])
    chosen = expected[f"{case}_token_index"]

    third_last, last = vit.transformer.intermediate(image, vit.blocks)
    np.testing.assert_allclose(last.grid[0].flatten(1).T[chosen], expected[f"{case}_patch"], **EQUAL)
    np.testing.assert_allclose(last.prefix[0, 0], expected[f"{case}_cls"], **EQUAL)
    np.testing.assert_allclose(third_last.grid[0].flatten(1).T[chosen], expected[f"{case}_third_last_block"], **EQUAL)
    if "_reg_" in case:
        np.testing.assert_allclose(last.prefix[0, 1:], expected[f"{case}_reg"], **EQUAL)

    (encoded,) = vit.encode(image)
    both = np.concatenate([expected[f"{case}_third_last_block"], expected[f"{case}_patch"]], axis=1)
    np.testing.assert_allclose(encoded[0].flatten(1).T[chosen], both, **EQUAL)


def test_finer_stride(oracles, reference_file, crop):
    cases, expected = oracles("hr_dv2")
    settings = cases["strided_tokens_7"]
    file = reference_file(settings["model"], 20240819)
    vit = load_backbone(file, stride=settings["stride"], device="cpu", precision="fp32")
    (tokens,) = vit.encode(crop(settings["image"], settings["h"], settings["w"]))
    assert list(tokens.shape[2:]) == settings["grid"]
    chosen = expected["strided_tokens_7_token_index"]
    np.testing.assert_allclose(tokens[0].flatten(1).T[chosen], expected["strided_tokens_7"], **EQUAL)
