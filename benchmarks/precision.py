"""Time and error of a transformer's tokens in float32, bfloat16 and float16, on the device at hand.

    python benchmarks/precision.py [ARCHITECTURE] [--device DEVICE] [--batch N]

Random weights serve: time does not depend on their values. The error is relative to float32 tokens of the same
weights. It is what decides which precision ``precision="auto"`` means for a kind of device.
"""

import argparse
import time

import torch

from patchfield.backbones import ViT, random_vit
from patchfield.backbones.devices import choose_device

REPEATS = 5


def main() -> None:
    """Print one line per precision."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architecture", nargs="?", default="vit_small_patch14_dinov2")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, default=1)
    arguments = parser.parse_args()
    device = choose_device(arguments.device)
    backbones = {
        name: random_vit(arguments.architecture, device=device, precision=name) for name in ("fp32", "bf16", "fp16")
    }
    batch = torch.rand(arguments.batch, 3, *2 * [backbones["fp32"].tile], generator=torch.Generator().manual_seed(0))
    seconds = fastest(backbones, batch)
    exact = backbones["fp32"].encode(batch)[0]
    print(f"{arguments.architecture}, {arguments.batch} crop(s) of {batch.shape[2]} px on {device}")
    print(f"{'precision':10}{'ms per crop':>12}{'speed-up':>10}{'error':>9}")
    for name, backbone in backbones.items():
        error = (backbone.encode(batch)[0] - exact).norm() / exact.norm()
        per_crop = 1000 * seconds[name] / len(batch)
        print(f"{name:10}{per_crop:12.1f}{seconds['fp32'] / seconds[name]:9.2f}x{error.item():9.2%}")


def fastest(backbones: dict[str, ViT], batch: torch.Tensor) -> dict[str, float]:
    """Seconds of the fastest of some runs, taken in turns so that a busy machine disturbs all alike."""
    seconds = dict.fromkeys(backbones, float("inf"))
    for _ in range(REPEATS):
        for name, backbone in backbones.items():
            start = time.perf_counter()
            backbone.encode(batch)[0].cpu()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return seconds


if __name__ == "__main__":
    main()
