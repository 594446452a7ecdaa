"""What post-training does to a backbone, with its controls: the whole experiment, from pixels to a table.

    python benchmarks/post_training.py --images DIR [DIR ...] --labels DIR --output DIR [--steps 150] [--seeds 2]

Without pretrained weights at hand: a small vision transformer (6 blocks of 192 channels, patch 8) is first taught to
predict the filter bank's channels on the images, then post-trained on them by `python -m training.neco` once for every
seed, and twice as a control: with a learning rate of 0, which must reproduce it, and with shuffled targets, which must
not gain. The labelled test images are never trained on. The comparison (linear probe, overclustering, retrieval,
position; paired bootstrap over images) is written to OUTPUT/report. Finished stages are not repeated: run the same
command again to go on after an interruption.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import torch
from rich.progress import track
from torch import nn
from torch.nn import functional

from patchfield.backbones import export_checkpoint, random_vit
from patchfield.backbones.filters import FilterBank
from patchfield.evaluate.micrographs import EvaluationSettings, labelled_sets
from patchfield.evaluate.report import compare
from training.data.collection import Collection, image_files, open_collection
from training.data.crops import CropSettings
from training.data.sampler import StepSampler, load_batches
from training.data.windows import CropDataset, SampleSettings, TileSettings
from training.engine.schedules import cosine

SIDE, PATCH, BATCH = 112, 8, 16
INITIAL = "initial.safetensors"
LEARNING_RATE = 1e-3


def main() -> None:
    """Run what is not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, nargs="+", required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--initial-steps", type=int, default=1500, help="of learning the filter bank")
    parser.add_argument("--steps", type=int, default=150, help="of post-training")
    parser.add_argument("--batch", type=int, default=8, help="images per step of post-training")
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    initial = arguments.output / INITIAL
    if not initial.exists():
        learn_filters(_collection(arguments), arguments.initial_steps, initial)
    rate = ["--optimiser.learning_rate", str(arguments.learning_rate)]
    still = ["--optimiser.learning_rate", "0", "--optimiser.head_learning_rate", "0", "--steps", "20"]
    runs = {f"seed {seed}": [*rate, "--seed", str(seed)] for seed in range(arguments.seeds)}
    runs["learning rate 0"] = [*still, "--seed", "0"]
    runs["shuffled targets"] = [*rate, "--seed", "0", "--loss.shuffled_targets", "true"]
    trained = {name: post_train(name, flags, initial, arguments) for name, flags in runs.items()}
    report = compare(
        {"before": initial, **trained},
        labelled_sets(arguments.labels),
        EvaluationSettings("fast", pixels=(10, 100), cluster_factors=(1, 4), seeds=3),
        output=arguments.output / "report",
        log=trained["seed 0"].parent / "metrics.jsonl",
    )
    print(report.table())


def learn_filters(collection: Collection, steps: int, path: Path) -> None:
    """Teach a random transformer to predict what the filter bank says of each patch, and write it to `path`."""
    torch.manual_seed(0)
    student = random_vit("vit_tiny_patch16_224", depth=6, patch_size=PATCH, img_size=SIDE, device="cpu").transformer
    bank = FilterBank()
    model = nn.ModuleDict({"vit": student.vit, "predict": nn.Linear(student.spec.channels, bank.channels)})
    model.requires_grad_(True).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.05)
    mean, std = (torch.tensor(values)[:, None, None] for values in (student.spec.mean, student.spec.std))
    crops = CropSettings(global_crops=1, global_size=SIDE, local_crops=1, local_size=SIDE)
    samples = CropDataset(collection, SampleSettings(seed=0, crops=crops), workers=1)
    batches = load_batches(samples, StepSampler(BATCH, 0, steps), workers=1, pinned=False)
    for step, batch in enumerate(track(batches, "learning the filter bank", total=steps)):
        for group in optimiser.param_groups:
            group["lr"] = cosine(LEARNING_RATE, 0, step, steps, warmup=steps // 20)
        images = batch.teacher_globals[:, 0]
        with torch.no_grad():
            target = _per_patch(bank.encode(images))
        tokens = model["vit"].forward_features((images - mean) / std)[:, student.spec.prefix :]  # type: ignore[operator]
        loss = functional.smooth_l1_loss(model["predict"](tokens), target)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    constant = functional.smooth_l1_loss(torch.zeros_like(target), target)
    print(f"filter bank: loss {loss.item():.3f}; a constant guess has {constant.item():.3f}", file=sys.stderr)
    export_checkpoint(path, student.vit.state_dict(), student.spec, {"summary": "Learned from the filter bank"})


def _per_patch(levels: list[torch.Tensor]) -> torch.Tensor:
    """Channels averaged over each patch and standardised over the batch, (B, patches, channels)."""
    pooled = torch.cat([functional.adaptive_avg_pool2d(level.clone(), SIDE // PATCH) for level in levels], dim=1)
    deviation, mean = torch.std_mean(pooled, dim=(0, 2, 3), keepdim=True)
    return ((pooled - mean) / (deviation + 1e-3)).clamp(-4, 4).flatten(2).transpose(1, 2)


def post_train(name: str, flags: list[str], initial: Path, arguments: argparse.Namespace) -> Path:
    """Post-train, or go on with it, as a user would; the teacher's file."""
    folder: Path = arguments.output / name.replace(" ", "-")
    teacher = folder / "teacher.safetensors"
    if not teacher.exists():
        config = folder / "images.yaml"
        folder.mkdir(exist_ok=True)
        config.write_text("images: [" + ", ".join(str(path) for path in _files(arguments)) + "]\n")
        command = [
            *(sys.executable, "-m", "training.neco", "--config", str(config), "--init", str(initial)),
            *("--output", str(folder), "--name", f"small-{folder.name}", "--resume", "true"),
            *("--steps", str(arguments.steps), "--batch", str(arguments.batch), "--checkpoint_every", "25"),
            *("--crops.global_size", str(SIDE), "--crops.local_size", str(SIDE // 2)),
            *("--optimiser.trainable_blocks", "null", "--monitor_every", "50", *flags),
        ]
        # Backbones of the experiment are listed nowhere else, so that it can be repeated with another --output.
        environment = {**os.environ, "PATCHFIELD_WEIGHTS": str(arguments.output / "weights")}
        subprocess.run(command, check=True, env=environment)
    return teacher


def _files(arguments: argparse.Namespace) -> list[Path]:
    """Images to learn from: those of the folders, and the labelled ones that are not tested on."""
    sets = labelled_sets(arguments.labels)
    training = [image.image for labelled in sets for image in labelled.train]
    tested = [image.image for labelled in sets for image in labelled.test]
    return sorted({*image_files(arguments.images, tested), *training})


def _collection(arguments: argparse.Namespace) -> Collection:
    files = track(_files(arguments), "opening images")
    return open_collection(files, TileSettings().image_settings, SIDE, arguments.output / "images.json")


if __name__ == "__main__":
    main()
