"""How well does `micro` do on kinds of micrographs that it was not trained on?

    python benchmarks/unseen_kinds.py --labels DIR --textures DIR --output DIR --fold SET,SET,... --fold SET,SET,...

For every fold a network is trained by training/recipes/micro.yaml without any image of the fold's sets, and scored on
them by the stroke benchmark (see strokes.py); `filters` and a forest on classical features are scored in the same run.
Sets of one kind of micrograph belong into one fold. Finished trainings are not repeated: run the same command again to
go on after an interruption. Flags after -- go to the training (--steps 4000).
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import yaml
from strokes import Method, Probe, Scores, baselines, print_table, scored

from patchfield.evaluate.micrographs import labelled_sets
from patchfield.probe.linear import DEFAULT_L2

RECIPE = Path(__file__).resolve().parents[1] / "training" / "recipes" / "micro.yaml"


def main() -> None:
    """Train what is not trained yet, and print one row per set, and their mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--textures", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--fold", action="append", required=True, help="names of sets, separated by commas")
    parser.add_argument("--thirds", action="store_true", help="score as strokes.py --thirds does")
    parser.add_argument("flags", nargs="*", help="of training.episodes")
    arguments = parser.parse_args()
    sets = {labelled.name: labelled for labelled in labelled_sets(arguments.labels)}
    methods: list[Method] = [Probe(["filters"], "fast", DEFAULT_L2), baselines()[0]]
    table: dict[str, list[Scores]] = {}
    seconds = 0.0
    for number, fold in enumerate(arguments.fold):
        network = Probe([str(trained(fold.split(","), number, arguments))], "fast", DEFAULT_L2)
        for labelled in (sets[name] for name in fold.split(",") if name in sets):
            print(labelled.name, file=sys.stderr)
            table[labelled.name] = [scored(method, labelled, arguments.thirds) for method in (network, *methods)]
        seconds += network.seconds
    columns = {"micro, trained without the set": seconds, **{method.name: method.seconds for method in methods}}
    print_table(columns, dict(sorted(table.items())))


def trained(fold: list[str], number: int, arguments: argparse.Namespace) -> Path:
    """The file of the network that was trained without the sets of a fold."""
    folder: Path = arguments.output / f"fold-{number}"
    network = folder / "micro.safetensors"
    if not network.exists():
        folder.mkdir(parents=True, exist_ok=True)
        recipe = yaml.safe_load(RECIPE.read_text())
        unlabelled = [pattern for pattern in recipe["held_out"] if pattern.split("/")[0] not in _sets(arguments.labels)]
        recipe["held_out"] = unlabelled + [f"{name}/*" for name in fold]
        config = folder / "recipe.yaml"
        config.write_text(yaml.safe_dump(recipe))
        command = [sys.executable, "-m", "training.episodes", "--config", str(config), "--resume", "true"]
        command += ["--labels", str(arguments.labels), "--textures", str(arguments.textures)]
        command += ["--output", str(folder), "--name", f"micro-without-{fold[0]}", *arguments.flags]
        # Networks of the experiment are listed nowhere else, so that it can be repeated with another --output.
        environment = {**os.environ, "PATCHFIELD_WEIGHTS": str(arguments.output / "weights")}
        subprocess.run(command, check=True, env=environment)
    return network


def _sets(labels: Path) -> set[str]:
    return {path.name for path in labels.iterdir() if path.is_dir()}


if __name__ == "__main__":
    main()
