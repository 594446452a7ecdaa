"""Small transformers in the key names of different training codes, and reference weights as real files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

State = dict[str, torch.Tensor]


@pytest.fixture(autouse=True)
def weights_folder(tmp_path, monkeypatch) -> Path:
    """An empty folder of weights, so that no test sees what lies on this machine."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("PATCHFIELD_WEIGHTS", str(folder))
    return folder


@pytest.fixture(scope="session")
def reference_file(recipe, tmp_path_factory) -> Callable[[str, int], Path]:
    """The reference weights of a model as the ``.pth`` file that DINOv2 publishes, written once."""
    folder = tmp_path_factory.mktemp("reference")

    def write(model: str, seed: int) -> Path:
        path = folder / f"{model}_{seed}.pth"
        if not path.exists():
            torch.save({key: torch.from_numpy(value) for key, value in recipe.weights(model, seed).items()}, path)
        return path

    return write


@pytest.fixture
def crop(recipe) -> Callable[[str, int, int], torch.Tensor]:
    """A corner of a sample image as a batch of one crop, values 0 to 1."""

    def make(image: str, height: int, width: int) -> torch.Tensor:
        pixels = recipe.image(image, height, width).astype(np.float32) / 255
        return torch.from_numpy(pixels).permute(2, 0, 1)[None]

    return make


@pytest.fixture
def dinov2_state() -> Callable[..., State]:
    """Random weights of a tiny transformer (patch 4, trained on 12 px) under DINOv2's key names."""

    def make(registers: int = 0, depth: int = 2, channels: int = 64, seed: int = 0, gated: bool = False) -> State:
        generator = torch.Generator().manual_seed(seed)
        first, second = ("w12", "w3") if gated else ("fc1", "fc2")
        width = 2 * channels
        shapes: dict[str, tuple[int, ...]] = {
            "cls_token": (1, 1, channels),
            "mask_token": (1, channels),
            "pos_embed": (1, 10, channels),
            "patch_embed.proj.weight": (channels, 3, 4, 4),
            "patch_embed.proj.bias": (channels,),
            "norm.weight": (channels,),
            "norm.bias": (channels,),
        }
        if registers:
            shapes["register_tokens"] = (1, registers, channels)
        for block in range(depth):
            for part, rows, columns in (
                ("attn.qkv", 3 * channels, channels),
                ("attn.proj", channels, channels),
                (f"mlp.{first}", width, channels),
                (f"mlp.{second}", channels, width // 2 if gated else width),
            ):
                shapes[f"blocks.{block}.{part}.weight"] = (rows, columns)
                shapes[f"blocks.{block}.{part}.bias"] = (rows,)
            for part in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias", "ls1.gamma", "ls2.gamma"):
                shapes[f"blocks.{block}.{part}"] = (channels,)
        return {key: torch.randn(shape, generator=generator) * 0.3 for key, shape in shapes.items()}

    return make


@pytest.fixture
def save(tmp_path) -> Callable[..., Path]:
    """Write anything as a checkpoint file."""

    def write(content: object, name: str = "checkpoint.pth") -> Path:
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return write
