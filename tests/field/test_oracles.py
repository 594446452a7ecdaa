"""Our feature maps against HR-Dv2's own, on the published architecture with deterministic weights."""

import numpy as np
import pytest
import torch

from patchfield.backbones import load_backbone
from patchfield.field import Sampling
from patchfield.pipeline import extract

SAMPLINGS = {
    "plain": Sampling.identity(),
    "shift_moore_1_2": Sampling.shifts([1, 2], "moore"),
    "shift_neumann_3_bilinear": Sampling.shifts([3], "neumann"),
    "flip": Sampling.flips(),
    "rotation": Sampling.rotations(),
}


@pytest.fixture(scope="module")
def vit(recipe, tmp_path_factory):
    """ViT-S/14 with the oracle's weights, through a checkpoint file as a user would load it."""
    state = {key: torch.from_numpy(value) for key, value in recipe.weights("dinov2_vits14", 20240819).items()}
    path = tmp_path_factory.mktemp("weights") / "dinov2_vits14.pth"
    torch.save(state, path)
    return load_backbone(path, device="cpu", precision="fp32")


@pytest.mark.parametrize("case", SAMPLINGS)
def test_fields_equal_the_published_feature_maps(oracles, recipe, vit, case):
    cases, expected = oracles("hr_dv2")
    settings = cases[case]
    image = recipe.image(settings["image"], settings["h"], settings["w"])
    interpolation = settings["interp"].removesuffix("-exact")
    field = extract(image, vit, SAMPLINGS[case], interpolation)
    found = field.sample(*expected[f"{case}_yx"].T)
    # 1e-3 is the oracle's own tolerance; half precision adds half a unit in the last place where values pass 2.
    np.testing.assert_allclose(found, expected[case], atol=1e-3, rtol=2**-11)
