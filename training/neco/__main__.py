"""Post-train a backbone on your own micrographs.

``python -m training.neco --images DIR --init NAME|FILE --output DIR`` adapts a vision transformer to unlabelled
images by patch neighbour consistency (NeCo, arXiv 2408.11054). ``--preset paper`` runs it as published. The result is
listed by ``patchfield models`` and in the app. See docs/training.md.
"""

import os
import sys
from argparse import ArgumentParser as PresetParser
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import yaml
from jsonargparse import ArgumentParser
from rich.console import Console

from patchfield.errors import PatchfieldError
from training.engine.logs import METRICS, State, write_status
from training.engine.run import train
from training.neco.settings import PRESETS, Preset, RunSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0 done, 1 failed, 3 stopped by a signal and resumable."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    console = Console(stderr=True)
    folder = None
    try:
        settings = read_settings(arguments)
        folder = Path(settings.output)
        _tell(folder, "starting")
        outcome = train(settings, console)
        if settings.labels is not None and outcome.exported:
            _tell(folder, "evaluating", step=settings.steps, steps=settings.steps)
            _evaluate(settings, settings.labels, outcome.exported[0], console)
    except PatchfieldError as error:
        console.print(f"Error: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        _tell(folder, "failed", str(error))
        return 1
    for line in (outcome.message, *(f"Written: {path}" for path in outcome.exported)):
        if line:
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    stopped = not outcome.exported and bool(outcome.message)
    _tell(folder, "stopped" if stopped else "finished", outcome.message)
    return 3 if stopped else 0


def read_settings(arguments: Sequence[str]) -> RunSettings:
    """Settings from flags and from the file of ``--config``; flags win, and both win over the preset's defaults."""
    parser = build_parser(_preset(arguments))
    parsed = parser.parse_args(arguments)
    values = vars(parser.instantiate(parsed))
    return RunSettings(**{key: value for key, value in values.items() if key not in ("config", "preset")})


def build_parser(preset: Preset = "micrographs") -> ArgumentParser:
    """A parser whose defaults are those of a preset."""
    parser = ArgumentParser(prog="python -m training.neco", description=__doc__.partition("\n")[0])
    parser.add_argument("--config", action="config", help="YAML file with any of the options below.")
    parser.add_argument(
        "--preset",
        type=Preset,
        default=preset,
        help="Defaults of all options: for a lab's own images, or as published.",
    )
    parser.add_class_arguments(RunSettings, as_group=False)
    parser.set_defaults(PRESETS[preset])
    return parser


def _preset(arguments: Sequence[str]) -> Preset:
    """The preset that flags or the configuration file name; needed before the parser can be built."""
    early = PresetParser(add_help=False, allow_abbrev=False)
    early.add_argument("--preset")
    early.add_argument("--config", type=Path)
    known, _ = early.parse_known_args(arguments)
    named = known.preset
    if named is None and known.config is not None and known.config.is_file():
        named = (yaml.safe_load(known.config.read_text(encoding="utf-8")) or {}).get("preset")
    return named if named in get_args(Preset) else "micrographs"


def _evaluate(settings: RunSettings, labels: Path, teacher: Path, console: Console) -> None:
    """Compare the trained teacher with the backbone that it started from."""
    from patchfield.evaluate.report import compare

    folder = Path(settings.output) / "evaluation"
    backbones: dict[str, str | Path] = {"before": settings.init, "after": teacher}
    report = compare(backbones, labels, output=folder, log=Path(settings.output) / METRICS)
    console.print(report.table(), highlight=False, markup=False, soft_wrap=True)
    console.print(f"Written: {folder}", highlight=False, soft_wrap=True)


def _tell(folder: Path | None, state: State, message: str = "", **facts: int) -> None:
    """Update the status file; the first process does it for all."""
    if folder is not None and int(os.environ.get("RANK", 0)) == 0:
        write_status(folder, state, message, **facts)


if __name__ == "__main__":
    sys.exit(main())
