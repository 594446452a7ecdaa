"""Networks like `micro` that were not trained on some kinds of micrographs, to be scored on these.

    python benchmarks/unseen_kinds.py --labels DIR [--labels DIR] --textures DIR --output DIR -- --steps 2500
    python benchmarks/strokes.py DIR [DIR] --backbone folds:OUTPUT --backbone filters --baselines

For every fold of a file (folds.yaml: names, and the sets that are left out together) a network is trained by a recipe
(training/recipes/micro.yaml) without any image of the fold's sets, and without the unlabelled images that the recipe
holds out. Finished trainings are not repeated, and interrupted ones go on: run the same command again. Flags after --
go to the training.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from stroke_methods import FOLDS

HERE = Path(__file__).resolve().parent
RECIPE = HERE.parent / "training" / "recipes" / "micro.yaml"


def main() -> None:
    """Train what is not trained yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, action="append", required=True)
    parser.add_argument("--textures", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--folds", type=Path, default=HERE / "folds.yaml")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--fold", action="append", help="train only this one; repeat it for several")
    parser.add_argument("flags", nargs="*", help="of training.episodes")
    arguments = parser.parse_args()
    folds: Mapping[str, Sequence[str]] = yaml.safe_load(arguments.folds.read_text())
    arguments.output.mkdir(parents=True, exist_ok=True)
    without = {name: fold for fold, names in folds.items() for name in names}
    (arguments.output / FOLDS).write_text(json.dumps(without, indent=1))
    for fold in arguments.fold or folds:
        train(fold, folds[fold], arguments)


def train(fold: str, names: Sequence[str], arguments: argparse.Namespace) -> None:
    """Train the network of a fold, from where an earlier run ended."""
    folder: Path = arguments.output / fold
    if (folder / "micro.safetensors").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    sets = {path.name for labels in arguments.labels for path in labels.iterdir() if path.is_dir()}
    recipe = yaml.safe_load(arguments.recipe.read_text())
    unlabelled = [pattern for pattern in recipe["held_out"] if pattern.split("/")[0] not in sets]
    recipe["held_out"] = unlabelled + [f"{name}/*" for name in names]
    config = folder / "recipe.yaml"
    config.write_text(yaml.safe_dump(recipe))
    command = [sys.executable, "-m", "training.episodes", "--config", str(config), "--resume", "true"]
    command += ["--labels", json.dumps([str(labels) for labels in arguments.labels])]
    command += ["--textures", str(arguments.textures), "--output", str(folder)]
    command += ["--name", f"micro-{fold}", *arguments.flags]
    # Networks of the experiment are listed nowhere else, so that it can be repeated with another --output.
    environment = {**os.environ, "PATCHFIELD_WEIGHTS": str(arguments.output / "weights")}
    subprocess.run(command, check=True, env=environment)


if __name__ == "__main__":
    main()
