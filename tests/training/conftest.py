"""A transformer small enough to train in seconds, and two-phase micrographs to train it on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from patchfield.backbones import export_checkpoint, random_vit
from training.neco.settings import NeCoSettings, settings_for

SIDE = 128


@pytest.fixture(autouse=True)
def _one_thread():
    """Sums must not depend on how many cores are free."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def weights(tmp_path_factory) -> Iterator[Path]:
    """A folder of weights of the test's own, whatever the test itself patches and undoes."""
    folder = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATCHFIELD_WEIGHTS", str(folder))
        yield folder


@pytest.fixture(scope="session")
def tiny_vit(tmp_path_factory) -> Path:
    """A checkpoint file: 2 blocks of 64 channels, patch 8, no registers."""
    return _exported(tmp_path_factory, "vit_tiny_patch16_224")


@pytest.fixture(scope="session")
def tiny_vit_with_registers(tmp_path_factory) -> Path:
    return _exported(tmp_path_factory, "vit_small_patch14_reg4_dinov2")


def _exported(tmp_path_factory, architecture: str) -> Path:
    vit = random_vit(architecture, depth=2, embed_dim=64, num_heads=2, patch_size=8, img_size=64, device="cpu")
    path = tmp_path_factory.mktemp("vit") / f"{architecture}.safetensors"
    export_checkpoint(path, vit.transformer.vit.state_dict(), vit.spec)
    return path


def two_phases(seed: int, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """A micrograph (side, side) uint8 of a darker and a brighter phase under grain, and its mask (1 and 2)."""
    generator = np.random.default_rng(seed)
    mask = gaussian_filter(generator.standard_normal((side, side)), 10) > 0
    grain = gaussian_filter(generator.standard_normal((side, side)), 1)
    values = np.where(mask, 0.6, -0.6) + 2.1 * grain
    return (128 + 45 * values).clip(0, 255).astype(np.uint8), mask.astype(np.uint8) + 1


@pytest.fixture(scope="session")
def phases() -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
    """Makes a micrograph and its mask from a seed."""
    return two_phases


@pytest.fixture(scope="session")
def micrographs(tmp_path_factory) -> Path:
    """A folder of eight micrographs with masks beside them."""
    folder = tmp_path_factory.mktemp("micrographs")
    for number in range(8):
        image, mask = two_phases(number)
        Image.fromarray(image).save(folder / f"image_{number}.png")
        Image.fromarray(mask).save(folder / f"mask_{number}.png")
    return folder


@pytest.fixture
def settings(micrographs, tiny_vit, tmp_path) -> NeCoSettings:
    """A run of six steps that checkpoints every second one."""
    return settings_for(
        images=micrographs,
        init=str(tiny_vit),
        output=tmp_path / "run",
        steps=6,
        batch=4,
        workers=0,
        device="cpu",
        log_every=1,
        monitor_every=6,
        checkpoint_every=2,
        **{
            "crops.global_size": 64,
            "crops.local_size": 32,
            "head.hidden": 32,
            "head.channels": 16,
            "loss.queue": 256,
            "loss.references": 16,
            "optimiser.learning_rate": 1e-3,
            "optimiser.trainable_blocks": None,
        },
    )
